"""Scripts write annotations and people edit exports: whatever they did, a task is read and judged, or says why not."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_labelstudio.annotations.collecting.controls import controls_of
from otel_labelstudio.annotations.collecting.tasks import task_of
from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.records import AnnotatedProject, AnnotatedTask, Control, JudgedCall
from otel_labelstudio.tasks.layouts import Layout, layout_label_config
from tests.annotations.outcomes import CUSTOM

RECORDED = [json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "recorded").glob("*.json"))]
TASKS = [task for found in RECORDED for task in found["tasks"].values()]
PROJECT = AnnotatedProject(1, controls=controls_of(CUSTOM))
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "text", "rank"]), inner),
    max_leaves=4,
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a JSON value, with each of its keys or indexes."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from places(value[key])


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=300)
@given(st.sampled_from(TASKS), st.lists(st.tuples(st.integers(0, 10**6), ANYTHING), min_size=1, max_size=3))
def test_any_damage_is_survived(task: Any, damages: list[tuple[int, Any]]) -> None:
    """At any place, by anything that JSON can hold."""
    damaged = copy.deepcopy(task)
    for number, value in damages:
        found = list(places(damaged))
        container, key = found[number % len(found)]
        container[key] = value
    read = task_of(damaged, PROJECT, {})
    if read is not None:
        judged = judge(read)
        assert isinstance(judged, JudgedCall) == (read.call is not None)
        assert (read.why_no_call is None) == (read.call is not None)


@pytest.mark.parametrize("meta", [None, 7, {"call": 5}, {"call": {}}])
def test_a_task_without_its_call_says_why(meta: Any) -> None:
    """And keeps its annotations."""
    read = task_of({**TASKS[0], "meta": meta}, PROJECT, {})
    assert read is not None
    why = "unreadable_call" if isinstance(meta, dict) else "not_ours"
    assert (read.call, read.why_no_call, len(read.annotations)) == (None, why, 1)


@pytest.mark.parametrize("lead_time", [float("inf"), float("nan"), 10**400, -(10**400), True, "4"])
def test_a_lead_time_that_is_no_time(lead_time: Any) -> None:
    """Is none; the annotation counts all the same."""
    [found] = read_with(lead_time=lead_time).annotations
    assert found.lead_time_s is None


@pytest.mark.parametrize(("mark", "is_skipped"), [(True, True), (1, True), (False, False), (None, False), (0, False)])
def test_what_was_skipped_is_nobodys_judgement(mark: Any, is_skipped: bool) -> None:
    """Also where a script wrote the mark as a number."""
    [found] = read_with(was_cancelled=mark).annotations
    assert found.is_skipped is is_skipped


def test_half_a_character_stops_no_file_and_no_database() -> None:
    """In an id, a control's name or a text: it becomes its replacement."""
    half = "\ud800"
    call = {**TASKS[0]["meta"]["call"], "span_id": half, "conversation_id": half}
    region = {"type": "textarea", "from_name": half, "to_name": half, "value": {"text": [half]}}
    task = {**TASKS[0], "data": {"call_id": half}, "meta": {**TASKS[0]["meta"], "call": call}}
    read = task_of({**task, "annotations": [{"id": 1, "unique_id": half, "result": [region]}]}, PROJECT, {})
    assert read is not None
    assert read.call is not None
    [found] = read.annotations
    texts = (read.call.span_id, read.call.conversation_id, read.call_id, found.unique_id)
    assert {*texts, found.regions[0].from_name, *found.regions[0].value} == {"\N{REPLACEMENT CHARACTER}"}


def read_with(**fields: Any) -> AnnotatedTask:
    """A task whose annotation has these fields."""
    task = copy.deepcopy(TASKS[0])
    task["annotations"][0].update(fields)
    read = task_of(task, PROJECT, {})
    assert read is not None
    return read


def test_an_address_stands_in_no_repr() -> None:
    """Nor a text: what is logged holds neither."""
    read = task_of(TASKS[0], PROJECT, {1: "anna@example.com"})
    assert read is not None
    assert read.annotations[0].by is not None
    assert read.annotations[0].by.email == "anna@example.com"
    assert not any(said in repr(read) for said in ("anna@", "order HB", "cancel"))


def test_controls_of_a_configuration() -> None:
    """A Repeater's, whose index flag may be another; scales, buckets, and what is compared, sorted or offered."""
    compare = controls_of(layout_label_config(Layout.COMPARE))
    assert compare[0] == Control("verdict_{{idx}}", "Choices", "answer_{{idx}}", repeats="choices")
    assert compare[1] == Control("best", "Choices", "dialogue", items=("choice_numbers",))
    config = """<View><Repeater on="$turns" indexFlag="%n%"><Text name="t%n%" value="$turns[%n%].body"/>
        <Rating name="r%n%" toName="t%n%" maxRating="7"/></Repeater></View>"""
    assert controls_of(config) == (Control("r{{idx}}", "Rating", "t{{idx}}", repeats="turns", max_rating=7),)
    assert [(c.name, c.items, c.buckets, c.default_bucket) for c in PROJECT.controls[:3]] == [
        ("better", ("answer_a", "answer_b"), (), None),
        ("rank", ("answers",), (), None),
        ("sort", ("choices",), ("best", "ok", "bad"), "ok"),
    ]
    assert controls_of("<View><unclosed>") == ()


def test_controls_that_a_choice_hides_are_known() -> None:
    """By their own `visibleWhen`, or that of a View around them; regions that are selected hide no result."""
    boxes = ('<TextArea name="a" toName="t" visibleWhen="choice-selected"/>', '<TextArea name="b" toName="t"/>')
    views = ("choice-selected", "region-selected")
    around = (
        f'<View visibleWhen="{when}"><View><Rating name="{n}" toName="t"/></View></View>'
        for n, when in enumerate(views)
    )
    config = f'<View><Text name="t" value="$text"/>{"".join(boxes)}{"".join(around)}</View>'
    assert {control.name: control.is_conditional for control in controls_of(config)} == {
        "a": True,
        "b": False,
        "0": True,
        "1": False,
    }
