"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """Of one finding; one that failed makes the whole check fail."""

    OK = "ok"
    NOTE = "note"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    verdict: Verdict
    text: str

    def __str__(self) -> str:
        return f"{self.verdict.value:<4}  {self.text}"

    def of_route(self, name: str) -> Finding:
        """The same, of one route."""
        return Finding(self.verdict, f"route {name}: {self.text}")


def ok(text: str) -> Finding:
    return Finding(Verdict.OK, text)


def note(text: str) -> Finding:
    return Finding(Verdict.NOTE, text)


def fail(text: str) -> Finding:
    return Finding(Verdict.FAIL, text)
