"""Recorded requests with damages: values replaced, attributes lost, ids and times of any kind, bytes turned over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from tests.hostile.items import Door, Item
from tests.hostile.oddities import IDS, TEXTS, TIMES, odd_value

_INDICES = ("0", "1", "7", "-1", "999999999999", "", "x", "1.0", "٣")


def damaged_requests(folder: Path, chance: Random) -> Iterator[Item]:
    """Without end: the requests of one recorded scenario, with one to four damages, under ids of their own."""
    scenarios = sorted(path.parent for path in folder.glob("*/*/truth.json"))
    while True:
        scenario = chance.choice(scenarios)
        mask = chance.getrandbits(64)
        for path in sorted(scenario.glob("*.pb")):
            name = f"{scenario.parent.name}/{scenario.name}/{path.name}"
            is_logs = path.name.startswith("logs")
            door = Door.LOGS_PROTOBUF if is_logs else Door.TRACES_PROTOBUF
            request = (ExportLogsServiceRequest if is_logs else ExportTraceServiceRequest).FromString(path.read_bytes())
            _rename(request, mask)
            for _ in range(chance.randint(1, 4)):
                chance.choice(_DAMAGES)(request, chance)
            body = request.SerializeToString()
            yield Item(name, door, _turned_over(body, chance) if chance.random() < 0.1 else body)


def _items_of(request: Any) -> list[Any]:
    """The spans or log records of a request."""
    if isinstance(request, ExportLogsServiceRequest):
        return [r for resource in request.resource_logs for scope in resource.scope_logs for r in scope.log_records]
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def _rename(request: Any, mask: int) -> None:
    """Other trace ids, the same for all requests of a scenario: it may have been chosen before."""
    for item in _items_of(request):
        if item.trace_id:
            item.trace_id = (int.from_bytes(item.trace_id, "big") ^ mask).to_bytes(16, "big")


def _damage_value(request: Any, chance: Random) -> None:
    item = _chosen(request, chance)
    events = list(getattr(item, "events", ()))
    place = chance.choice(events) if events and chance.random() < 0.3 else item
    if hasattr(item, "body") and chance.random() < 0.3:
        _set(item.body, odd_value(chance))
    elif place is not None and place.attributes:
        _set(chance.choice(place.attributes).value, odd_value(chance))


def _cut_value(request: Any, chance: Random) -> None:
    item = _chosen(request, chance)
    texts = [pair.value for pair in getattr(item, "attributes", ()) if pair.value.string_value]
    if texts:
        value = chance.choice(texts)
        value.string_value = value.string_value[: chance.randrange(len(value.string_value))]


def _lose_attributes(request: Any, chance: Random) -> None:
    item = _chosen(request, chance)
    if item is not None and item.attributes:
        start = chance.randrange(len(item.attributes))
        del item.attributes[start : start + chance.randint(1, 5)]


def _renumber(request: Any, chance: Random) -> None:
    item = _chosen(request, chance)
    numbered = [pair for pair in getattr(item, "attributes", ()) if any(p.isdigit() for p in pair.key.split("."))]
    if numbered:
        pair, index = chance.choice(numbered), chance.choice(_INDICES)
        pair.key = ".".join(index if part.isdigit() else part for part in pair.key.split("."))


def _damage_times(request: Any, chance: Random) -> None:
    item = _chosen(request, chance)
    for name in ("start_time_unix_nano", "end_time_unix_nano", "time_unix_nano", "observed_time_unix_nano"):
        if hasattr(item, name) and chance.random() < 0.6:
            setattr(item, name, chance.choice(TIMES))


def _damage_ids(request: Any, chance: Random) -> None:
    item = _chosen(request, chance)
    if item is not None:
        setattr(item, chance.choice(("trace_id", "span_id")), bytes.fromhex(chance.choice(IDS)))


def _damage_service(request: Any, chance: Random) -> None:
    for resource in getattr(request, "resource_logs", ()) or getattr(request, "resource_spans", ()):
        if resource.resource.attributes:
            _set(chance.choice(resource.resource.attributes).value, odd_value(chance))


def _damage_names(request: Any, chance: Random) -> None:
    item = _chosen(request, chance)
    for name in ("name", "event_name"):
        if hasattr(item, name):
            setattr(item, name, chance.choice(TEXTS))


_DAMAGES: tuple[Callable[[Any, Random], None], ...] = (
    *(_damage_value, _damage_value, _damage_value, _cut_value, _lose_attributes, _renumber),
    *(_damage_times, _damage_ids, _damage_service, _damage_names),
)


def _chosen(request: Any, chance: Random) -> Any:
    items = _items_of(request)
    return chance.choice(items) if items else None


def _set(value: AnyValue, new: Any) -> None:
    value.Clear()
    if isinstance(new, bool):
        value.bool_value = new
    elif isinstance(new, int):
        value.int_value = new
    elif isinstance(new, float):
        value.double_value = new
    elif isinstance(new, str):
        value.string_value = new
    elif isinstance(new, list):
        value.array_value.SetInParent()
        for item in new:
            _set(value.array_value.values.add(), item)
    elif isinstance(new, dict):
        value.kvlist_value.SetInParent()
        for key, item in new.items():
            _set(value.kvlist_value.values.add(key=key).value, item)


def _turned_over(body: bytes, chance: Random) -> bytes:
    """The body with a few bytes changed, as far as it is still OTLP."""
    changed = bytearray(body)
    for _ in range(chance.randint(1, 3)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    try:
        ExportTraceServiceRequest.FromString(bytes(changed))
    except DecodeError:
        return body
    return bytes(changed)
