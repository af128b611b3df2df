"""What is said beside the answer: verdicts, comments, rankings, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.records import About, Control, JudgedCall, Judgement, Region, Verdict
from tests.annotations.annotated import annotation, answered, box, said, task

TWO, THREE = answered("Dawn", "Ember"), answered("Dawn", "Ember", "Snow")
# The controls of the layout compare, as its labeling configuration has them
COMPARE = (
    Control("verdict_{{idx}}", "Choices", "answer_{{idx}}", repeats="choices"),
    Control("best", "Choices", "dialogue", items=("choice_numbers",)),
    Control("response", "TextArea", "dialogue"),
)
AGENT = (Control("step_verdict_{{idx}}", "Choices", "step_{{idx}}", repeats="steps"),)


def judgement(*regions: Region, call: Any = THREE, controls: Sequence[Control] = ()) -> Judgement:
    found = judge(task(call, annotation(*regions), controls=controls))
    assert isinstance(found, JudgedCall)
    [only] = found.judgements
    return only


def liked(found: Judgement) -> tuple[set[int], set[int]]:
    """And disliked."""
    return set(found.liked), set(found.disliked)


def pairs(found: Judgement) -> list[tuple[int, int]]:
    return [(preference.better, preference.worse) for preference in found.preferences]


@pytest.mark.parametrize(
    ("region", "verdict"),
    [
        (said("rating", "rating", 4), Verdict("rating", "rating", 4, max_value=5)),
        (said("number", "n", 7.5), Verdict("n", "number", 7.5)),
        (said("choices", "verdict", ("unsafe",)), Verdict("verdict", "choices", ("unsafe",))),
        (said("choices", "tags", ("polite", "wrong")), Verdict("tags", "choices", ("polite", "wrong"))),
        (box("It is rude.", " ", name="why"), Verdict("why", "comment", "It is rude.")),
        (said("paragraphlabels", "facts", ("bad",), turn=3), Verdict("facts", "choices", ("bad",), About.TURN, 3)),
        (said("pairwise", "which", "left"), Verdict("which", "choices", ("left",))),
    ],
)
def test_each_control_is_a_verdict(region: Region, verdict: Verdict) -> None:
    """With the name that people gave it, and the scale that a rating has now."""
    controls = (Control("rating", "Rating", "dialogue", max_rating=5), Control("response", "TextArea", "dialogue"))
    assert judgement(region, controls=controls).verdicts == (verdict,)


@pytest.mark.parametrize("value", [True, None, "4", float("nan"), float("inf"), 1e308, 10**400, (), {"a": 1}])
def test_what_is_no_number_is_no_rating(value: Any) -> None:
    """Whatever a script wrote."""
    assert judgement(box("Dawn"), said("rating", "rating", value)).verdicts == ()


@pytest.mark.parametrize("controls", [COMPARE, ()], ids=["with its configuration", "from a file"])
def test_the_layout_compare(controls: Sequence[Control]) -> None:
    """The best one by its number, counted from one, and a verdict on each answer, counted from zero."""
    found = judgement(
        said("choices", "best", ("2",)), said("choices", "verdict_2", ("bad",)), box("Dawn"), controls=controls
    )
    assert pairs(found) == [(1, 0), (1, 2)]
    assert liked(found) == ({1}, {2})
    assert found.verdicts == (
        Verdict("best", "choices", ("2",)),
        Verdict("verdict", "choices", ("bad",), About.ANSWER, 2),
    )


def test_none_is_the_best() -> None:
    """All are disliked, none of them more than another."""
    found = judgement(said("choices", "best", ("none",)), controls=COMPARE)
    assert (pairs(found), *liked(found)) == ([], set(), {0, 1, 2})


def test_a_verdict_on_each_answer_prefers_the_good_ones() -> None:
    """And an answer that is best and bad at once is neither liked nor disliked."""
    verdicts = [said("choices", f"verdict_{i}", (word,)) for i, word in enumerate(("good", "bad", "unsure"))]
    found = judgement(*verdicts, controls=COMPARE)
    assert (pairs(found), *liked(found)) == ([(0, 1)], {0}, {1})
    found = judgement(verdicts[1], said("choices", "best", ("2",)), controls=COMPARE)
    assert liked(found) == (set(), set())


@pytest.mark.parametrize("best", ["0", "4", "-1", "two", "²", "1e9", "99999999999999999999"])
def test_a_number_of_no_answer_prefers_none(best: str) -> None:
    """The verdict stays."""
    found = judgement(said("choices", "best", (best,)), controls=COMPARE)
    assert (pairs(found), set(found.liked), len(found.verdicts)) == ([], set(), 1)


@pytest.mark.parametrize("controls", [AGENT, ()], ids=["with its configuration", "from a file"])
def test_a_verdict_on_a_step(controls: Sequence[Control]) -> None:
    """Of the layout agent."""
    found = judgement(said("choices", "step_verdict_12", ("wrong tool",)), controls=controls)
    assert found.verdicts == (Verdict("step_verdict", "choices", ("wrong tool",), About.STEP, 12),)


@pytest.mark.parametrize(
    ("repeats", "about"),
    [("turns", About.TURN), ("messages", About.TURN), ("answers", About.ANSWER), ("photos", About.CALL)],
)
def test_what_a_repeated_control_is_about(repeats: str, about: About) -> None:
    """By the variable of its Repeater; the name is the control's without the index, wherever that stands."""
    controls = (Control("q{{i}}-mark", "Rating", "q{{i}}", repeats=repeats, max_rating=3),)
    found = judgement(said("rating", "q4-mark", 2), controls=controls)
    assert found.verdicts == (Verdict("q-mark", "rating", 2, about, 4, 3),)


