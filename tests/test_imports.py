"""What an application's start pays for this package."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAVY = (
    "label_studio_sdk",
    "httpx",
    "numpy",
    "pydantic",
    "requests",
    "rich",
    "google.protobuf",
    "filelock",
    "markdown_it",
    "nh3",
    "otel_labelstudio.filters.patterns",  # which take time to compile
)
_MAKE = (
    "from otel_labelstudio import LabelStudioSpanExporter; LabelStudioSpanExporter(api_key='x', url='http://[::1]:9')"
)
_EXPORT = f"""
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
{_MAKE.replace("; ", "; exporter = ")}
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(exporter))
with provider.get_tracer("test").start_as_current_span("no call of a model"):
    pass
assert exporter.counts["spans.received"] == 1
"""


def _imported(statements: str) -> set[str]:
    """The modules that a fresh interpreter has after these statements."""
    script = f"{statements}\nimport sys\nprint(*sys.modules, sep='\\n')"
    return set(
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    )


def test_the_package_alone_imports_no_sdk() -> None:
    """``import otel_labelstudio`` brings nothing but the standard library: not even OpenTelemetry's SDK."""
    without, with_us = _imported("import importlib, typing"), _imported("import otel_labelstudio")
    brought = {name.split(".")[0] for name in with_us - without}
    assert brought <= {"otel_labelstudio", *sys.stdlib_module_names}


@pytest.mark.parametrize("statements", [_MAKE, _EXPORT], ids=["made", "used for spans that are no calls"])
def test_the_exporter_imports_no_label_studio_sdk(statements: str) -> None:
    """Making the exporter, and giving it spans that are no calls, import nothing that is heavy."""
    imported = _imported(statements)
    assert "otel_labelstudio.exporter" in imported
    assert not imported.intersection(_HEAVY)


def test_a_connection_imports_little_of_the_label_studio_sdk() -> None:
    """What the first delivery imports is the HTTP client and the handling of keys: a fraction of the whole SDK."""
    imported = _imported("import otel_labelstudio.delivery.label_studio.connection")
    assert "label_studio_sdk" in imported
    assert not imported.intersection(("numpy", "pandas", "lxml", "nltk", "PIL", "requests"))


# What only the extras bring
_OF_EXTRAS = (
    "google.rpc",
    "grpc",
    "httptools",
    "uvicorn",
    "prometheus_client",
    "backports",
    "langchain",
    "langchain_core",
)
_WITHOUT_EXTRAS = f"""
import sys
sys.modules.update(dict.fromkeys({_OF_EXTRAS!r}))
"""


def test_the_commands_need_no_extra() -> None:
    """Help, and the commands that are not the demo or the receiver, are there after a plain installation."""
    imported = _imported(f"{_WITHOUT_EXTRAS}\nfrom otel_labelstudio.cli import parser\nparser().format_help()")
    assert "otel_labelstudio.cli.check" in imported


def test_no_command_imports_the_semantic_conventions() -> None:
    """But for `check`, once it looks at names of attributes."""
    commands = _imported("from otel_labelstudio.cli import parser; parser()")
    assert "otel_labelstudio.cli.check" in commands
    assert "opentelemetry.semconv._incubating" not in commands
