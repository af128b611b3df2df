"""Text from outside, in log lines and on terminals."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_labelstudio.cli import main
from otel_labelstudio.printable import counted, logger, printable

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(ANY_TEXT)
def test_nothing_that_cannot_be_printed_is_left(text: str) -> None:
    """Each line can be printed and encoded, and none looks like a line of its own."""
    first, *others = printable(text).split("\n")
    assert all(line.isprintable() for line in (first, *others))
    assert all(line.startswith("| ") for line in others)
    printable(text).encode()


@given(st.text(st.characters(exclude_categories=("C", "Z"))))
def test_what_can_be_printed_stays_as_it_is(text: str) -> None:
    """Names in any language."""
    assert printable(text) == text


def test_a_number_of_things() -> None:
    """One is said as one."""
    assert [counted(number, "dead letter") for number in (0, 1, 2)] == [
        "0 dead letters",
        "1 dead letter",
        "2 dead letters",
    ]


def test_the_arguments_of_a_message_are_printable(caplog: pytest.LogCaptureFixture) -> None:
    """Texts, errors and other objects; the message's own lines and numbers stay."""
    log = logger("tests.printable")
    logger("tests.printable")  # asked for again, it is made no other
    assert len(log.filters) == 1
    log.warning('"%s" has %d tasks:\n%s, %r', "a\x1b[2Jb", 7, ValueError("\x00\nERROR forged"), "\x1b")
    assert caplog.messages == ["\"a\\x1b[2Jb\" has 7 tasks:\n\\x00\n| ERROR forged, '\\\\x1b'"]
    log.warning("no arguments %s", [1])
    assert caplog.messages[1] == "no arguments [1]"
    assert logging.getLogger("tests.printable") is log


def test_a_command_prints_no_control_character(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file's name may hold anything."""
    assert main(["convert", str(tmp_path / "\x1b[2J\x07.pb")]) == 1
    err = capsys.readouterr().err
    assert err == f"otel-labelstudio: {tmp_path}/\\x1b[2J\\x07.pb: No such file or directory\n" + err.split("\n", 1)[1]
    assert err.replace("\n", "").isprintable()
