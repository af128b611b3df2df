"""The user's function in ``call_filter``: imported by its name, and looked at before it is first asked.

What it does wrong would otherwise show with the first call, which is then dropped.
"""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from inspect import Signature, iscoroutinefunction, signature
from pathlib import Path
from types import ModuleType
from typing import Any

from otel_labelstudio.settings.readers import is_off

# A filter that has a parameter of this name is given the attributes of the call's resource
RESOURCE_ATTRIBUTES = "resource_attributes"


def call_filter(value: Any) -> Any:
    """A function of a call, which may take its resource's attributes too; or where to import it,
    ``package.module:function``. None where it is ``off``: no filter, whatever a source that counts for less names."""
    if is_off(value):
        return None
    function = value if callable(value) else _imported(value)
    if _is_async(function):
        raise ValueError("is an async function; it must be a plain one")
    taken = signature_of(function)
    if taken is None:
        return function
    named: dict[str, Any] = {RESOURCE_ATTRIBUTES: {}} if RESOURCE_ATTRIBUTES in taken.parameters else {}
    try:
        taken.bind(object(), **named)
    except TypeError:
        raise ValueError(f"takes {taken}; it must take one argument, the call") from None
    return function


def signature_of(function: Any) -> Signature | None:
    """What it takes; None of a built-in function that does not tell, or of an object that will not be looked at."""
    try:
        return signature(function)
    except Exception:  # a user's object may do anything here
        return None


def _is_async(function: Any) -> bool:
    try:
        return iscoroutinefunction(function)
    except Exception:  # it looks at attributes, which a user's object may refuse
        return False


def _imported(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("not a function")  # noqa: TRY004 - one exception type for all readers
    module_name, _, name = value.strip().partition(":")
    if not module_name or not name:
        raise ValueError("the name of the function, or of its module, is missing")
    found: Any = _module(module_name)
    for attribute in name.split("."):
        if not hasattr(found, attribute):
            raise ValueError(f"{module_name} has no {attribute!r}{_nearest(attribute, found)}")
        found = getattr(found, attribute)
    if not callable(found):
        raise ValueError(f"{name} is not a function")  # noqa: TRY004
    return found


def _module(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise ValueError(f"{name} imports {error.name}, which is not installed") from None
        raise ValueError(f"there is no module {error.name!r}{_where_it_is(error.name)}") from None
    except Exception as error:  # it is a user's, and may do anything while it is imported
        raise ValueError(f"{name} cannot be imported ({type(error).__name__})") from None


def _where_it_is(module: str) -> str:
    """Whether it lies in the current directory, where a command does not look for modules."""
    root = module.split(".")[0]
    here = next((file for file in (f"{root}.py", root) if Path(file).exists()), None)
    if here is None:
        return " on Python's path, which PYTHONPATH extends"
    return f" on Python's path, though {here} is in the current directory: set PYTHONPATH=."


def _nearest(name: str, module: Any) -> str:
    near = get_close_matches(name, dir(module), 1)
    return f"; did you mean {near[0]!r}?" if near else ""
