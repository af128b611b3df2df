"""Text from outside in a log line or on a terminal: project titles, what servers answer, why a call was refused.

A control character in it can clear a screen, forge a log line or hide what follows, so that it is shown as Python's
``repr`` shows it. It is done here, where text is shown, and not where it is received: records keep what was said.
"""

from __future__ import annotations

import logging

# What a line of a text starts with, so that it looks like no line of the log
_NEXT_LINE = "\n| "


def printable(text: str) -> str:
    """The text with all that cannot be printed as escapes, such as ``\\x1b``; its lines stay lines."""
    return text if text.isprintable() else _NEXT_LINE.join(map(_escaped, text.split("\n")))


def counted(number: int, noun: str) -> str:
    """As a sentence says it: ``1 call``, ``2 calls``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def logger(name: str) -> logging.Logger:
    """The logger of a module, which makes the arguments of each message `printable`."""
    found = logging.getLogger(name)
    found.addFilter(_with_printable_arguments)
    return found


def _with_printable_arguments(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(map(_printable_argument, record.args))
    return True


def _printable_argument(argument: object) -> object:
    """Numbers and harmless objects stay what they are: ``%d`` and ``%r`` want them so."""
    text = str(argument)
    return argument if text.isprintable() else printable(text)


def _escaped(line: str) -> str:
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in line)
