"""Media in a user's message, as OpenAI's content parts."""

from __future__ import annotations

from typing import Any

from otel_labelstudio.annotations.datasets.left_out import LeftOut, RowLeftOutError
from otel_labelstudio.calls import BlobPart, FilePart, UriPart

MediaPart = BlobPart | UriPart | FilePart


def content_part(part: MediaPart) -> dict[str, Any]:
    """One content part; media that is not in the telemetry, or of a kind that has no such part, is a reason."""
    match part:
        case BlobPart(modality="image", content=data) if data:
            return {"type": "image_url", "image_url": {"url": _data_url(part)}}
        case UriPart(modality="image"):
            return {"type": "image_url", "image_url": {"url": part.uri}}
        case BlobPart(modality="audio", content=data) if data:
            return {"type": "input_audio", "input_audio": {"data": data, "format": _audio_format(part.mime_type)}}
        case BlobPart(content=data) if data and part.mime_type == "application/pdf":
            return {"type": "file", "file": {"filename": "document.pdf", "file_data": _data_url(part)}}
        case FilePart():
            return {"type": "file", "file": {"file_id": part.file_id}}
    raise RowLeftOutError(LeftOut.MEDIA)


def _data_url(part: BlobPart) -> str:
    return f"data:{part.mime_type or 'image/png'};base64,{part.content}"


def _audio_format(mime_type: str | None) -> str:
    return "mp3" if mime_type in ("audio/mpeg", "audio/mp3") else "wav"
