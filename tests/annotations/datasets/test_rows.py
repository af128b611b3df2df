"""From what people did to rows: the table of docs/datasets.md, line by line, and the options."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from otel_labelstudio.annotations.datasets import DatasetOptions, Kind, LeftOut, Several
from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.annotations.datasets.examples import annotations_left_out, examples_of
from otel_labelstudio.annotations.datasets.judgement_records import judgement_records
from otel_labelstudio.annotations.datasets.rows import rows_of
from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.records import AnnotatedTask, Control, Prediction, Region
from otel_labelstudio.calls import GenericPart, LLMCall, Message, ReasoningPart, TextPart
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.tasks.render import message_text
from otel_labelstudio.telemetry import Telemetry
from tests.annotations.annotated import ANNA, BEN, annotation, answered, box, said, task
from tests.annotations.datasets.garden import ASK_STOCK, accepted, answering, assistant, call, edited, judged

RANKER = Control("ranking", "Ranker", "answers", items=("answers",))
BUCKETS = Control("ranking", "Ranker", "answers", buckets=("best", "ok", "bad"), items=("answers",))
PAIRWISE = Control("better", "Pairwise", "a,b", items=("answer", "answer_2"))
EACH = Control("verdict_{{idx}}", "Choices", "answer_{{idx}}", repeats="choices")
CHANGED = "prediction-changed"


def texts(of: AnnotatedTask, kind: Kind, **options: Any) -> list[Any]:
    """What the examples of a kind say: an answer, a pair, or an answer with its label; or the reason that there is
    none."""
    return [as_text(found) for found in examples_of(judged(of), kind, DatasetOptions(**options))]


def as_text(found: Any) -> Any:
    if not isinstance(found, Example):
        return found.reason
    answers = [message_text("assistant", message.parts) for message in found.answers]
    if found.kind is Kind.KTO:
        return answers[0], found.label
    return tuple(answers) if found.kind is Kind.DPO else answers[0]


def rows(of: AnnotatedTask, **options: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Of all three kinds, without the reasons."""
    found = [texts(of, kind, **options) for kind in (Kind.SFT, Kind.DPO, Kind.KTO)]
    return tuple([one for one in of_kind if not isinstance(one, LeftOut)] for of_kind in found)  # type: ignore[return-value]


ROSE, BOTH = answered("Rosie"), answered("Rosie", "Ruby")
RATED = {rating: said("rating", "rating", rating) for rating in (1, 2, 3, 4, 5)}
GOOD, BAD, UNSURE = (said("choices", "verdict", (word,)) for word in ("good", "bad", "unsure"))

ACTS: dict[str, tuple[LLMCall, tuple[Region, ...], Any]] = {
    "accepted": (ROSE, (box("Rosie"),), (["Rosie"], [], [])),
    "accepted, rated good": (ROSE, (box("Rosie"), RATED[4]), (["Rosie"], [], [("Rosie", True)])),
    "accepted, rated bad": (ROSE, (box("Rosie"), RATED[2]), ([], [], [("Rosie", False)])),
    "accepted, rated between": (ROSE, (box("Rosie"), RATED[3]), ([], [], [])),
    "accepted, called good": (ROSE, (box("Rosie"), GOOD), (["Rosie"], [], [("Rosie", True)])),
    "accepted, called bad": (ROSE, (box("Rosie"), BAD), ([], [], [("Rosie", False)])),
    "accepted, called unsure": (ROSE, (box("Rosie"), UNSURE), ([], [], [])),
    "called good, but rated bad": (ROSE, (box("Rosie"), GOOD, RATED[1]), ([], [], [("Rosie", False)])),
    "an agent solved it": (
        ROSE,
        (box("Rosie"), said("choices", "verdict", ("solved",))),
        (["Rosie"], [], [("Rosie", True)]),
    ),
    "an agent failed": (ROSE, (box("Rosie"), said("choices", "verdict", ("failed",))), ([], [], [("Rosie", False)])),
    "edited": (ROSE, (box("Rosita", origin=CHANGED),), (["Rosita"], [("Rosita", "Rosie")], [("Rosita", True)])),
    "edited, rated bad": (
        ROSE,
        (box("Rosita", origin=CHANGED), RATED[1]),
        (["Rosita"], [("Rosita", "Rosie")], [("Rosie", False), ("Rosita", True)]),
    ),
    "edited, rated between": (
        ROSE,
        (box("Rosita", origin=CHANGED), RATED[3]),
        (["Rosita"], [("Rosita", "Rosie")], [("Rosita", True)]),
    ),
    "written anew": (ROSE, (box("Lily", origin="manual"),), (["Lily"], [("Lily", "Rosie")], [("Lily", True)])),
    "white space": (ROSE, (box("Rosie ", origin=CHANGED),), (["Rosie "], [], [])),
    "removed": (ROSE, (RATED[1],), ([], [], [("Rosie", False)])),
    "one of two removed": (
        BOTH,
        (box("Ruby", origin=CHANGED),),
        (["Ruby"], [("Ruby", "Rosie")], [("Rosie", False), ("Ruby", True)]),
    ),
    "the first of two edited": (
        BOTH,
        (box("Rosita", "Ruby", origin=CHANGED),),
        (["Rosita"], [("Rosita", "Rosie")], [("Rosita", True)]),
    ),
    "the first of two rated bad": (BOTH, (box("Rosie", "Ruby"), RATED[1]), ([], [], [("Rosie", False)])),
}


