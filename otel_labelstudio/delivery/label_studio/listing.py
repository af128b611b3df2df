"""Lists that a server gives in pages, and the queries that select from its tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from otel_labelstudio.delivery.label_studio.limits import MAX_PAGES
from otel_labelstudio.delivery.label_studio.records import number
from otel_labelstudio.errors import RetryableDeliveryError

if TYPE_CHECKING:
    from otel_labelstudio.delivery.label_studio.connection import Connection

_PAGE_SIZE = 1000


def pages(
    connection: Connection, path: str, params: Mapping[str, str | int], *, items: str, total: str
) -> list[Mapping[str, Any]]:
    """All records of a list, which is ordered by id; ``items`` and ``total`` are the keys that a page has them under.

    A page that holds nothing new is an error, as is a list without an end, or one that ends before its total: a call
    that is not found because somebody deleted tasks meanwhile would be stored again.
    """
    found: dict[int, Mapping[str, Any]] = {}
    for page in range(1, MAX_PAGES + 1):
        answer = connection.request("GET", path, {**params, "page": page, "page_size": _PAGE_SIZE})
        known = len(found)
        found |= {number(record["id"]): record for record in answer[items]}
        if len(found) >= number(answer[total]):
            return [found[record_id] for record_id in sorted(found)]
        if len(found) == known:
            raise RetryableDeliveryError(f"page {page} of a list has nothing that the pages before it did not have")
    raise RetryableDeliveryError(f"a list has more than {MAX_PAGES} pages")


def task_params(
    project_id: int, conditions: Sequence[Mapping[str, Any]], order: str, include: str
) -> dict[str, str | int]:
    """The parameters of a search for tasks that meet all conditions; ``include`` names the fields to answer with."""
    query = {"filters": {"conjunction": "and", "items": list(conditions)}, "ordering": [order]}
    return {"project": project_id, "query": json.dumps(query), "include": include}


def condition(name: str, operator: str, kind: str, value: object) -> dict[str, Any]:
    """What a column of the Data Manager must be."""
    return {"filter": f"filter:tasks:{name}", "operator": operator, "type": kind, "value": value}
