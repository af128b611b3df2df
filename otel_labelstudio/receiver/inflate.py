"""Compressed bodies, inflated piece by piece, so that a bomb never takes more than the limit."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from enum import Enum

from otel_labelstudio.errors import DecodeError
from otel_labelstudio.receiver.status import Outcome, RefusedError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# What HTTP lets stand around a header's value (RFC 9110, "OWS"), and no other white space
OPTIONAL_WHITE_SPACE = b" \t"


class ContentEncoding(str, Enum):
    """How a body is compressed; the values are the names in HTTP."""

    IDENTITY = "identity"
    GZIP = "gzip"
    DEFLATE = "deflate"
    ZSTD = "zstd"

    @classmethod
    def of_header(cls, value: bytes) -> ContentEncoding:
        """The encoding that ``Content-Encoding`` names; none for an empty value. Raises `RefusedError` for another."""
        name = value.strip(OPTIONAL_WHITE_SPACE).lower()
        encoding = _ENCODINGS_BY_NAME.get(name)
        if encoding is None:
            raise RefusedError(Outcome.CONTENT_ENCODING, f"content encodings are {', '.join(COMPRESSIONS)}, identity")
        return encoding


COMPRESSIONS = tuple(encoding.value for encoding in ContentEncoding if encoding is not ContentEncoding.IDENTITY)
_ENCODINGS_BY_NAME = {
    **{encoding.value.encode(): encoding for encoding in ContentEncoding},
    b"": ContentEncoding.IDENTITY,
    b"x-gzip": ContentEncoding.GZIP,  # RFC 9110: the same
}

_PIECE = 256 * 1024
# zlib's window bits: with a gzip header, with a zlib header, with none
_GZIP, _ZLIB, _RAW = 31, 15, -15
# RFC 9659: senders may ask for windows of 8 MiB, and for no more
_ZSTD_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}

_Reserve = Callable[[int], None]


def inflated(body: bytes, encoding: ContentEncoding, max_bytes: int, reserve: _Reserve) -> bytes:
    """The body without its content encoding; ``reserve`` is told before more memory is taken.

    Raises `RefusedError` for more than ``max_bytes``, `DecodeError` for a damaged body.
    """
    if encoding is ContentEncoding.IDENTITY:
        return body
    return _joined(_pieces(body, encoding, reserve), max_bytes)


def _pieces(body: bytes, encoding: ContentEncoding, reserve: _Reserve) -> Iterator[bytes]:
    if encoding is ContentEncoding.ZSTD:
        return _zstd_pieces(body, reserve)
    if encoding is ContentEncoding.GZIP:
        return _zlib_pieces(body, _GZIP, reserve)
    # RFC 9110 means zlib's format, some senders none
    return _zlib_pieces(body, _ZLIB if _has_zlib_header(body) else _RAW, reserve)


def _has_zlib_header(body: bytes) -> bool:
    return len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0


def _joined(pieces: Iterator[bytes], max_bytes: int) -> bytes:
    kept: list[bytes] = []
    size = 0
    try:
        for piece in pieces:
            size += len(piece)
            if size > max_bytes:
                raise RefusedError(Outcome.TOO_LARGE, f"the inflated body is larger than {max_bytes} bytes")
            kept.append(piece)
    except (zlib.error, zstd.ZstdError):
        raise DecodeError("the compressed body is damaged") from None
    return b"".join(kept)


def _zlib_pieces(body: bytes, window_bits: int, reserve: _Reserve) -> Iterator[bytes]:
    rest = body
    while rest:  # gzip members may follow each other
        stream = zlib.decompressobj(window_bits)
        while not stream.eof:
            reserve(_PIECE)
            piece = stream.decompress(rest, _PIECE)
            rest = stream.unconsumed_tail
            if not (piece or rest or stream.eof):
                raise DecodeError("the compressed body is cut off")
            yield piece
        rest = stream.unused_data if window_bits == _GZIP else b""


def _zstd_pieces(body: bytes, reserve: _Reserve) -> Iterator[bytes]:
    rest = body
    while rest:  # so may zstd frames
        stream = zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
        while not stream.eof:
            reserve(_PIECE)
            piece = stream.decompress(rest, _PIECE)
            rest = b""  # the stream has it
            if not piece and stream.needs_input and not stream.eof:
                raise DecodeError("the compressed body is cut off")
            yield piece
        rest = stream.unused_data
