"""Takes texts that fit patterns out of all of a call: every part, every name and key, every number in JSON values.

The walk knows no names of fields but those that it leaves alone or that hold ids, so that a field or part that is added
later is walked too. What is left alone tells calls apart or counts (ids of spans, times, usage), or is base64.

An id that fits is not only hidden: settling finds a call by the ids of answers and conversations, and two people whose
numbers became the same text would have one conversation. So each gets a replacement of its own, which ends in a digest
of the id. The digest's key is a setting of the filter's and not drawn by each process: readings of one call may come
from two processes, the outbox outlives both, and a recording that is sent again has to give the same ids. Without a
key, whoever has a list of numbers can find out which of them it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from hashlib import blake2b
from typing import Any

from otel_labelstudio.calls import BlobPart, LLMCall
from otel_labelstudio.earlier_turns import CONTINUES, PREVIOUS_RESPONSE, Continuation

_LEFT_ALONE = frozenset(
    ("trace_id", "span_id", "parent_span_id", "prompt_index", "start_time_unix_nano", "end_time_unix_nano", "usage")
)
# Fields, and keys in JSON, by which calls of a conversation, readings of one call and results of a tool are found
_IDS = frozenset(("response_id", "conversation_id", PREVIOUS_RESPONSE, "id", "call_id", "tool_call_id", "tool_use_id"))
_DIGEST_BYTES = 8
# Hexadecimal digits as letters, which no pattern for numbers fits
_AS_LETTERS = str.maketrans("0123456789", "ghijklmnop")
_CONTINUATION, _SPAN_ID = frozenset(f.name for f in fields(Continuation)), re.compile("[0-9a-f]{16}")
# What a replacement leaves behind may fit a pattern again; after so many rounds all of the text goes
_ROUNDS = 4

# Base64 of media, as the content of a part or in an address of its own; shorter than this it may be a number
_BASE64 = re.compile(r"[A-Za-z0-9+/\r\n]{64,}={0,2}\s*")
_DATA_URI = re.compile(r"(data:[\w.+-]{1,64}/[\w.+-]{1,64}(?:;[\w=.-]{1,64}){0,4};base64,[A-Za-z0-9+/_-]{64,}={0,2})")

# Before the first character of a number or word; \n and the like stand in JSON that is text inside of a call
_START = r"(?:(?<![\w.-])|(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4}))"
# Behind the last one; an id goes on
_END = r"\b(?!-\w)"
# Between groups of digits: also a space or hyphen that does not break, and both as JSON escapes them
_SPACE, _HYPHEN = r"[ \xa0\u202f]|\\u(?:00a0|202f)", r"[-\u2010\u2011]|\\u201[01]"
_SEPARATOR = rf"(?:{_SPACE}|{_HYPHEN}|[./])"
# A letter that is not of ASCII, as JSON escapes it
_ESCAPED_LETTER = r"\\u00[c-fC-F][0-9a-fA-F]"

EMAIL_ADDRESS = re.compile(
    r"(?:(?<![\w.%+'-])(?!(?<=\\)(?:[nrtbf]|u[0-9a-fA-F]{4}))|(?<=\\[nrtbf])"
    rf"|(?<=\\u[0-9a-fA-F]{{4}})(?<!{_ESCAPED_LETTER}))"
    rf"(?:[\w.%+'-]|{_ESCAPED_LETTER})+(?:@|%40|\\u0040)(?:(?:[\w-]|{_ESCAPED_LETTER})+\.)+[^\W\d_]{{2,}}"
)
PHONE_NUMBER = re.compile(
    rf"{_START}(?:"
    # +49 (0)170 1234567, 0049 170 1234567
    rf"(?:\+|00)[1-9]\d{{0,2}}{_SEPARATOR}?(?:\(\d{{1,5}}\))?(?:{_SEPARATOR}?\d){{5,}}"
    # (555) 123-4567, 1-800-555-1234
    rf"|(?:1{_SEPARATOR})?(?:\(\d{{3}}\) ?|\d{{3}}{_SEPARATOR})\d{{3}}{_SEPARATOR}\d{{4}}"
    # 0171 2345678, (020) 7946 0958
    rf"|(?:0\d{{1,4}}(?:{_SPACE}|{_HYPHEN})|0\d{{2,4}}/|\(0\d{{1,4}}\)(?:{_SPACE})?)"
    rf"\d{{3}}(?:(?:{_SPACE}|{_HYPHEN})?\d){{2,}}"
    # 06 12 34 56 78, but not in a longer row
    rf"|(?<!\d[ .\xa0-])0[1-9](?:{_SEPARATOR}\d\d){{4}}(?!{_SEPARATOR}?\d)"
    # Mobile telephones of Germany, the United Kingdom and France without any separator
    r"|0(?:1[5-7]\d{8,9}|7\d{9}|[67]\d{8})"
    rf"){_END}"
)
# How long an IBAN is in each country of the registry (ISO 13616)
_IBAN_COUNTRIES = {
    15: "NO",
    16: "BE",
    18: "DK FI FK FO GL NL SD",
    19: "MK SI",
    20: "AT BA EE KW KZ LT LU MN XK",
    21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA",
    23: "AE GI IL IQ OM SO TL",
    24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST",
    26: "IS TR",
    27: "BI DJ FR GR IT MC MR SM",
    28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
    29: "BR EG PS QA UA",
    30: "JO MU YE",
    31: "MT SC",
    32: "LC",
    33: "RU",
}
_GROUP_SEPARATOR = rf"(?:{_SPACE}|{_HYPHEN}|\.)?"


def _iban(length: int, countries: str) -> str:
    groups, rest = divmod(length - 4, 4)
    ending = rf"{_GROUP_SEPARATOR}[A-Z0-9]{{{rest}}}" if rest else ""
    return rf"(?:{countries.replace(' ', '|')})\d\d(?:{_GROUP_SEPARATOR}[A-Z0-9]{{4}}){{{groups}}}{ending}"


IBAN = re.compile(rf"{_START}(?:{'|'.join(_iban(*countries) for countries in _IBAN_COUNTRIES.items())}){_END}")
PAYMENT_CARD_NUMBER = re.compile(
    rf"(?:{_START}|(?<=(?i:card)))(?:"
    rf"(?:4\d{{3}}|5[1-5]\d\d|2[2-7]\d\d|35\d\d|6(?:011|5\d\d))(?:{_GROUP_SEPARATOR}\d{{4}}){{3}}"
    rf"|6[27]\d\d(?:{_GROUP_SEPARATOR}\d{{4}}){{3}}(?:{_GROUP_SEPARATOR}\d{{3}})?"
    rf"|3[47]\d\d{_GROUP_SEPARATOR}\d{{6}}{_GROUP_SEPARATOR}\d{{5}}){_END}"
)
US_SOCIAL_SECURITY_NUMBER = re.compile(rf"{_START}\d{{3}}-\d{{2}}-\d{{4}}\b")
IPV4_ADDRESS = re.compile(rf"{_START}(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){{3}}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b")
# Keys by their vendors' prefixes, JSON Web Tokens, credentials of an HTTP header, private keys
SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]*-----END [A-Z ]*PRIVATE KEY-----)?"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]+)*"
    rf"|{_START}(?:(?:sk|pk|rk)[-_][\w-]{{16,}}|gh[pousr]_\w{{20,}}|github_pat_\w{{20,}}|glpat-[\w-]{{16,}}"
    r"|xox[abeprs]-[\w-]{10,}|A(?:KIA|SIA)[0-9A-Z]{16}|AIza[\w-]{30,}|(?:hf|npm)_\w{20,}|ya29\.[\w-]{20,})"
    r"|\b(?:Bearer|Basic) [\w.~+/-]{16,}=*"
)

# An IBAN or a card's number may look like a telephone number inside of it
PERSONAL_DATA = (IBAN, PAYMENT_CARD_NUMBER, US_SOCIAL_SECURITY_NUMBER, PHONE_NUMBER, EMAIL_ADDRESS)


class Redaction:
    """A call filter: the call with a replacement where a text fits one of the patterns. Made by `redact`."""

    def __init__(self, patterns: Iterable[re.Pattern[str]], replacement: str, key: str = "") -> None:
        self._patterns, self._replacement = tuple(patterns), replacement
        self._key = blake2b(key.encode(errors="surrogatepass")).digest()
        fitting = next((pattern.pattern for pattern in self._patterns if pattern.search(replacement)), None)
        if fitting is not None:
            raise ValueError(f"the replacement {replacement!r} fits the pattern {fitting!r}: it would be replaced too")

    def __call__(self, call: LLMCall) -> LLMCall:
        redacted: LLMCall = self._record(call)
        return redacted

    # Each gives back the very object that it was given where nothing in it fits

    def _record(self, record: Any) -> Any:
        old = {f.name: getattr(record, f.name) for f in fields(record) if f.name not in _LEFT_ALONE}
        if isinstance(record, BlobPart) and _BASE64.fullmatch(record.content):
            del old["content"]
        new = {name: self._named(name, value) for name, value in old.items()}
        return replace(record, **new) if any(new[name] is not value for name, value in old.items()) else record

    def _named(self, name: Any, value: Any) -> Any:
        if isinstance(value, str) and name in _IDS:
            return self._id(value)
        is_left_alone = name == CONTINUES and _is_continuation(value)
        return value if is_left_alone else self._value(value)

    def _id(self, value: str) -> str:
        """What fits is replaced so that two ids that differ differ afterwards."""
        digest = blake2b(value.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES, key=self._key).hexdigest()
        return self._text(value, f"{self._replacement}-{digest.translate(_AS_LETTERS)}")

    def _mapping(self, mapping: Mapping[Any, Any]) -> Mapping[Any, Any]:
        pairs = [(self._value(key), self._named(key, value)) for key, value in mapping.items()]
        is_same = all(key is a and value is b for (key, value), (a, b) in zip(mapping.items(), pairs, strict=True))
        return mapping if is_same else dict(pairs)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value, self._replacement)
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list | tuple):
            items = [self._value(item) for item in value]
            return type(value)(items) if any(a is not b for a, b in zip(items, value, strict=True)) else value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._replacement if self._fits(str(value)) else value
        return self._record(value) if is_dataclass(value) else value

    def _text(self, text: str, replacement: str) -> str:
        if "base64," not in text:
            return self._prose(text, replacement)
        pieces = _DATA_URI.split(text)  # each second one is an address that holds media
        pieces[::2] = [self._prose(piece, replacement) for piece in pieces[::2]]
        redacted = "".join(pieces)
        return text if redacted == text else redacted

    def _prose(self, text: str, replacement: str) -> str:
        for _ in range(_ROUNDS):
            replaced = 0
            for pattern in self._patterns:
                text, count = pattern.subn(lambda _: replacement, text)
                replaced += count
            if not replaced:
                return text
        return replacement

    def _fits(self, text: str) -> bool:
        return any(pattern.search(text) for pattern in self._patterns)


def _is_continuation(value: Any) -> bool:
    """Whether this is which call has the earlier turns, as a dialect wrote it, and no metadata of an application's."""
    if not isinstance(value, Mapping) or not value.keys() <= _CONTINUATION:
        return False
    return all(isinstance(item, int) or _SPAN_ID.fullmatch(str(item)) for item in value.values())


def redact(
    patterns: str | re.Pattern[str] | Iterable[str | re.Pattern[str]], replacement: str = "[redacted]", *, key: str = ""
) -> Redaction:
    """A ``call_filter`` that puts ``replacement`` wherever one of the regular expressions fits.

    In every text of a call: messages of every kind, reasoning, tool calls and their results with the keys in them,
    tool definitions, the system prompt, names, tags, metadata, the user's id. A number in JSON that fits becomes the
    replacement. An id of a conversation, an answer or a tool call gets the replacement with a digest of the whole id
    behind it, so that different ids stay different; ``key`` is a secret without which nobody can find out by trying
    which id it was, and has to be the same in all processes. Ids of spans, times, token counts and media in base64
    stay. Of keys of an object that become the same, the last one stays. Raises `ValueError` where the replacement
    itself fits.
    """
    several = [patterns] if isinstance(patterns, str | re.Pattern) else patterns
    return Redaction(map(re.compile, several), replacement, key)
