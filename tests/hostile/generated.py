"""All hostile items from one seed, in an order drawn from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from random import Random

from tests.hostile.applications import odd_sdk_items
from tests.hostile.items import Door, Item
from tests.hostile.oddities import ODD_ENCODINGS
from tests.hostile.recorded import damaged_requests
from tests.hostile.records import odd_records
from tests.hostile.spans import odd_spans

SEED = int(os.environ.get("HOSTILE_SEED", "1"))
# Of each kind that is drawn and not listed
ITEMS = int(os.environ.get("HOSTILE_ITEMS", "400"))


def markers() -> Iterator[str]:
    """Each stands in the answer of one call."""
    return map("marker-{:06d}".format, count(1))


def listed(new_markers: Iterator[str]) -> list[Item]:
    """Every oddity that was seen or thought of."""
    return [*odd_spans(new_markers), *odd_records(new_markers), *odd_sdk_items(new_markers)]


def generated(folder: Path, seed: int = SEED, drawn: int = ITEMS) -> list[Item]:
    """What is listed, and as many recorded requests with damages as are asked for."""
    chance = Random(seed)
    items = [*listed(markers()), *islice(damaged_requests(folder, chance), drawn)]
    chance.shuffle(items)
    return [_encoded(item, chance) for item in items]


def _encoded(item: Item, chance: Random) -> Item:
    """Some senders compress, and write the header in their own way."""
    if item.door in (Door.SPANS, Door.LOG_RECORDS) or chance.random() < 0.8:
        return item
    return replace(item, content_encoding=chance.choice(ODD_ENCODINGS))
