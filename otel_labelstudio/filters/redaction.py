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
