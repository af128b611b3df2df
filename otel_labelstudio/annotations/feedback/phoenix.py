"""Phoenix: annotations of spans. They are overwritten by name, span and identifier, and can be deleted by identifier.

A request is answered when it was carried out (``sync``): asynchronously, Phoenix says 200 and drops what is about spans
that it does not have. It refuses a whole batch for one such span, whose id it names; the others are then sent again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from otel_labelstudio.annotations.feedback.evaluation import CORRECTION, Evaluation
from otel_labelstudio.annotations.feedback.http import Answer, BackEnd
from otel_labelstudio.annotations.feedback.sink import Result, Sent, SinkOptions, in_smaller_parts
from otel_labelstudio.errors import PausedDeliveryError

NAME = "phoenix"
_API_KEY = "PHOENIX_API_KEY"
_ADDRESSES = ("PHOENIX_COLLECTOR_ENDPOINT",)
CREDENTIALS = (_API_KEY, *_ADDRESSES)
_DEFAULT_ENDPOINT = "http://localhost:6006"
# phoenix, src/phoenix/server/api/routers/v1/spans.py and annotations.py
_ANNOTATIONS = "/v1/span_annotations"
_PROJECTS = "/v1/projects"
_RESERVED_NAME = "note"
_UNKNOWN_SPAN = "Phoenix does not have the span"
_MAX_PROJECT_PAGES = 1_000
# What an answer that is no page of Phoenix's does to the code that reads it
_NO_PAGE = (TypeError, LookupError, AttributeError)


class PhoenixSink:
    batch_size = 100
    can_delete = True
    needs_span = True

    def __init__(self, back_end: BackEnd) -> None:
        self.target = f"{NAME} {back_end.url}"
        self._back_end = back_end

    def items(self, evaluation: Evaluation) -> tuple[Evaluation, ...]:
        return (evaluation,)

    def send(self, items: Sequence[Evaluation]) -> Iterator[Sequence[Result]]:
        reserved = [item for item in items if item.name == _RESERVED_NAME]
        why = f'Phoenix reserves the name "{_RESERVED_NAME}"; rename it with --names {_RESERVED_NAME}=...'
        yield [Result(item.key, refused=why) for item in reserved]
        yield from in_smaller_parts([item for item in items if item.name != _RESERVED_NAME], self._post)

    def delete(self, sent: Sequence[Sent]) -> Iterator[Sequence[Result]]:
        """In all projects: which one holds the span, only Phoenix knows, and the identifier is of one annotation."""
        projects = self._project_ids()
        for one in sent:
            refusals = [why for project in projects if (why := self._deleted_in(project, one))]
            yield [Result(one.key, refused=refusals[0] if refusals else None)]

    def close(self) -> None:
        self._back_end.close()

    def _post(self, items: Sequence[Evaluation]) -> Sequence[Result] | str:
        body = json.dumps({"data": [_annotation(item) for item in items]}).encode()
        answer = self._back_end.request("POST", _ANNOTATIONS, body, params={"sync": "true"})
        if answer.is_success:
            return [Result(item.key) for item in items]
        if answer.status in (404, 405):
            return self._of_unknown_spans(items, answer.body.decode(errors="replace"))
        return f"HTTP status {answer.status}"

    def _of_unknown_spans(self, items: Sequence[Evaluation], said: str) -> Sequence[Result]:
        """Those whose spans Phoenix names as missing are refused; the others have no result yet."""
        unknown = [Result(item.key, refused=_UNKNOWN_SPAN) for item in items if item.span_id in said]
        if not unknown:
            raise PausedDeliveryError(f"there is no Phoenix at {self._back_end.url}; check --endpoint")
        return unknown

    def _deleted_in(self, project: str, one: Sent) -> str | None:
        """None where it is gone, or was never there."""
        path = f"{_PROJECTS}/{quote(project, safe='')}/span_annotations"
        # Only together with the name and the key does delete_all mean one annotation, in whatever time it was made
        one_alone = {"name": one.name, "identifier": one.key, "annotator_kind": "HUMAN", "delete_all": "true"}
        answer = self._back_end.request("DELETE", path, params=one_alone)
        return None if answer.is_success else f"HTTP status {answer.status} (Phoenix deletes since 15.4)"

    def _project_ids(self) -> list[str]:
        """All of them: what is not looked for in each would be said to be deleted, and still be there."""
        ids: list[str] = []
        cursor: dict[str, str] = {}
        for _ in range(_MAX_PROJECT_PAGES):
            found, after = _project_page(self._back_end.request("GET", _PROJECTS, params=cursor))
            ids += found
            if after is None:
                return ids
            cursor = {"cursor": after}
        raise PausedDeliveryError(f"{self._back_end.url} lists projects without an end")


def open_sink(options: SinkOptions) -> PhoenixSink:
    key = options.credentials.get(_API_KEY)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    url = options.address(*_ADDRESSES, default=_DEFAULT_ENDPOINT)
    return PhoenixSink(BackEnd(url, headers, options.timeout_s, _API_KEY))


def _project_page(answer: Answer) -> tuple[list[str], str | None]:
    """The ids on a page of projects, and where the next one begins."""
    page: Any = answer.json() if answer.is_success else None
    try:
        return [str(project["id"]) for project in page["data"]], page.get("next_cursor") or None
    except _NO_PAGE:
        raise PausedDeliveryError("the list of projects is not as Phoenix gives it; check --endpoint") from None


def _annotation(item: Evaluation) -> dict[str, Any]:
    result = {"score": item.score, "label": item.label, "explanation": item.explanation}
    text = {} if item.corrected is None else {CORRECTION: item.corrected}
    return {
        "span_id": item.span_id,
        "name": item.name,
        "annotator_kind": "HUMAN",
        "result": {name: value for name, value in result.items() if value is not None},
        "metadata": {**item.facts, **text},
        "identifier": item.key,
    }
