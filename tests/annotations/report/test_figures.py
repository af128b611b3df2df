"""The figures of a report, against values that are computed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from otel_labelstudio.annotations.records import Act, AnnotatedProject, Disregarded
from otel_labelstudio.annotations.report.build import report_of
from otel_labelstudio.annotations.report.comparing import periods
from otel_labelstudio.annotations.report.edits import phrases
from otel_labelstudio.annotations.report.records import Breakdown, Group, Interval, Report
from otel_labelstudio.calls import JOINED, Message
from otel_labelstudio.errors import ConfigError
from tests.annotations.report.judged import (
    NOON,
    answer,
    best,
    chosen,
    comment,
    edited,
    judged,
    judgement,
    many,
    rating,
)

TUNED = "Yes, on Monday."


def groups(report: Report, field: str) -> dict[str, Group]:
    (breakdown,) = (found for found in report.breakdowns if found.field == field)
    return {group.name: group for group in breakdown.groups}


def test_what_became_of_the_texts() -> None:
    """White space alone and a text that was not touched are unchanged, a rewritten one is edited; the share of 10 of 20
    calls has Wilson's interval."""
    calls = [
        *many(6, answer()),
        *many(2, answer(Act.UNTOUCHED)),
        *many(2, answer(Act.WHITESPACE, final="It ships on  Monday.")),
        *many(4, edited("It ships on Tuesday.", 0.9)),
        *many(2, answer(Act.REWRITTEN, final="No.", similarity=0.1)),
        *many(4, answer(Act.REMOVED, similarity=0.0)),
    ]
    total = report_of(calls).total
    assert (total.calls, total.judgements, total.annotators) == (20, 20, 1)
    assert [share.count for share in (total.unchanged, total.edited, total.removed)] == [10, 6, 4]
    assert total.unchanged.value == 0.5
    interval = total.unchanged.interval
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.299, 0.701), abs=5e-4)
    assert total.edit_size is not None
    assert total.edit_size.counts == ((0.1, 4), (0.9, 2))
    assert (total.edit_size.median, total.edit_size.mean) == pytest.approx((0.1, (4 * 0.1 + 2 * 0.9) / 6))


def test_a_call_counts_once_however_many_judged_it() -> None:
    """Two of three people left the answer, and one removed it: that is one call, two thirds unchanged, and their mean
    rating is the call's."""
    people = [
        judgement(answer(), by=1, says=[rating(5), chosen("good")]),
        judgement(answer(), by=2, says=[rating(4), chosen("good")]),
        judgement(answer(Act.REMOVED), by=3, says=[rating(1), chosen("bad", "unsafe")]),
    ]
    total = report_of([judged(*people)]).total
    assert (total.calls, total.judgements, total.annotators) == (1, 3, 3)
    assert total.unchanged.value == pytest.approx(2 / 3)
    assert (total.unchanged.calls, total.unchanged.interval) == (1, None)
    (rated,) = total.numbers
    assert (rated.control, rated.kind, rated.distribution.max_value) == ("rating", "rating", 5)
    assert rated.distribution.counts == ((3.33, 1),)
    (verdicts,) = total.choices
    assert [value for value, _ in verdicts.values] == ["good", "bad", "unsafe"]
    assert [share.value for _, share in verdicts.values] == pytest.approx([2 / 3, 1 / 3, 1 / 3])


def test_the_answers_of_a_call_share_its_weight() -> None:
    """Of three answers one was removed: a third of the call."""
    one = judgement(answer(), answer(index=1), answer(Act.REMOVED, index=2))
    total = report_of([judged(one)]).total
    assert total.removed.calls == 1
    assert total.removed.value == pytest.approx(1 / 3, abs=1e-6)


def test_the_places_of_answers_that_are_compared() -> None:
    """The best of three is in first place, and wins two pairs."""
    answers = [answer(index=index) for index in range(3)]
    total = report_of([judged(judgement(*answers, preferences=best(1, 3)))]).total
    assert [(place.index, place.first.count, place.won, place.pairs) for place in total.places] == [
        (0, 0.0, 0, 1),
        (1, 1.0, 2, 2),
        (2, 0.0, 0, 1),
    ]
    assert [place.win_rate for place in total.places] == [0.0, 1.0, 0.0]


def test_models_are_compared_where_a_task_has_answers_of_several() -> None:
    """The best of three, of which the tuned model gave two: it is preferred in two calls of three, and ties of its own
    answers say nothing. The calls' group has all their models' names."""
    origins = [{"model": "tuned"}, {"model": "large"}, {"model": "tuned"}]
    fields: dict[str, Any] = {"output_messages": (Message("assistant", ()),) * 3, "metadata": {JOINED: origins}}
    answers = [answer(index=index) for index in range(3)]
    calls = [judged(judgement(*answers, preferences=best(b, 3)), model=None, **fields) for b in (0, 2, 1)]
    report = report_of(calls)
    (match,) = report.matches
    assert (match.model, match.other, match.won.count, match.won.calls) == ("tuned", "large", 2, 3)
    assert list(groups(report, "model")) == ["large / tuned"]
    assert report_of([judged(judgement(*answers, preferences=best(0, 3)))]).matches == ()


