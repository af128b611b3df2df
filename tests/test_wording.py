"""Plain English where users read: pages, log lines, errors, help, and what public names say of themselves.

The list grows by whatever stopped a reader. A word that is needed all the same is explained in docs/glossary.md.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import otel_labelstudio
from tests.documents import PAGES, REPOSITORY

PACKAGE = REPOSITORY / "otel_labelstudio"
# A word or phrase that readers stumbled over, and what to write instead
INSTEAD = {
    r"twins?": "duplicate reading, duplicate task",
    r"in doubt": "outcome unknown",
    r"(?:un)?mend(?:s|ed|ing)?": "correct, repair",
    r"spanless|astray|strangers?": "log record without its span",
    r"works? off|worked off": "deliver, read",
    r"end of the pipe": "the slowest stage",
    r"doors?": "entrance; exporter, receiver, file",
    r"pass(?:es|ed)? over": "skip",
    r"put off|puts off": "postpone",
    r"stays? good": "stay in use",
    r"lets? go of": "forget, remove",
    r"at work in": "use",
    r"nobody can tell": "unknown",
    r"remarks": "warnings",
    r"audits?": "recheck",
}
# Words of this project that a page may use because the glossary explains them
EXPLAINED = ("settling", "folded", "dead letter", "outcome unknown", "recheck", "inbox", "outbox", "dialect", "reading")
# Modules whose docstring is a command's help
HELP = sorted((PACKAGE / "cli").glob("*.py"))
PUBLIC = (*HELP, *(PACKAGE / f"{name}.py" for name in ("calls", "errors", "exporter", "log_exporter", "process_end")))
PUBLIC = (*PUBLIC, PACKAGE / "recordings.py", PACKAGE / "span_processor.py", PACKAGE / "telemetry.py")

_STUMBLED = re.compile(rf"\b(?:{'|'.join(INSTEAD)})\b", re.IGNORECASE)


def stumbles(text: str) -> list[str]:
    """What of the list stands in a text."""
    return [found[0] for found in _STUMBLED.finditer(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_pages(page: Path) -> None:
    """None of these words stands in a page."""
    assert stumbles(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", sorted(PACKAGE.rglob("*.py")), ids=lambda module: str(module.relative_to(PACKAGE)))
def test_messages(module: Path) -> None:
    """Nor in a text of more than one word in the code: log lines, errors and help."""
    assert [(text, stumbles(text)) for text in messages(module) if stumbles(text)] == []


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_docstrings_of_public_names(module: Path) -> None:
    """Nor in what the reference and ``--help`` show."""
    nodes = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(module.read_text(encoding="utf-8"))
    shown = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, nodes) and is_public(node)]
    assert [(text, stumbles(text)) for text in shown if stumbles(text)] == []


@pytest.mark.parametrize("word", EXPLAINED)
def test_the_glossary_explains_the_words_that_stay(word: str) -> None:
    """A reader finds each of them there."""
    glossary = (REPOSITORY / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| [^|]*\b{word}\b", glossary, re.MULTILINE)


def test_the_exported_names_are_looked_at() -> None:
    """The modules above are those from which the package exports names."""
    modules = {PACKAGE / f"{name.split('.')[-1]}.py" for name in otel_labelstudio._LAZY.values()}
    assert modules <= set(PUBLIC)


def messages(module: Path) -> Iterator[str]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from [node.value] * (" " in node.value.strip())


def is_public(node: ast.AST) -> bool:
    return not getattr(node, "name", "").startswith("_")
