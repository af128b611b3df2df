"""Progress lines."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from otel_labelstudio.demo import progress
from otel_labelstudio.demo.progress import Progress


class Terminal(io.StringIO):
    """A stream that somebody watches."""

    def isatty(self) -> bool:
        return True


def test_a_file_gets_few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it moves on within ten seconds: one line at the start, one at the end."""
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 7.0))
    stream = io.StringIO()
    with Progress("Installing", stream) as shown:
        for i in range(100):
            shown.step(f"{i} of 100")
    assert stream.getvalue().splitlines() == ["Installing (0 s)", "Installing: done after 0.0 s"]


def test_a_terminal_gets_one_line_that_rewrites_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each state overwrites the one before, none is wider than the terminal, and the last ends the line."""
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    with Progress("Installing", stream):
        pass
    states = stream.getvalue().split("\r")
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\n")
    assert [len(state.rstrip("\n")) for state in states] == [0, 29, 29]


def test_a_failure_is_not_called_done() -> None:
    """What broke off says so."""
    stream = io.StringIO()
    with pytest.raises(ValueError, match="why"), Progress("Installing", stream):
        raise ValueError("why")
    assert "broke off" in stream.getvalue().splitlines()[-1]