@pytest.mark.parametrize("act", ACTS)
def test_acts_give_the_rows_of_the_table(act: str) -> None:
    """An answer that a person vouched for, pairs that they said, answers that they called good or bad; no other."""
    of, regions, expected = ACTS[act]
    assert rows(task(of, annotation(*regions))) == expected


@pytest.mark.parametrize(
    ("control", "region", "expected"),
    [
        (PAIRWISE, said("pairwise", "better", "right"), ([], [("Ruby", "Rosie")], [])),
        (
            RANKER,
            said("ranker", "ranking", ("1", "0")),
            (["Ruby"], [("Ruby", "Rosie")], []),
        ),
        (
            BUCKETS,
            said("ranker", "ranking", {"best": ("1",), "ok": (), "bad": ("0",)}),
            (["Ruby"], [("Ruby", "Rosie")], [("Rosie", False), ("Ruby", True)]),
        ),
        (
            Control("best", "Choices", "dialogue", items=("choice_numbers",)),
            said("choices", "best", ("2",)),
            (["Ruby"], [("Ruby", "Rosie")], [("Ruby", True)]),
        ),
        (
            Control("best", "Choices", "dialogue", items=("choice_numbers",)),
            said("choices", "best", ("none",)),
            ([], [], [("Rosie", False), ("Ruby", False)]),
        ),
        (EACH, said("choices", "verdict_1", ("good",)), (["Ruby"], [], [("Ruby", True)])),
        (EACH, said("choices", "verdict_0", ("bad",)), ([], [], [("Rosie", False)])),
    ],
    ids=["pairwise", "ranked", "buckets", "best", "none is good", "one called good", "one called bad"],
)
def test_comparisons_give_the_rows_of_the_table(control: Control, region: Region, expected: Any) -> None:
    """That an answer is better than another does not make it good; the top of a ranking is one to learn."""
    untouched = box("Rosie", "Ruby")
    assert rows(task(BOTH, annotation(untouched, region), controls=(control,))) == expected


def test_a_text_that_is_written_where_no_answer_is_good_is_better_than_all() -> None:
    """As the layout `compare` asks for it."""
    none = said("choices", "best", ("none",))
    of = task(BOTH, annotation(box("Rosie", "Ruby", "Lilian of the valley"), none))
    assert rows(of) == (
        ["Lilian of the valley"],
        [("Lilian of the valley", "Rosie"), ("Lilian of the valley", "Ruby")],
        [("Rosie", False), ("Ruby", False), ("Lilian of the valley", True)],
    )


def test_a_comparison_says_the_same_from_a_file() -> None:
    """Which has no labeling configuration: neither of two compared answers is one to learn."""
    compared = annotation(box("Rosie", "Ruby"), said("pairwise", "better", "right"))
    assert rows(task(BOTH, compared)) == ([], [("Ruby", "Rosie")], [])


def test_what_nobody_judged_gives_nothing_and_is_counted() -> None:
    """Skipped with half an edit, a draft, made of predictions in bulk, and the same person's earlier work."""
    of = task(
        ROSE,
        annotation(box("Ros", origin=CHANGED), is_skipped=True),
        annotation(box("Rosi", origin=CHANGED), is_draft=True),
        annotation(box("Rosie", origin=None), by=BEN, updated_by=None, lead_time_s=None),
        annotation(box("Rosy", origin=CHANGED), minute=1),
        annotation(box("Rosina", origin=CHANGED), minute=2),
    )
    assert texts(of, Kind.SFT) == ["Rosina"]
    left_out = Counter(annotations_left_out(judged(of), DatasetOptions()))
    assert left_out == Counter([LeftOut.SKIPPED, LeftOut.DRAFT, LeftOut.BULK, LeftOut.SUPERSEDED])