@pytest.mark.parametrize("models", [({"a": 1}, 3), (["a"], "large"), (None, "large")])
def test_a_model_that_is_no_text_is_not_known(models: Sequence[Any]) -> None:
    """Somebody has damaged the task's meta, which costs the other calls nothing."""
    fields: dict[str, Any] = {
        "output_messages": (Message("assistant", ()),) * 2,
        "metadata": {JOINED: [{"model": model} for model in models]},
    }
    report = report_of([judged(judgement(answer(), answer(index=1), preferences=best(0, 2)), model=None, **fields)])
    assert list(groups(report, "model")) == ["large" if "large" in models else "(not set)"]


def test_who_compares_approves_of_no_text() -> None:
    """The best one was chosen, or none was found good: texts that stand as they came are not approved. What was mended
    is among the edits."""
    answers = [answer(index=1), answer(index=2)]
    calls = [
        judged(judgement(edited("It ships on Tuesday."), *answers, preferences=best(0, 3), liked=frozenset({0}))),
        judged(judgement(answer(), *answers, disliked=frozenset(range(3)))),
    ]
    report = report_of(calls)
    assert (report.total.calls, report.total.unchanged.calls) == (2, 0)
    assert [(edit.removed, edit.inserted) for edit in report.edits] == [("Monday.", "Tuesday.")]


def test_groups_are_those_of_the_fields() -> None:
    """By model, by metadata, by two fields together; what is not set is a group; the largest comes first."""
    calls = [
        *many(3, answer(), model="large", metadata={"prompt_version": 7}),
        *many(2, answer(Act.REMOVED), model="small", metadata={"prompt_version": 8}),
        *many(1, answer(), model=None),
    ]
    report = report_of(calls, by=["model", "model+metadata.prompt_version", "prompt_version"])
    assert {name: (g.calls, g.removed.count) for name, g in groups(report, "model").items()} == {
        "large": (3, 0),
        "small": (2, 2),
        "(not set)": (1, 0),
    }
    assert list(groups(report, "model+metadata.prompt_version")) == ["large · 7", "small · 8", "(not set) · (not set)"]
    assert list(groups(report, "prompt_version")) == ["7", "8", "(not set)"]


def test_by_default_a_field_that_tells_nothing_apart_makes_no_table() -> None:
    """Nobody needs a table of one row that says what all calls say; the model is named. Whoever asks for a field gets
    it."""
    calls = many(2, answer())
    assert [b.field for b in report_of(calls).breakdowns] == ["model"]
    assert report_of(calls, by=["prompt_version"]).breakdowns[0].groups[0].name == "(not set)"
    two = [*calls, *many(1, answer(), service_name="other")]
    assert [b.field for b in report_of(two).breakdowns] == ["model", "service"]


def test_the_model_is_the_one_whose_answer_people_saw() -> None:
    """Where somebody imported another model's answer, what became of that one counts for that model, and what one
    person saw is not said of what another did."""
    own = judgement(answer(), by=1)
    other = judgement(
        answer(Act.REMOVED), by=2, written=("Yes, on Monday.",), imported_base="Yes, on Monday.", imported_model="tuned"
    )
    found = groups(report_of([judged(own, other)]), "model")
    became = {name: (group.unchanged.count, group.removed.count) for name, group in found.items()}
    assert became == {"small": (1, 0), "tuned": (1, 0)}


def test_many_groups_are_bounded() -> None:
    """The largest 25 are shown, and how many were left out is said."""
    calls = [call for number in range(40) for call in many(1 + (number < 5), answer(), user_id=f"user {number:02}")]
    (breakdown,) = report_of(calls, by=["user_id"]).breakdowns
    assert isinstance(breakdown, Breakdown)
    assert (len(breakdown.groups), breakdown.left_out) == (25, 15)
    assert [group.calls for group in breakdown.groups][:6] == [2, 2, 2, 2, 2, 1]


@pytest.mark.parametrize("field", ["modle", "metadata", "metadata.", "model+"])
def test_a_field_that_is_not_known_is_refused(field: str) -> None:
    """With the names of those that are."""
    with pytest.raises(ConfigError, match=r"There are: model, .*metadata\.KEY"):
        report_of([], by=[field])


def test_what_is_nobodys_judgement_is_counted_apart() -> None:
    """A skipped call is not judged, and the report says how many were skipped."""
    calls = [judged(disregarded=[Disregarded.SKIPPED, Disregarded.DRAFT]), *many(1, answer())]
    report = report_of(calls)
    assert report.total.calls == 1
    assert report.disregarded == (("draft", 1), ("skipped", 1))


def test_no_calls_make_an_empty_report() -> None:
    """Every figure is there, and none is a number."""
    report = report_of([])
    assert (report.total.calls, report.total.unchanged.value, report.started) == (0, None, None)
    assert [*report.edits, *report.remarkable, *report.agreement] == []


