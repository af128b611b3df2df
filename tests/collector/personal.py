"""What people type and should not have, with what must be left of it, and recorded telemetry in which they did."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_KEY = "0123456789abcdefABCDEF"  # of no service
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ubGVlIn0.c2lnbmF0dXJlLW9mLW5vYm9keQ"
_PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{_KEY}\n{_KEY}==\n-----END RSA PRIVATE KEY-----"

# As typed, what is left, and a piece that must not be found anywhere
PERSONAL: Sequence[tuple[str, str, str]] = (
    ("ann.lee@example.org", "<EMAIL>", "ann.lee"),
    ("bob+news@mail.example.co.uk", "<EMAIL>", "bob+news"),
    ("émile.zola@exämple.fr", "<EMAIL>", "mile.zola"),
    ('"dora@example.com"', '"<EMAIL>"', "dora@"),
    ("<eve@example.com>", "<<EMAIL>>", "eve@"),
    ("mailto:fred@example.com?subject=x", "mailto:<EMAIL>?subject=x", "fred@"),
    ("+49 170 1234567", "<PHONE>", "170 1234567"),
    ("+1 (555) 010-9876", "<PHONE>", "010-9876"),
    ("+44\u00a020\u00a07946\u00a00958", "<PHONE>", "0958"),
    ("0049 30/901820", "<PHONE>", "901820"),
    ("(555) 234-5678", "<PHONE>", "234-5678"),
    ("0171 7654321", "<PHONE>", "7654321"),
    ("DE89 3704 0044 0532 0130 00", "<IBAN>", "3704 0044"),
    ("GB29NWBK60161331926819", "<IBAN>", "NWBK6016"),
    ("nl91 abna 0417 1643 00", "<IBAN>", "0417 1643"),
    ("4111 1111 1111 1111", "<CARD>", "4111 1111"),
    ("5500-0000-0000-0004", "<CARD>", "5500-0000"),
    ("378282246310005", "<CARD>", "378282246310005"),
    ("4012\u00a08888\u00a08888\u00a01881", "<CARD>", "1881"),
    ("078-05-1120", "<SSN>", "078-05"),
    (f"sk-proj-{_KEY}", "<SECRET>", f"proj-{_KEY}"),
    (f"ghp_{_KEY}", "<SECRET>", f"ghp_{_KEY}"),
    ("AKIAIOSFODNN7EXAMPLE", "<SECRET>", "IOSFODNN"),
    (f"Authorization: Bearer {_KEY}==", "Authorization: Bearer <SECRET>", f"Bearer {_KEY}"),
    ("postgres://app:hunter2@db/shop", "postgres://app:<SECRET>@db/shop", "hunter2"),
    (_JWT, "<JWT>", "eyJzdWIi"),
    (_PEM, "<SECRET>", f"MIIE{_KEY}"),
)
FORBIDDEN = tuple(piece for _, _, piece in PERSONAL)
# Looks like some of it, and is to stay
HARMLESS = (
    *("order 4711", "π is 3.14159265358979", "on 2026-11-22T10:30:00+01:00", "p=0.4111111111111111", "v1.2.3-rc.1"),
    *("id 123e4567-e89b-42d3-a456-426614174000", "call_8Tl0SkmNxZ2pQe", "ms 1732282800000", "a@b", "sk-short"),
    *(
        "C:\\new\\table",
        "\\n is a newline",
        "日本語",
        "café",
        "\U0001f600",
        '"quoted"',
        "<b>&amp;</b>",
        "[EMAIL]",
        "x/y",
    ),
    *(
        "tokens: 12",
        "is 4 x 4 = 16",
        "by 2026-11-22",
        "at 12:30",
        "(1) one (2) two",
        "$50,000.00",
        "it's",
        "#4111",
        "{}",
    ),
    *("e=mc²", "by 100 %", "lines 12-34", "x" * 99),
)

# What the conventions have structured where a signal can
_STRUCTURED = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
)

_IMAGE = re.compile(r"iVBORw0KGgo[A-Za-z0-9+/=]+")
_LARGE_IMAGE = "iVBORw0KGgoA" + "QUJD" * 400

Rewrite = Callable[[str], str]


def typed(text: str) -> str:
    """The text, where it is words of a person or a model, with all of it; and images large."""
    return _IMAGE.sub(_LARGE_IMAGE, text) + (_after_it(0) if _is_prose(text) else "")


def masked(text: str) -> str:
    """What must be left of `typed`."""
    return _IMAGE.sub(_left_of_image, text) + (_after_it(1) if _is_prose(text) else "")


def _is_prose(text: str) -> bool:
    # A Python repr is not: what is added after it would not be in it
    return " " in text and not text.startswith(("{", "["))


def _left_of_image(image: re.Match[str]) -> str:
    """Of a data URL the type stays; base64 alone becomes a data URL that tells none."""
    return "" if image.string[: image.start()].endswith("base64,") else "data:;base64,"


def _after_it(column: int) -> str:
    separators = ("\n", "\t", " ", "\u2028", "\r\n", ", ", "—", "\u00a0", ": ", "(", "\U0001f600")
    pieces = [separators[n % len(separators)] + row[column] for n, row in enumerate(PERSONAL)]
    return "".join(f"{piece} {harmless}" for piece, harmless in zip(pieces, _cycle(HARMLESS), strict=False))


def _cycle(items: Sequence[str]) -> Iterator[str]:
    while True:
        yield from items


def rewritten(value: Any, rewrite: Rewrite, *, is_ascii: bool) -> Any:
    """A JSON value with each text in it rewritten, also in JSON text in it, however deep."""
    if isinstance(value, dict):
        return {key: rewritten(item, rewrite, is_ascii=is_ascii) for key, item in value.items()}
    if isinstance(value, list):
        return [rewritten(item, rewrite, is_ascii=is_ascii) for item in value]
    if not isinstance(value, str):
        return value
    held = held_json(value)
    if held is None:
        return rewrite(value)
    return json.dumps(rewritten(held, rewrite, is_ascii=is_ascii), ensure_ascii=is_ascii)


def held_json(text: str) -> Any:
    """The object or list that a text holds as JSON; None where it holds none."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def rewrite_request(
    request: ExportTraceServiceRequest | ExportLogsServiceRequest,
    rewrite: Rewrite,
    *,
    is_ascii: bool = True,
    is_structured: bool = False,
) -> None:
    """Every text of the attributes, log bodies, events and status messages of a request. Where that is asked for, JSON
    text becomes structured, in what the conventions define so."""
    for owner in _messages(request):
        if owner.DESCRIPTOR.name == "Status":
            owner.message = rewrite(owner.message)
        elif owner.DESCRIPTOR.name == "AnyValue" and owner.WhichOneof("value") == "string_value":
            owner.string_value = rewritten(owner.string_value, rewrite, is_ascii=is_ascii)
        elif owner.DESCRIPTOR.name == "AnyValue" and owner.WhichOneof("value") == "bytes_value":
            _rewrite_bytes(owner, rewrite)
    for owner in _messages(request) if is_structured else ():
        if owner.DESCRIPTOR.name == "KeyValue" and owner.key in _STRUCTURED:
            held = held_json(owner.value.string_value)
            if held is not None:
                set_value(owner.value, held)


def _rewrite_bytes(value: Any, rewrite: Rewrite) -> None:
    """As the base64 that they are in JSON; bytes again, unless they are no longer."""
    text = rewrite(base64.b64encode(value.bytes_value).decode())
    if text.startswith("data:"):
        value.string_value = text
    else:
        value.bytes_value = base64.b64decode(text)


def _messages(message: Any) -> list[Any]:
    """A protobuf message and all below it."""
    found = [message]
    for field, held in message.ListFields():
        if field.message_type is not None:
            for item in held if isinstance(held, Sequence) or hasattr(held, "add") else (held,):
                found += _messages(item)
    return found


def set_value(value: Any, held: Any) -> None:
    """A JSON value as OTLP has it structured."""
    match held:
        case None:
            value.Clear()
        case bool():
            value.bool_value = held
        case int():
            value.int_value = held
        case float():
            value.double_value = held
        case str():
            value.string_value = held
        case list():
            value.array_value.SetInParent()
            for item in held:
                set_value(value.array_value.values.add(), item)
        case dict():
            value.kvlist_value.SetInParent()
            for key, item in held.items():
                set_value(value.kvlist_value.values.add(key=key).value, item)