def by_two(first: str, second: str, **fields: Any) -> AnnotatedTask:
    """A task that Anna worked on, and Ben a minute later."""
    return task(
        ROSE,
        annotation(box(first, origin=CHANGED), by=ANNA, **fields),
        annotation(box(second, origin=CHANGED), by=BEN, updated_by=BEN, minute=1),
    )


def test_of_several_people_the_latest_counts_or_the_ground_truth() -> None:
    """Ground truth, where there is one; each, where it is asked for, or what all say alike."""
    assert texts(by_two("Rosa", "Rosina"), Kind.SFT) == [LeftOut.OTHERS_COUNT, "Rosina"]
    truth = by_two("Rosa", "Rosina", is_ground_truth=True)
    assert texts(truth, Kind.SFT) == [LeftOut.OTHERS_COUNT, "Rosa"]
    assert texts(truth, Kind.SFT, several=Several.LATEST) == [LeftOut.OTHERS_COUNT, "Rosina"]
    assert texts(truth, Kind.SFT, several=Several.EACH) == ["Rosa", "Rosina"]
    assert texts(truth, Kind.SFT, several=Several.AGREE) == [LeftOut.DISAGREEMENT]
    assert texts(by_two("Rosa", "Rosa"), Kind.SFT, several=Several.AGREE) == ["Rosa", "Rosa"]


@pytest.mark.parametrize(("second", "reference"), [("Rosa", "Rosa"), ("Rosina", None)])
def test_an_evaluation_has_a_reference_where_people_agree(second: str, reference: str | None) -> None:
    """If that is asked for; else the one that counts."""
    [found] = examples_of(
        judged(by_two("Rosa", second)), Kind.EVAL, DatasetOptions(kinds=(Kind.EVAL,), several=Several.AGREE)
    )
    assert isinstance(found, Example)
    assert (found.reference and message_text("assistant", found.reference.parts)) == reference
    [latest] = examples_of(judged(by_two("Rosa", second)), Kind.EVAL, DatasetOptions(kinds=(Kind.EVAL,)))
    assert isinstance(latest, Example)
    assert latest.reference
    assert message_text("assistant", latest.reference.parts) == second


def test_an_answer_that_may_have_been_cleared_is_not_learned() -> None:
    """Once its prediction is deleted, an annotation without a text does not tell whether it was left or taken away; a
    good rating does."""
    kind = said("choices", "tone", ("kind",))
    gone: dict[str, Any] = {"predictions": ()}
    unclear = task(ROSE, annotation(kind, parent_prediction_id=None), **gone)
    assert rows(unclear, accepted_is_good=True) == ([], [], [])
    vouched = task(ROSE, annotation(kind, RATED[5], parent_prediction_id=None), **gone)
    assert rows(vouched) == (["Rosie"], [], [("Rosie", True)])
    scripts = replace(kind, origin=None)
    assert rows(task(ROSE, annotation(scripts, parent_prediction_id=None), **gone)) == (["Rosie"], [], [])


def test_an_answer_whose_box_was_not_on_the_page_is_not_removed() -> None:
    """A box that is shown after "bad" alone leaves nothing where the answer is good; nor is it known to be cleared."""
    controls = (
        Control("verdict", "Choices", "dialogue"),
        Control("response", "TextArea", "dialogue", is_conditional=True),
    )
    assert rows(task(ROSE, annotation(GOOD), controls=controls)) == (["Rosie"], [], [("Rosie", True)])
    assert rows(task(ROSE, annotation(BAD), controls=controls)) == ([], [], [("Rosie", False)])
    neither = said("choices", "tone", ("kind",))
    assert rows(task(ROSE, annotation(neither), controls=controls), accepted_is_good=True) == ([], [], [])
    assert rows(task(ROSE, annotation(GOOD))) == ([], [], [])


def test_labels_are_voted_upon() -> None:
    """So all people count for `kto`, unless there is ground truth."""
    of = task(ROSE, annotation(box("Rosie"), BAD), annotation(box("Rosie"), GOOD, by=BEN, updated_by=BEN, minute=1))
    assert texts(of, Kind.KTO) == [("Rosie", False), ("Rosie", True)]
    assert texts(of, Kind.KTO, several=Several.LATEST)[1:] == [("Rosie", True)]