@pytest.mark.parametrize("lead_time_s", [float("inf"), float("nan")])
def test_a_time_that_is_no_number_counts_nowhere(lead_time_s: float) -> None:
    """An import may have any; the judgement counts, and the median is that of the other times."""
    times = (lead_time_s, 8.0, 9.0, 10.0)
    report = report_of([judged(judgement(answer(), lead_time_s=time)) for time in times])
    assert (report.total.calls, report.total.median_lead_time_s) == (4, 9.0)


def test_two_periods_are_compared() -> None:
    """8 of 20 before and 15 of 20 after: 35 points with Newcombe's interval; the mean rating, too; calls at the
    boundary belong to the later one."""
    before, after = NOON - timedelta(days=1), NOON
    calls = [
        *many(8, answer(), says=[rating(3)], at=before),
        *many(12, answer(Act.REMOVED), says=[rating(2)], at=before),
        *many(15, answer(), says=[rating(5)], at=after),
        *many(5, answer(Act.REMOVED), says=[rating(4)], at=after),
    ]
    report = report_of(calls, by=["model"], compare=periods("..2026-11-26T12:00,2026-11-26T12:00.."))
    assert report.comparison is not None
    ((scope, differences),) = report.comparison.groups
    assert scope == "all calls"
    found = {difference.figure: difference for difference in differences}
    unchanged, rated = found["text unchanged"], found["rating, mean"]
    assert (unchanged.before, unchanged.after, unchanged.value) == pytest.approx((0.4, 0.75, 0.35))
    assert (unchanged.calls_before, unchanged.calls_after) == (20, 20)
    assert unchanged.interval is not None
    # From Wilson's limits 0.2188 and 0.6134 before, 0.5313 and 0.8881 after
    assert (unchanged.interval.low, unchanged.interval.high) == pytest.approx((0.0444, 0.5778), abs=1e-4)
    assert unchanged.is_clear
    assert (rated.before, rated.after) == pytest.approx((2.4, 4.75))
    assert rated.is_clear
    assert found["text edited"].interval is not None
    assert not found["text edited"].is_clear


def test_periods_may_be_open_and_have_zones() -> None:
    """An end that is left out is open, a time without a zone is in UTC."""
    before, after = periods("..2026-11-01,2026-11-01T02:00+02:00..2026-12-01")
    start = datetime(2026, 11, 1, tzinfo=timezone.utc)
    assert (before.start, before.end, after.start) == (None, start, start)


@pytest.mark.parametrize("text", ["2026-11-01", "a..b,c..d", "..2026-11-01", "1..2..3,4..5"])
def test_what_names_no_two_periods_is_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(ConfigError, match="--compare FROM"):
        periods(text)


def test_edits_are_counted_once_a_call() -> None:
    """Replaced, inserted and removed words, the most frequent first, with a link to the first task."""
    greeting = ("Dear customer, it ships. Dear customer, bye.", "Hello, it ships. Hello, bye.")
    calls = [
        judged(judgement(edited(greeting[1], base=greeting[0]))),
        judged(judgement(edited(greeting[1], base=greeting[0]))),
        judged(judgement(edited("It ships on Monday at noon.", base="It ships on Monday."))),
    ]
    report = report_of(calls)
    assert [(edit.removed, edit.inserted, edit.calls) for edit in report.edits] == [
        ("Dear customer,", "Hello,", 2),
        ("Monday.", "Monday at noon.", 1),
    ]
    assert report.edits[0].example.url == f"http://labels.example:8080/projects/3/data?task={calls[0].task.id}"


def test_rewrites_and_very_long_answers_are_no_phrases() -> None:
    """Nine words in a row that differ are a rewrite; an answer of thousands of words is not compared."""
    words = [f"w{number}" for number in range(3_000)]
    assert list(phrases("a b c d e f g h i", "1 2 3 4 5 6 7 8 9")) == []
    assert list(phrases(" ".join(words), " ".join([*words, "end"]))) == []
    assert list(phrases("a b c", "a c")) == [("b", "")]


def test_the_tasks_to_look_at() -> None:
    """Removed and badly rated ones come first, with the comment; accepted ones are not there."""
    project = AnnotatedProject(3, "Support")
    calls = [
        *many(3, answer(), says=[rating(5)]),
        judged(judgement(answer(Act.REMOVED), says=[rating(1), comment("Rude.")]), project=project),
        *many(1, edited("Nothing of it.", 0.3)),
    ]
    first, second = report_of(calls).remarkable
    assert (first.why, first.comment, first.task.url) == ("removed, rating 1 of 5", "Rude.", None)
    assert second.why == "70 % of an answer changed"


def test_no_call_is_kept() -> None:
    """The calls are read once, from any iterable."""
    report = report_of(call for call in many(12, answer(), says=[rating(4)]))
    assert report.total.unchanged.interval == Interval(pytest.approx(0.757, abs=1e-3), 1.0)  # type: ignore[arg-type]
