"""Recordings: what fails on one of their items costs that item alone, and is counted."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from otel_labelstudio.dialects import SkipReason
from otel_labelstudio.recordings import RecordedCalls, Recording, read_recording
from otel_labelstudio.settle import fold, fold_recorded, recorded
from otel_labelstudio.settle.held import HeldGroups
from otel_labelstudio.settle.log_records import Joined
from otel_labelstudio.spans.model import Scope
from tests.hostile.all_kinds import dialogue, numbers_of, record, said, span

_SECOND_NS = 10**9
NOWHERE: dict[str, Any] = {"trace_id": "", "span_id": ""}
SPANS = [span(number, said(number)) for number in (1, 2, 3)]


def numbers(calls: RecordedCalls) -> list[int]:
    return sorted(number for call in calls.calls for number in numbers_of(call))


def fail_on(
    monkeypatch: pytest.MonkeyPatch, where: ModuleType | type, name: str, is_to_blame: Callable[..., bool]
) -> None:
    """A function raises what nobody foresaw, for some of its arguments."""
    work = getattr(where, name)

    def fail(*arguments: Any, **named: Any) -> Any:
        return 1 // 0 if is_to_blame(*arguments) else work(*arguments, **named)

    monkeypatch.setattr(where, name, fail)


def is_second(one: Any, *_: Any) -> bool:
    return bool(one.trace_id == f"{2:032x}")


@pytest.mark.parametrize(
    ("where", "name"),
    [(recorded, "read"), (fold_recorded, "with_valid_ids"), (fold, "fingerprints")],
    ids=["read", "with_valid_ids", "compared"],
)
def test_one_span_costs_itself_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, where: ModuleType, name: str
) -> None:
    """Wherever that fails; the log says of which type the error is."""
    fail_on(monkeypatch, where, name, is_second)
    found = read_recording(Recording(SPANS, []))
    assert numbers(found) == [1, 3]
    assert found.skipped == {SkipReason.FAULT: 1}
    (message,) = caplog.messages
    assert "ZeroDivisionError" in message


def test_one_log_record_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at before anything is held."""
    fail_on(monkeypatch, recorded, "is_content_event", is_second)
    found = read_recording(Recording(SPANS, [*dialogue(2), *dialogue(4)]))
    assert numbers(found) == [1, 2, 3, 4]
    assert found.skipped == {SkipReason.FAULT: 2}


def test_one_span_that_waits_for_log_records_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the records that came for it."""
    fail_on(monkeypatch, Joined, "read", lambda joined: is_second(joined.span))
    records = [record for number in (1, 2, 3) for record in dialogue(number)]
    found = read_recording(Recording([span(1), span(2), span(3)], records))
    assert numbers(found) == [1, 3]
    assert found.skipped == {SkipReason.FAULT: 3}


def test_what_cannot_be_written_down_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the records by themselves fails, which says by what else the call is known."""
    fail_on(monkeypatch, Joined, "told", lambda joined: is_second(joined.span))
    records = [record for number in (1, 2, 3) for record in dialogue(number)]
    found = read_recording(Recording([], records))
    assert numbers(found) == [1, 3]
    assert found.skipped == {SkipReason.FAULT: 1}


def test_a_dialogue_of_no_span_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at once, and counted."""
    looked_at = 0
    decide = HeldGroups.decide

    def counted(*arguments: Any) -> Any:
        nonlocal looked_at
        looked_at += 1
        return decide(*arguments)

    monkeypatch.setattr(HeldGroups, "decide", counted)
    fail_on(monkeypatch, Joined, "read", lambda joined: "number 2?" in str(joined.log_records))
    records = [one for number in (1, 2, 3) for one in dialogue(number, **NOWHERE, scope=Scope(f"of {number}"))]
    found = read_recording(Recording([], records))
    assert numbers(found) == [1, 3]
    assert found.skipped == {SkipReason.FAULT: 2}
    assert looked_at == 1


@pytest.mark.parametrize("ids", [NOWHERE, {"trace_id": "f" * 32, "span_id": "f" * 16}], ids=["none", "application's"])
def test_many_dialogues_outside_of_their_spans_context_stay_whole(ids: dict[str, Any]) -> None:
    """More log records than are looked at together live, of which the oldest and the newest would cut a dialogue."""
    records = [record(0, "gen_ai.system.message", body={"content": "Be brief."}, time_unix_nano=0, **ids)]
    for number in range(1, 1204):
        records += dialogue(number, time_unix_nano=number * _SECOND_NS, **ids)
    found = read_recording(Recording([], records[:-1])).calls
    assert [numbers_of(call) for call in found] == [{number} for number in range(1, 1203)]
    assert [len(call.input_messages) for call in found] == [2, *[1] * 1201]