def test_people_are_chosen_by_id_or_address() -> None:
    """Both ways."""
    of = by_two("Rosa", "Rosina")
    assert texts(of, Kind.SFT, annotators=frozenset({"anna@example.com"})) == ["Rosa"]
    assert texts(of, Kind.SFT, exclude_annotators=frozenset({"2"})) == ["Rosa"]
    assert texts(of, Kind.SFT, annotators=frozenset({"3"})) == []


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        (Kind.SFT, {"accepted": False}, [LeftOut.ACCEPTED]),
        (Kind.SFT, {"min_lead_time_s": 5}, []),
        (Kind.KTO, {}, [LeftOut.NOTHING_SAID]),
        (Kind.KTO, {"accepted_is_good": True}, [("Rosie", True)]),
        (Kind.DPO, {}, [LeftOut.NOTHING_SAID]),
    ],
)
def test_options_on_accepted_answers(kind: Kind, options: Any, expected: Any) -> None:
    """What is left out says so."""
    assert texts(task(ROSE, annotation(box("Rosie"))), kind, **options) == expected


def test_options_on_edited_answers() -> None:
    """Small edits make no pairs, but are learned; an edited answer is bad where that is asked for."""
    of = task(answered("A rose is a rose."), annotation(box("A rose is a rose!", origin=CHANGED)))
    assert texts(of, Kind.DPO, min_edit=0.2) == [LeftOut.SMALL_EDIT]
    assert texts(of, Kind.SFT, min_edit=0.2) == ["A rose is a rose!"]
    assert texts(of, Kind.KTO, edited_is_bad=True) == [("A rose is a rose.", False), ("A rose is a rose!", True)]


def test_controls_of_other_interfaces_are_named() -> None:
    """By `good` and `bad`; a rating on another scale by its own bounds."""
    of = task(ROSE, annotation(box("Rosie"), said("choices", "quality", ("poor",)), said("rating", "stars", 9)))
    assert texts(of, Kind.SFT) == ["Rosie"]
    assert texts(of, Kind.SFT, bad=frozenset({("quality", "poor")})) == [LeftOut.BAD]
    assert texts(of, Kind.SFT, min_rating=10, max_bad_rating=5) == [LeftOut.UNDECIDED]


def test_what_was_made_of_another_models_answer_stands_against_that() -> None:
    """Somebody imported its prediction, and a person edited it."""
    of = task(
        ROSE,
        annotation(box("Lilian", origin=CHANGED), parent_prediction_id=11),
        predictions=(Prediction(10, "ours", (box("Rosie"),)), Prediction(11, "other", (box("Lily"),))),
    )
    assert texts(of, Kind.SFT) == ["Lilian"]
    assert texts(of, Kind.DPO) == [("Lilian", "Lily")]


def test_another_models_answer_that_was_left_as_it_was_is_learned_unless_it_is_bad() -> None:
    """As the model's own; of who only rated it, no text is known. White space alone makes no pair of it."""
    predictions = (Prediction(10, "ours", (box("Rosie"),)), Prediction(11, "other", (box("Lily"),)))

    def left(*regions: Region) -> AnnotatedTask:
        return task(ROSE, annotation(*regions, parent_prediction_id=11), predictions=predictions)

    assert texts(left(box("Lily"), GOOD), Kind.SFT) == ["Lily"]
    assert texts(left(box("Lily"), BAD), Kind.SFT) == [LeftOut.BAD]
    assert texts(left(box("Lily"), UNSURE), Kind.SFT) == [LeftOut.UNDECIDED]
    assert texts(left(box("Lily")), Kind.SFT, accepted=False) == [LeftOut.ACCEPTED]
    assert texts(left(box("Lilian"), BAD), Kind.SFT) == ["Lilian"]
    assert texts(left(box("Lily ")), Kind.DPO) == [LeftOut.NOTHING_SAID]
    assert rows(left(replace(RATED[1], origin=None))) == ([], [], [])


def test_who_judged_another_models_answer_says_nothing_of_this_one_in_an_evaluation() -> None:
    """What they made of it is what the answer should have been; where that is nothing, there is no row."""
    predictions = (Prediction(10, "ours", (box("Rosie"),)), Prediction(11, "other", (box("Lily"),)))
    options = DatasetOptions(kinds=(Kind.EVAL,))

    def judged_other(*regions: Region) -> list[Any]:
        of = task(ROSE, annotation(*regions, parent_prediction_id=11), predictions=predictions)
        return list(examples_of(judged(of), Kind.EVAL, options))

    [found] = judged_other(box("Lilian"), RATED[1])
    assert isinstance(found, Example)
    assert found.reference
    assert (message_text("assistant", found.reference.parts), judgement_records(found)) == ("Lilian", [])
    assert [as_text(one) for one in judged_other(box("Lily"), RATED[1])] == [LeftOut.NOTHING_SAID]