def test_a_control_that_ends_in_a_number_is_itself() -> None:
    """Where the configuration has it."""
    controls = (Control("verdict_2", "Choices", "dialogue"),)
    assert judgement(said("choices", "verdict_2", ("ok",)), controls=controls).verdicts == (
        Verdict("verdict_2", "choices", ("ok",)),
    )


@pytest.mark.parametrize(
    ("items", "call", "expected"),
    [
        (("answer_a", "answer_b"), THREE, [(1, 0)]),
        (("response_3", "response_1"), THREE, [(0, 2)]),
        (("choices[2].html", "choices[0].html"), THREE, [(0, 2)]),
        (("answer_a", "answer_d"), THREE, []),
        (("left_text", "right_text"), TWO, []),
        ((), TWO, [(1, 0)]),
        ((), THREE, []),
    ],
)
def test_a_pairwise_comparison(items: tuple[str, ...], call: Any, expected: list[tuple[int, int]]) -> None:
    """The right one was selected; which answers stood there, the variables of the two tags tell."""
    controls = (Control("pw", "Pairwise", "a,b", items=items),)
    found = judgement(said("pairwise", "pw", "right"), call=call, controls=controls)
    assert pairs(found) == expected
    assert liked(found) == (set(), set())
    assert found.verdicts == (Verdict("pw", "choices", ("right",)),)


def test_a_ranking_prefers_each_to_all_that_come_later() -> None:
    """The item ids are the answers' indexes; being first of all is not being good."""
    found = judgement(said("ranker", "rank", ("2", "0", "1", "7", "2")))
    assert pairs(found) == [(2, 0), (2, 1), (0, 1)]
    assert liked(found) == (set(), set())


def test_a_ranking_of_something_else_than_answers_prefers_none() -> None:
    """Of the turns, for example."""
    controls = (Control("rank", "Ranker", "list", items=("messages",)),)
    given = task(
        THREE,
        annotation(
            box("Dawn"),
            said("ranker", "rank", ("1", "0")),
        ),
        controls=controls,
    )
    found = judge(given)
    assert isinstance(found, JudgedCall)
    assert found.judgements[0].preferences == ()


def test_buckets_are_in_the_order_of_the_configuration() -> None:
    """A database may sort their names; inside of a bucket none is better."""
    value = {"bad": ("0", "2"), "best": ("1",), "ok": ()}
    controls = (Control("rank", "Ranker", "list", buckets=("best", "ok", "bad"), items=("answers",)),)
    found = judgement(said("ranker", "rank", value), controls=controls)
    assert (pairs(found), *liked(found)) == ([(1, 0), (1, 2)], {1}, {0, 2})
    assert judgement(said("ranker", "rank", value), box("Dawn")).preferences == ()


@pytest.mark.parametrize(
    ("control", "untouched"),
    [
        (Control("rank", "Ranker", "list", items=("answers",)), ("0", "1", "2")),
        (
            Control("rank", "Ranker", "list", buckets=("ok", "bad"), default_bucket="bad", items=("answers",)),
            {"ok": (), "bad": ("0", "1", "2")},
        ),
    ],
    ids=["an order", "buckets"],
)
def test_a_ranker_that_nobody_touched_says_nothing_beside_something_else(control: Control, untouched: Any) -> None:
    """The page stores it all the same. Alone, that order is what the person said; a program says what it means."""
    ranked = said("ranker", "rank", untouched)
    beside = judgement(ranked, said("rating", "stars", 1), controls=(control,))
    assert (pairs(beside), *liked(beside)) == ([], set(), set())
    alone = judgement(ranked, controls=(control,))
    assert pairs(alone) or alone.disliked
    programs = judgement(replace(ranked, origin=None), said("rating", "stars", 1, origin=None), controls=(control,))
    assert pairs(programs) or programs.disliked


def test_dynamic_choices_of_the_answers() -> None:
    """Their alias is the answer's index."""
    controls = (Control("pick", "Choices", "dialogue", items=("answers",)),)
    found = judgement(said("choices", "pick", ("0", "2")), controls=controls)
    assert (pairs(found), set(found.liked)) == ([(0, 1), (2, 1)], {0, 2})
