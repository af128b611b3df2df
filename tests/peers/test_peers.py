"""What each peer put on the wire, compared with what is read from its telemetry, field by field."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import pytest

from otel_labelstudio import dialects
from otel_labelstudio.calls import CallKey, LLMCall
from otel_labelstudio.dialects import Skip
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.recordings import decode_files
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink
from tests.peers.facts import Facts, read
from tests.peers.forms import FORMS, WITHOUT_CONTENT, Form
from tests.peers.losses import Loss, texts_of
from tests.peers.recording import Recorded, record_application, record_gateway
from tests.peers.scenarios import ANSWERED, Scenario
from tests.peers.wire import sent

# The first that needs a peer installs it, and each form of the gateway starts it anew
pytestmark = pytest.mark.slow

Recordings = Callable[[Form], Recorded]

ANSWERED_BY_FORM = [
    pytest.param(form, scenario, id=f"{form.name}: {scenario.name}") for form in FORMS for scenario in form.answered
]
BY_FORM = [pytest.param(form, id=form.name) for form in FORMS]
# Of a text that is lost, what would be found in any of the ways in which telemetry writes texts
_PLAIN = re.compile(r"[A-Za-z0-9 .:_-]{10,}")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    """Runs a form of a peer, once."""

    @cache
    def recorded(name: str) -> Recorded:
        (form,) = (form for form in (*FORMS, *WITHOUT_CONTENT) if form.name == name)
        directory: Path = tmp_path_factory.mktemp("peer")
        if form.peer == "litellm":
            return record_gateway(form.environment, form.scenarios, directory)
        return record_application(form.peer, form.environment, form.scenarios, directory)

    return lambda form: recorded(form.name)


@pytest.mark.parametrize(("form", "scenario"), ANSWERED_BY_FORM)
def test_what_is_read_is_what_went_over_the_wire(form: Form, scenario: Scenario, recordings: Recordings) -> None:
    """Roles, texts, tool calls and results, answers, tools, models, usage, parameters: all but what the peer loses.

    A call is marked as incomplete only where something of its input was lost.
    """
    recorded = recordings(form)
    (exchange,) = recorded.exchanges[scenario.trace_id]
    on_the_wire = sent(exchange)
    expected = _after(form.losses_of(scenario), on_the_wire)
    calls = [call for call in recorded.calls if call.trace_id == scenario.trace_id]
    if expected is None:
        assert calls == []
        return
    (call,) = calls
    found = _without_unsaid_reasons(read(call), expected)
    for field in fields(Facts):
        assert getattr(found, field.name) == getattr(expected, field.name), field.name
    assert not call.incomplete or expected.input != on_the_wire.input


@pytest.mark.parametrize(("form", "scenario"), ANSWERED_BY_FORM)
def test_what_is_lost_stands_nowhere(form: Form, scenario: Scenario, recordings: Recordings) -> None:
    """No loss excuses us from reading what the telemetry has; each takes something away."""
    recorded = recordings(form)
    (exchange,) = recorded.exchanges[scenario.trace_id]
    before: Facts = sent(exchange)
    telemetry = recorded.text_of(scenario.trace_id)
    for loss in form.losses_of(scenario):
        after = loss.change(before) if loss.change else replace(before, output=[])
        assert repr(after) != repr(before), f"{loss.reason}: there is nothing of it here"
        kept = "\n".join(texts_of(after))
        lost = {text for whole in texts_of(before) for text in _PLAIN.findall(whole) if text not in kept}
        assert loss.stands_in or not {text for text in lost if text in telemetry}, loss.reason
        before = after


@pytest.mark.parametrize("form", BY_FORM)
def test_there_is_no_call_but_those_that_were_answered(form: Form, recordings: Recordings) -> None:
    """Calls that failed and embeddings give none, and no call comes twice."""
    answered = {scenario.trace_id for scenario in form.answered}
    found = [call.trace_id for call in recordings(form).calls]
    assert sorted(found) == sorted(set(found) & answered)


@pytest.mark.parametrize("form", BY_FORM)
def test_the_outbox_delivers_what_the_files_give(form: Form, recordings: Recordings) -> None:
    """Request by request, as the peer has sent them, before any of them settles."""
    recorded = recordings(form)
    sink = RecordingSink()
    pipeline = Pipeline(Settings.resolve({"settle_s": 3600, "mode": "auto"}, needs_server=False), sink=sink)
    pipeline.joins_log_records = True
    for request in map(decode_files, recorded.files):
        pipeline.accept_spans(request.spans)
        pipeline.accept_log_records(request.log_records)
    assert pipeline.close(60)
    assert sorted(sink.calls, key=_key) == sorted(recorded.calls, key=_key)


@pytest.mark.parametrize("form", [pytest.param(form, id=form.name) for form in WITHOUT_CONTENT])
def test_without_content_there_is_no_call_and_we_say_how_to_have_it(form: Form, recordings: Recordings) -> None:
    """The hint names the switch of that producer."""
    recorded = recordings(form)
    assert recorded.calls == []
    readings = list(map(dialects.read, recorded.telemetry.spans))
    hints = {reading.hint for reading in readings if isinstance(reading, Skip) and reading.hint}
    assert len(hints) == 1
    assert form.hint in hints.pop()


def test_losses_are_of_scenarios_that_there_are() -> None:
    """None is left over from a scenario that has another name now."""
    names = {scenario.name for scenario in ANSWERED}
    assert {name for form in FORMS for loss in form.losses for name in loss.scenarios} <= names


def _key(call: LLMCall) -> CallKey:
    return call.key


def _after(losses: list[Loss], facts: Facts) -> Facts | None:
    for loss in losses:
        if loss.change is None:
            return None
        facts = loss.change(facts)
    return facts


def _without_unsaid_reasons(found: Facts, expected: Facts) -> Facts:
    """A response of the Responses API does not say why it ended; some peers make a reason up."""
    if any(each["finish_reason"] for each in expected.output):
        return found
    return replace(found, output=[{**each, "finish_reason": None} for each in found.output])