def test_accepted_answers_are_the_models_own_messages() -> None:
    """With tool calls, ids and reasoning; an edited answer has no reasoning, which no longer fits."""
    thought = assistant(ReasoningPart("Is there any?"), ASK_STOCK)
    options = DatasetOptions()
    found = next(examples_of(accepted(call(output_messages=(thought,))), Kind.SFT, options))
    assert isinstance(found, Example)
    assert found.completion == thought
    changed = edited(call(output_messages=(thought,)), '[tool call] stock({"article": "lily"})')
    again = next(examples_of(changed, Kind.SFT, options))
    assert isinstance(again, Example)
    assert [part.type for part in again.completion.parts] == ["tool_call"]


def left_out(of: LLMCall, *texts_given: str, **options: Any) -> set[str]:
    """The reasons of a call whose answer a person edited."""
    found = rows_of(edited(of, *texts_given), DatasetOptions(**options), lambda _, __: None)
    return {reason.code for _, reason in found.reasons}


@pytest.mark.parametrize(
    ("of", "text", "reason"),
    [
        (call(), "[tool call] order()", "tool_call_text"),
        (answering(incomplete=("cut",)), "Four.", "incomplete"),
        (answering(system_instructions=(GenericPart("video"),)), "Four.", "unknown_part"),
        (answering(input_messages=()), "Four.", "no_prompt"),
        (answering(input_messages=(Message("user", (TextPart("?"),)), assistant(TextPart("So:")))), "4", "prompt_end"),
    ],
)
def test_what_cannot_be_written_is_counted(of: LLMCall, text: str, reason: str) -> None:
    """Both the row to learn and the pair."""
    assert reason in left_out(of, text)


def test_a_pair_of_equal_answers_is_none() -> None:
    """As where a tool call was only written in another way."""
    assert left_out(call(), '[tool call] stock({"shop": 3, "article": "rose"})') == {"identical"}


def test_a_call_that_failed_and_was_answered_by_a_person_is_learned() -> None:
    """It has no answer of the model's to compare with."""
    of = answering(output_messages=(), error_type="timeout")
    found = rows_of(judged(task(of, annotation(box("Four.", origin="manual")))), DatasetOptions(), lambda _, __: None)
    assert [row.kind for row in found.rows] == [Kind.SFT]


def test_a_call_filter_sees_the_call_before_rows_are_made() -> None:
    """What it takes out is in no row, and a call that it drops or fails on gives none."""

    def fails(_: LLMCall) -> LLMCall:
        raise ValueError("Rosie")

    of = judge(task(ROSE, annotation(box("Rosie"))))
    name = lambda _, __: None  # noqa: E731
    redacted = rows_of(of, DatasetOptions(call_filter=lambda c: replace_answers(c, "[name]")), name)
    assert "Rosie" not in "".join(row.line for row in redacted.rows)
    assert rows_of(of, DatasetOptions(call_filter=lambda _: None), name).reasons == {("", LeftOut.FILTERED): 1}
    assert rows_of(of, DatasetOptions(call_filter=fails), name).reasons == {("", LeftOut.FILTER_FAILED): 1}


def replace_answers(of: LLMCall, text: str) -> LLMCall:
    return LLMCall.from_dict({**of.to_dict(), "output_messages": [assistant(TextPart(text)).to_dict()]})


def test_no_call_is_kept_in_memory() -> None:
    """Nor anything that is made for one, with a call filter too."""
    of, options = judge(task(ROSE, annotation(box("Rosie")))), DatasetOptions(call_filter=lambda call: call)
    rows_of(of, options, lambda _, __: None)
    before = kept()
    for _ in range(20):
        rows_of(of, options, lambda _, __: None)
    assert kept() == before


def kept() -> int:
    gc.collect()
    return sum(isinstance(held, Telemetry | LLMCall) for held in gc.get_objects())


@pytest.mark.parametrize(
    "options",
    [
        {"format": "openai", "kinds": (Kind.KTO,)},
        {"min_rating": 2},
        {"good": frozenset({("verdict", "bad")})},
        {"train_share": 1.5},
    ],
)
def test_options_that_contradict_each_other_are_refused(options: Any) -> None:
    """With what to change."""
    with pytest.raises(ConfigError, match="--"):
        DatasetOptions(**options)
