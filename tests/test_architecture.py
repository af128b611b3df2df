"""The rules of the house that imports do not show; those that they do are import-linter's, in pyproject.toml."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import otel_labelstudio
from otel_labelstudio.dialects import NAME_PREFIXES

PACKAGE = Path(otel_labelstudio.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


def relative(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def constants(module: Path) -> Iterator[str]:
    """The texts of a module, but for its docstrings."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def names_used(module: Path) -> set[str]:
    """Every dotted name that a module uses: ``os.environ``, ``threading.Lock``."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }


def offenders(used: set[str], allowed: tuple[str, ...]) -> list[str]:
    return [relative(m) for m in MODULES if not relative(m).startswith(allowed) and names_used(m) & used]


@pytest.mark.parametrize("module", MODULES, ids=relative)
def test_attribute_names_stand_in_the_dialects_and_in_feedback_alone(module: Path) -> None:
    """Whoever looks for where a key is read finds it in one folder, and where one is written back in another."""
    if not relative(module).startswith(("dialects/", "annotations/feedback/")):
        assert [text for text in constants(module) if text.startswith(NAME_PREFIXES)] == []


def test_the_environment_is_read_in_one_place() -> None:
    """Every setting has one row in `settings.VARIABLES`; the demo is an application of its own."""
    assert offenders({"os.environ", "os.getenv"}, ("settings/environment.py", "demo/")) == []


def test_the_client_of_label_studio_is_made_in_one_place() -> None:
    """With all that the settings and the environment say of how the server is reached, in every command."""
    makers = [
        relative(module)
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "LabelStudioServer"
    ]
    assert makers == ["servers.py"]


def test_threads_are_started_in_few_places() -> None:
    """By what keeps them alive, and for work that may hang; the demo is an application of its own."""
    allowed = ("background.py", "delivery/lanes.py", "demo/")
    assert offenders({"threading.Thread"}, allowed) == []


def test_every_logger_makes_its_arguments_printable() -> None:
    """What a server or a sender says cannot forge a log line."""
    assert offenders({"logging.getLogger"}, ("printable.py", "receiver/logs.py", "demo/")) == []


def test_few_sleep() -> None:
    """Only those whose work is to wait."""
    assert offenders({"time.sleep"}, ("delivery/worker.py", "receiver/reader.py", "demo/", "cli/demo.py")) == []


def test_randomness_is_in_one_place() -> None:
    """Only the waits between tries are random. The generator that all share is the application's own."""
    assert offenders({"random.SystemRandom"}, ("delivery/retry.py",)) == []
    assert offenders({f"random.{name}" for name in dir(random)} - {"random.SystemRandom"}, ()) == []


@pytest.mark.parametrize("key", ["from_name", "to_name", "total_predictions", "return_task_ids"])
def test_label_studios_names_stand_in_tasks_and_delivery(key: str) -> None:
    """The readers, the pipeline and the doors know nothing of Label Studio's JSON."""
    allowed = ("tasks/", "delivery/label_studio/", "annotations/collecting/", "demo/")
    assert [relative(m) for m in MODULES if not relative(m).startswith(allowed) and key in set(constants(m))] == []


def test_every_public_name_can_be_imported() -> None:
    """``__all__`` is sorted, and each of its lazy names is there."""
    assert otel_labelstudio.__all__ == sorted(otel_labelstudio.__all__)
    assert all(getattr(otel_labelstudio, name) for name in otel_labelstudio.__all__)


def test_no_module_is_named_for_what_it_is_not() -> None:
    """A file's name says what it holds."""
    assert {m.stem for m in MODULES}.isdisjoint({"utils", "helpers", "common", "misc"})
