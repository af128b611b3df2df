"""Whatever a door takes: each call is delivered, a dead letter, or counted, and the next ordinary one is delivered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.damage import damage_rows
from tests.hostile.generated import SEED, generated
from tests.hostile.items import Door, Item
from tests.hostile.oddities import NOW_NS, YEAR_NS
from tests.hostile.otlp_json import any_value, chat, logs, record, traces
from tests.hostile.stages import Stages

# After so many items, an ordinary call must be delivered, and all that is due with it
CHUNK = 250
RECORDS = (Door.LOGS_JSON, Door.LOGS_PROTOBUF, Door.LOG_RECORDS)


@pytest.fixture
def opened() -> Iterator[Callable[..., Stages]]:
    """Makes stages, and closes them at the end."""
    made: list[Stages] = []

    def make(outbox: Path | None = None, **settings: Any) -> Stages:
        made.append(Stages(outbox, **settings))
        return made[-1]

    yield make
    for stages in made:
        stages.close()


@pytest.fixture(scope="module")
def items(corpus: Path) -> list[Item]:
    print(f"HOSTILE_SEED={SEED}")
    return generated(corpus)


def chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk


def hand_in(
    stages: Stages, items: Sequence[Item], ordinary: Iterator[str], then: Callable[[], object] = bool
) -> list[str]:
    """All items, and after each chunk of them ``then``, and an ordinary call; what went wrong."""
    wrong = []
    for number, chunk in enumerate(chunks(items)):
        for item in chunk:
            try:
                stages.accept(item)
            except Exception as error:  # noqa: PERF203
                wrong.append(f"{item} raised {type(error).__name__}")
        then()
        wrong += wrong_after(stages, f"chunk {number}", ordinary)
        if wrong:
            break
    return wrong


def wrong_after(stages: Stages, what: str, ordinary: Iterator[str]) -> list[str]:
    """What is wrong with an ordinary call that comes after something."""
    marker = next(ordinary)
    stages.ask(marker)
    if not stages.wait_for(marker):
        return [f"the ordinary call after {what} is not delivered"]
    return [] if stages.catch_up() else [f"something of {what} is due and is not delivered"]


def unaccounted(stages: Stages, items: Sequence[Item]) -> list[str]:
    """The valid calls of which nobody can say what became of them, or that were delivered more than once."""
    delivered, dead = stages.delivered(), stages.dead()
    wrong = [f"{item} is there twice" for item in items if any(delivered[marker] > 1 for marker in item.markers)]
    left = [item for item in items for marker in item.markers if marker not in delivered and marker not in dead]
    wrong += [f"{item} is lost" for item in left if item.door not in RECORDS and not stages.counted[item.markers[0]]]
    # What becomes of records is counted when they have waited for their span
    records = [item for item in left if item.door in RECORDS and not stages.counted[item.markers[0]]]
    if len(records) > stages.counted_later().total():
        wrong += [f"{item} may be lost" for item in records]
    return wrong


@pytest.fixture
def ordinary() -> Iterator[str]:
    return map("ordinary-{:06d}".format, count(900_000))


def test_every_call_is_accounted_for(opened: Callable[..., Stages], items: list[Item], ordinary: Iterator[str]) -> None:
    """Delivered once, a dead letter, or counted with its reason; nothing waits for ever, and nothing raises."""
    stages = opened()
    assert hand_in(stages, items, ordinary) == []
    assert stages.finish(), "something waits for ever"
    assert unaccounted(stages, items) == []
    assert stages.unbalanced() == 0
    # Most are calls whatever is odd about them
    assert stages.delivered().total() > 1200


def test_nothing_of_it_is_lost_across_restarts(
    opened: Callable[..., Stages], items: list[Item], ordinary: Iterator[str], tmp_path: Path
) -> None:
    """The same with an outbox in a file, closed before anything of a chunk is delivered and opened again."""
    stages, some = opened(tmp_path / "calls.outbox"), items[::6]
    assert hand_in(stages, some, ordinary, then=stages.reopen) == []
    assert stages.finish(), "something waits for ever"
    assert unaccounted(stages, some) == []
    assert stages.unbalanced() == 0


def test_damaged_rows_cost_themselves_alone(
    opened: Callable[..., Stages], items: list[Item], ordinary: Iterator[str], tmp_path: Path
) -> None:
    """Whatever a disk or another version has made of what an outbox holds, it ends, and the next call is delivered."""
    outbox = tmp_path / "calls.outbox"
    stages = opened(outbox)
    for item in items[::20]:
        stages.accept(item)
    stages.close()
    assert damage_rows(outbox) > 60
    stages.reopen()
    assert wrong_after(stages, "the damage", ordinary) == []
    assert stages.finish(), "something waits for ever"
    assert stages.unbalanced() == 0


@pytest.mark.parametrize("at_ns", [NOW_NS, NOW_NS + 73 * YEAR_NS], ids=["of now", "of the future"])
def test_an_ordinary_call_behind_many_records_without_their_spans(
    opened: Callable[..., Stages], ordinary: Iterator[str], at_ns: int
) -> None:
    """Five thousand messages whose spans do not come hold up nobody, and do not stay for ever."""
    stages = opened()
    for request in range(5):
        records = [_message(request * 1000 + number, at_ns) for number in range(1000)]
        stages.accept(Item("messages", Door.LOGS_JSON, json.dumps(logs(*records)).encode()))
    assert wrong_after(stages, "the records", ordinary) == []
    assert stages.finish(), "something waits for ever"


def test_thousands_of_services(opened: Callable[..., Stages], ordinary: Iterator[str]) -> None:
    """Each may have a project of its own: the calls of all of them are delivered, and of whoever comes after them."""
    stages = opened(project_name="{service.name}")
    chats = {f"marker-{number:06d}": f"service {number}\x1b" for number in range(1, 2001)}
    resources = [traces(chat(marker), service=name)["resourceSpans"][0] for marker, name in chats.items()]
    stages.accept(Item("services", Door.TRACES_JSON, json.dumps({"resourceSpans": resources}).encode()))
    assert wrong_after(stages, "the services", ordinary) == []
    delivered = stages.delivered()
    assert {marker: delivered[marker] for marker in chats} == dict.fromkeys(chats, 1)


def _message(number: int, at_ns: int) -> dict[str, Any]:
    return record(
        f"marker-{number + 1:06d}",
        "gen_ai.user.message",
        body=any_value({"content": f"question {number}"}),
        timeUnixNano=str(at_ns),
    )
