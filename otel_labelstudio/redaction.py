"""Takes texts that fit patterns out of all of a call: every part, every name and key, every number in JSON values.

The walk knows no names of fields but those that it leaves alone, so that a field or part that is added later is walked
too. What is left alone tells calls apart or counts: ids of spans, times, usage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from otel_labelstudio.calls import LLMCall

_LEFT_ALONE = frozenset(
    ("trace_id", "span_id", "parent_span_id", "prompt_index", "start_time_unix_nano", "end_time_unix_nano", "usage")
)
# What a replacement leaves behind may fit a pattern again; after so many rounds all of the text goes
_ROUNDS = 4

# Before the first character of a number or word; \n and the like stand in JSON that is text inside of a call
_START = r"(?:(?<![\w.-])|(?<=\\[nrtbf]))"

EMAIL_ADDRESS = re.compile(r"(?:(?<![\w.%+'-])(?!(?<=\\)[nrtbf])|(?<=\\[nrtbf]))[\w.%+'-]+@(?:[\w-]+\.)+[^\W\d_]{2,}")
PHONE_NUMBER = re.compile(
    rf"{_START}(?:(?:\+|00)[1-9]\d{{0,2}}[ ./\xa0-]?(?:\(\d{{1,5}}\))?(?:[ ./\xa0-]?\d){{5,}}"
    rf"|(?:\(\d{{3}}\) ?|\d{{3}}[ .-])\d{{3}}[ .-]\d{{4}}|0\d{{1,4}}[ /-]\d{{3,}}(?:[ -]?\d){{2,}})\b"
)
IBAN = re.compile(
    rf"{_START}[A-Z]{{2}}\d{{2}}(?:[ .-]?[A-Z0-9]{{4}}){{2,7}}(?:[ .-]?[A-Z0-9]{{1,3}})?\b", re.IGNORECASE
)
PAYMENT_CARD_NUMBER = re.compile(
    rf"{_START}(?:(?:4\d{{3}}|5[1-5]\d\d|2[2-7]\d\d|35\d\d|6(?:011|[25]\d\d))(?:[ .\xa0-]?\d{{4}}){{3}}"
    rf"|3[47]\d\d[ .\xa0-]?\d{{6}}[ .\xa0-]?\d{{5}})\b"
)
US_SOCIAL_SECURITY_NUMBER = re.compile(rf"{_START}\d{{3}}-\d{{2}}-\d{{4}}\b")
IPV4_ADDRESS = re.compile(rf"{_START}(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){{3}}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b")
# Keys by their vendors' prefixes, JSON Web Tokens, credentials of an HTTP header, private keys
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]*-----END [A-Z ]*PRIVATE KEY-----)?"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]+)*"
    rf"|{_START}(?:(?:sk|pk|rk)[-_][\w-]{{16,}}|gh[pousr]_\w{{20,}}|github_pat_\w{{20,}}|glpat-[\w-]{{16,}}"
    r"|xox[abeprs]-[\w-]{10,}|A(?:KIA|SIA)[0-9A-Z]{16}|AIza[\w-]{30,}|(?:hf|npm)_\w{20,}|ya29\.[\w-]{20,})"
    r"|\b(?:Bearer|Basic) [\w.~+/-]{16,}=*"
)

# An IBAN or a card's number may look like a telephone number inside of it
PERSONAL_DATA = (IBAN, PAYMENT_CARD_NUMBER, US_SOCIAL_SECURITY_NUMBER, PHONE_NUMBER, EMAIL_ADDRESS)


class Redaction:
    """A call filter: the call with a replacement where a text fits one of the patterns. Made by `redact`."""

    def __init__(self, patterns: Iterable[re.Pattern[str]], replacement: str) -> None:
        self._patterns, self._replacement = tuple(patterns), replacement
        fitting = next((pattern.pattern for pattern in self._patterns if pattern.search(replacement)), None)
        if fitting is not None:
            raise ValueError(f"the replacement {replacement!r} fits the pattern {fitting!r}: it would be replaced too")

    def __call__(self, call: LLMCall) -> LLMCall:
        redacted = self._record(call)
        return call if redacted == call else redacted

    def _record(self, record: Any) -> Any:
        names = (f.name for f in fields(record) if f.name not in _LEFT_ALONE)
        return replace(record, **{name: self._value(getattr(record, name)) for name in names})

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {self._value(key): self._value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self._value, value))
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._replacement if self._fits(str(value)) else value
        return self._record(value) if is_dataclass(value) else value

    def _text(self, text: str) -> str:
        for _ in range(_ROUNDS):
            replaced = 0
            for pattern in self._patterns:
                text, count = pattern.subn(lambda _: self._replacement, text)
                replaced += count
            if not replaced:
                return text
        return self._replacement

    def _fits(self, text: str) -> bool:
        return any(pattern.search(text) for pattern in self._patterns)


def redact(
    patterns: str | re.Pattern[str] | Iterable[str | re.Pattern[str]], replacement: str = "[redacted]"
) -> Redaction:
    """A ``call_filter`` that puts ``replacement`` wherever one of the regular expressions fits.

    In every text of a call: messages of every kind, reasoning, tool calls and their results with the keys in them,
    tool definitions, the system prompt, names, tags, metadata, the user's id. A number in JSON that fits becomes the
    replacement. Ids of spans, times and token counts stay. Of keys of an object that become the same, the last one
    stays. Text in images is not seen. Raises `ValueError` where the replacement itself fits.
    """
    several = [patterns] if isinstance(patterns, str | re.Pattern) else patterns
    return Redaction(map(re.compile, several), replacement)
