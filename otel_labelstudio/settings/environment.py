"""The only reader of the environment's variables (the proxies' are the HTTP library's and Python's own)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from otel_labelstudio.settings.names import say_renamed
from otel_labelstudio.settings.variable import Variable

# By whose name a machine's own certificate authorities are given: OpenSSL's, then those of requests and curl
_CERTIFICATE_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CONFIG_FILES = ("OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE")


def read_setting(variable: Variable, argument: Any, fallback: Any = None) -> Any:
    """What an argument says, else the variable's environment, else the fallback; None where nothing does.

    Raises `ConfigError` for a value that the setting cannot have.
    """
    sources = (
        (variable.name, argument),
        (variable.environment, os.environ.get(variable.environment)),
        *_former_environment(variable),
        (variable.name, fallback),
    )
    name, value = next(((name, value) for name, value in sources if not _is_empty(value)), ("", None))
    return None if value is None else variable.value(name, value)


def is_named_to_the_sdk() -> bool:
    """Whether the environment has the SDK set itself up with our exporter, as ``opentelemetry-instrument`` does it."""
    exporters = os.environ.get("OTEL_TRACES_EXPORTER", "").split(",")
    return bool(os.environ.get("OTEL_CONFIG_FILE")) or "labelstudio" in map(str.strip, exporters)


def prefix_of_config_file(settings: Mapping[str, Any]) -> str:
    """The beginning of an error about what an entry point was given: the declarative configuration file, which alone
    gives it settings."""
    file = _first(_CONFIG_FILES)[1]
    return f"{file}: " if settings and file else ""


def as_in_config_file(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry point was given, as it stands in that file: YAML makes False of ``off`` without quotes."""
    return {name: "off" if name == "call_filter" and value is False else value for name, value in settings.items()}


def certificate_authorities() -> tuple[str, str] | None:
    """The variable that names a file or a directory of trusted certificates, and what it names."""
    name, path = _first(_CERTIFICATE_AUTHORITIES)
    return None if path is None else (name, path)


def _first(names: tuple[str, ...]) -> tuple[str, str | None]:
    return next(((name, os.environ[name]) for name in names if os.environ.get(name)), ("", None))


def _former_environment(variable: Variable) -> Iterator[tuple[str, str]]:
    value = os.environ.get(variable.former[1]) if variable.former else None
    if variable.former and value:
        say_renamed(variable.former[1], variable.environment)
        yield variable.former[1], value


def _is_empty(value: Any) -> bool:
    """Whether nothing is given; a function of somebody's own is not asked whether it equals a text."""
    return value is None or (isinstance(value, str) and value == "")


def variables_of_others(names: Iterable[str]) -> dict[str, str]:
    """Of these environment variables, which are not ours, those that are set: what a back end calls its credentials."""
    return {name: value for name in names if (value := os.environ.get(name, "").strip())}
