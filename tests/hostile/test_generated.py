"""The generator itself: what it makes is hostile, is taken by its door, and is the same for the same seed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from otel_labelstudio.errors import DecodeError
from otel_labelstudio.spans.from_otlp import count_log_records, count_spans, from_json
from tests.hostile.generated import generated, listed, markers
from tests.hostile.items import Door, Item

MARKER = re.compile(rb"marker-\d{6}")


def is_taken(item: Item) -> bool:
    """Whether a receiver would answer this body with 200."""
    try:
        if item.door is Door.TRACES_PROTOBUF:
            count_spans(item.content)
        elif item.door is Door.LOGS_PROTOBUF:
            count_log_records(item.content)
        else:
            from_json(item.content)
    except DecodeError:
        return False
    return True


def over_otlp(items: list[Item]) -> list[Item]:
    return [item for item in items if isinstance(item.content, bytes)]


def test_a_seed_gives_the_same_items_each_time(corpus: Path) -> None:
    """A failure can be repeated; another seed gives others."""
    first, again, other = (over_otlp(generated(corpus, seed, 50)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_what_is_sent_is_taken(corpus: Path) -> None:
    """What a door refuses proves nothing of what comes behind it; a few nested too deeply are refused."""
    items = over_otlp(generated(corpus, 1, 200))
    refused = [item.name for item in items if not is_taken(item)]
    assert len(refused) < 5, refused
    assert len(items) > 1500


def test_every_door_gets_many(corpus: Path) -> None:
    """None is left to the others."""
    doors = Counter(item.door for item in generated(corpus, 1, 200))
    assert set(doors) == set(Door)
    assert min(doors.values()) > 50


def test_a_marker_stands_in_one_item_alone() -> None:
    """Otherwise a call could be taken for another one."""
    items = listed(markers())
    given = Counter(marker for item in items for marker in item.markers)
    assert set(given.values()) == {1}
    found = Counter(marker for item in over_otlp(items) for marker in set(MARKER.findall(item.content)))
    assert set(found.values()) == {1}
