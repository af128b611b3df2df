"""Lists that a server gives in pages, and the queries that select from its tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any

from otel_labelstudio.delivery.label_studio.limits import MAX_PAGES
from otel_labelstudio.delivery.label_studio.records import number
from otel_labelstudio.errors import RetryableDeliveryError

if TYPE_CHECKING:
    from otel_labelstudio.delivery.label_studio.connection import Connection

_PAGE_SIZE = 1000


def pages(
    connection: Connection,
    path: str,
    params: Mapping[str, str | int],
    *,
    items: str,
    total: str,
    others: Set[str] = frozenset(),
) -> list[Mapping[str, Any]]:
    """All records of a list, which is ordered by id; ``items`` and ``total`` are the keys that a page has them under,
    ``others`` what else an empty one has. Raises LookupError, TypeError or ValueError for an answer that is no such
    page: it is not taken for an empty list.

    A page that holds nothing new is an error, as is a list without an end, or one that ends before its total: a call
    that is not found because somebody deleted tasks meanwhile would be stored again.
    """
    found: dict[int, Mapping[str, Any]] = {}
    for page in range(1, MAX_PAGES + 1):
        answer = connection.request("GET", path, {**params, "page": page, "page_size": _PAGE_SIZE})
        known = len(found)
        records, expected = _page(answer, items, total, others)
        found |= {number(record["id"]): record for record in records}
        if len(found) >= expected:
            return [found[record_id] for record_id in sorted(found)]
        if len(found) == known:
            raise RetryableDeliveryError(f"page {page} of a list has nothing that the pages before it did not have")
    raise RetryableDeliveryError(f"a list has more than {MAX_PAGES} pages")


def _page(answer: Any, items: str, total: str, others: Set[str]) -> tuple[list[Mapping[str, Any]], int]:
    """The records of a page, and how many the whole list has."""
    records, expected = answer[items], number(answer[total])
    is_whole = bool(records) or others <= answer.keys()  # an empty list is believed only if nothing of it is missing
    if not isinstance(records, list) or expected < 0 or not is_whole:
        raise TypeError("no page of a list")
    return records, expected


def task_params(
    project_id: int, conditions: Sequence[Mapping[str, Any]], order: str, include: str
) -> dict[str, str | int]:
    """The parameters of a search for tasks that meet all conditions; ``include`` names the fields to answer with."""
    query = {"filters": {"conjunction": "and", "items": list(conditions)}, "ordering": [order]}
    return {"project": project_id, "query": json.dumps(query), "include": include}


def condition(name: str, operator: str, kind: str, value: object) -> dict[str, Any]:
    """What a column of the Data Manager must be."""
    return {"filter": f"filter:tasks:{name}", "operator": operator, "type": kind, "value": value}
