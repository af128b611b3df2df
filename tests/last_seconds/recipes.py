"""The recipes of docs/shutdown.md, as files of an application that follows them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.last_seconds.processes import REPOSITORY

PAGE = (REPOSITORY / "docs" / "shutdown.md").read_text(encoding="utf-8")

# What stands in the place of the work of an application: it traces a call for each number
WORK = """
from opentelemetry import trace
from tests.delivery.telemetry import trace_chat
from tests.patience import be_patient

be_patient()


def trace_number(number: int) -> None:
    trace_chat(trace.get_tracer("application"), answers=[str(number)])
"""


def recipe(name: str) -> str:
    """The block whose first line is the name of its file, with the time that a busy machine's first delivery takes."""
    (block,) = re.findall(rf"^```python\n# {re.escape(name)}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(block).replace("timeout_millis=5_000", "timeout_millis=240_000")


def write_application(folder: Path, name: str, work: str = "", *, without: str = "") -> None:
    """An application in a folder: a recipe, and after it the work of the application. ``without`` is left out of it."""
    code = recipe(name)
    assert without in code
    (folder / "tracing.py").write_text(recipe("tracing.py"), encoding="utf-8")
    (folder / name).write_text(f"{code.replace(without, '')}\n{WORK if work else ''}\n{work}\n", encoding="utf-8")
