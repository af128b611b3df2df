"""What becomes of the model's answers, and whose word it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.records import (
    Act,
    AnnotatedTask,
    Annotation,
    AnswerOrigin,
    Control,
    Disregarded,
    JudgedCall,
    Judgement,
    NotJudged,
    Prediction,
    User,
)
from otel_labelstudio.tasks.build import answers_digest
from tests.annotations.annotated import ANNA, BEN, NOON, OURS, annotation, answered, box, said, task

ONE = answered("The poplar grows fast.")
THREE = answered("Dawn", "Ember", "Snow")
TEXT_AREAS = (Control("response", "TextArea", "dialogue"), Control("comment", "TextArea", "dialogue"))


def judged(given: AnnotatedTask, *, keep_bulk: bool = False) -> JudgedCall:
    found = judge(given, keep_bulk=keep_bulk)
    assert isinstance(found, JudgedCall)
    return found


def judgement(given: AnnotatedTask) -> Judgement:
    [found] = judged(given).judgements
    return found


def acts(found: Judgement) -> list[tuple[Act, str | None]]:
    return [(answer.act, answer.final) for answer in found.answers]


@pytest.mark.parametrize(
    ("final", "act"),
    [
        ("The poplar grows fast.", Act.ACCEPTED),
        ("The poplar grows  fast.\n", Act.WHITESPACE),
        ("\ufeffThe poplar\u200b\xa0grows fast.\r\n", Act.WHITESPACE),
        ("The poplar grows very fast.", Act.EDITED),
        ("A willow, and nothing else", Act.REWRITTEN),
    ],
)
@pytest.mark.parametrize("origin", ["prediction", "prediction-changed", "manual", None])
def test_text_decides_and_not_its_origin(final: str, act: Act, origin: str | None) -> None:
    """An edit that was taken back accepts the answer, though Label Studio calls it changed."""
    found = judgement(task(ONE, annotation(box(final, origin=origin))))
    assert acts(found) == [(act, final)]
    assert found.written == ()
    assert (found.answers[0].similarity == 1) == (act is Act.ACCEPTED)


def test_a_cleared_answer_is_removed() -> None:
    """The page sends no region for an empty box; with what else was said, or nothing at all."""
    for regions in ((), (said("choices", "verdict", ("bad",)),)):
        found = judgement(task(ONE, annotation(*regions)))
        assert acts(found) == [(Act.REMOVED, None)]
        assert found.answers[0].similarity == 0


def test_an_annotation_of_a_program_without_text_leaves_the_answer_as_it_is() -> None:
    """It sends what it has to say; and where the box was empty when a person began, nothing was removed from it."""
    rating = said("rating", "rating", 2)
    for regions, parent in (((replace(rating, origin=None),), OURS), ((rating,), None)):
        found = judgement(task(ONE, annotation(*regions, parent_prediction_id=parent)))
        assert acts(found) == [(Act.UNTOUCHED, ONE.output_messages[0].parts[0].content)]  # type: ignore[union-attr]


def test_of_an_empty_answer_nothing_is_removed() -> None:
    """It is accepted by a box that is empty."""
    assert acts(judgement(task(answered(""), annotation(said("choices", "verdict", ("good",)))))) == [
        (Act.ACCEPTED, "")
    ]


def test_the_empty_box_of_a_call_without_an_answer_is_no_other_models() -> None:
    """Its prediction says nothing, where the telemetry has no output; what a person says of it is of this call."""
    for finals in ("",), ("My own.",):
        own = Prediction(OURS, "gpt-4o-mini", (box("", origin=None),))
        origin = AnswerOrigin("response", "dialogue", answers_digest([""]))
        rated = annotation(box(*finals), said("rating", "rating", 1))
        found = judgement(task(answered(), rated, predictions=(own,), origin=origin))
        assert (found.imported_base, found.answers, len(found.verdicts)) == (None, (), 1)
        assert found.written == tuple(filter(None, finals))


@pytest.mark.parametrize(
    ("finals", "expected", "written"),
    [
        (("Dawn", "Ember", "Snow"), ["accepted Dawn", "accepted Ember", "accepted Snow"], ()),
        (("Ember red", "Snow"), ["removed None", "edited Ember red", "accepted Snow"], ()),
        (("Snow", "Dawn"), ["accepted Dawn", "removed None", "accepted Snow"], ()),
        (("Dawn", "A lily", "Snow"), ["accepted Dawn", "rewritten A lily", "accepted Snow"], ()),
        (("Snow", "My own rose"), ["removed None", "removed None", "accepted Snow"], ("My own rose",)),
        (("Dawn", "Ember", "Snow", "Four", " "), ["accepted Dawn", "accepted Ember", "accepted Snow"], ("Four",)),
    ],
)
def test_texts_are_brought_together_with_the_choices_that_they_came_of(
    finals: tuple[str, ...], expected: list[str], written: tuple[str, ...]
) -> None:
    """Their places shift when one is removed, and Label Studio gives them no ids."""
    found = judgement(task(THREE, annotation(box(*finals))))
    assert [f"{act.value} {final}" for act, final in acts(found)] == expected
    assert found.written == written


@pytest.mark.parametrize(
    ("final", "act", "kept"),
    [
        ("One.\nTwo.", Act.ACCEPTED, "One.\r\nTwo."),
        ("One.\nTwo!", Act.EDITED, "One.\r\nTwo!"),
        ("One.\r\nTwo.\n", Act.WHITESPACE, "One.\r\nTwo.\n"),
    ],
)
def test_line_ends_that_the_browser_made_are_no_edit(final: str, act: Act, kept: str) -> None:
    """It writes CRLF as LF once the box was open: a pair would teach the one against the other."""
    assert acts(judgement(task(answered("One.\r\nTwo."), annotation(box(final))))) == [(act, kept)]
    mixed = "One.\r\nTwo.\n[tool call] stock()"
    assert acts(judgement(task(answered(mixed), annotation(box(f"{mixed}!".replace("\r", "")))))) == [
        (Act.EDITED, "One.\nTwo.\n[tool call] stock()!")
    ]


def test_equal_choices_are_accepted_one_by_one() -> None:
    """A model may say the same twice; one of them removed is one accepted."""
    found = judgement(task(answered("Yes.", "Yes."), annotation(box("Yes."))))
    assert acts(found) == [(Act.ACCEPTED, "Yes."), (Act.REMOVED, None)]


def test_a_call_without_an_answer_has_none_to_judge() -> None:
    """What a person wrote for it stands by itself; an empty annotation of it says nothing."""
    failed = answered()
    origin = AnswerOrigin("response", "dialogue")
    assert judgement(task(failed, annotation(box("An apology.")), origin=origin)).written == ("An apology.",)
    assert judged(task(failed, annotation(), origin=origin)).judgements == ()


def test_the_base_is_what_the_task_showed() -> None:
    """A later version may render a call otherwise: the prediction with the checksum of the task's meta is it."""
    shown = "[tool call] an_earlier_rendering()"
    given = task(
        ONE,
        annotation(box(shown)),
        origin=AnswerOrigin("response", "dialogue", answers_digest([shown])),
        predictions=(Prediction(3, "other", (box("Not this."),)), Prediction(OURS, "m", (box(shown),))),
    )
    assert [(a.act, a.base) for a in judgement(given).answers] == [(Act.ACCEPTED, shown)]


def test_what_another_model_said_is_an_imported_base() -> None:
    """It is what the person started from; the call's own answer is compared all the same."""
    imported = Prediction(77, "another-model", (box("A birch."),))
    own = task(ONE).predictions
    given = task(ONE, annotation(box("A birch, I think."), parent_prediction_id=77), predictions=(*own, imported))
    found = judgement(given)
    assert (found.imported_base, found.imported_model) == ("A birch.", "another-model")
    assert acts(found) == [(Act.REWRITTEN, "A birch, I think.")]
    assert judgement(task(ONE, annotation(box("x")))).imported_base is None


def test_a_duplicate_is_followed_to_its_root() -> None:
    """Through copies of copies, and not for ever; it was filled in, so a box without text was emptied."""
    first = annotation(box("A willow."), by=BEN, minute=0)
    second = annotation(box("A willow."), by=BEN, minute=1, parent_prediction_id=None, parent_annotation_id=first.id)
    third = annotation(minute=2, parent_prediction_id=None, parent_annotation_id=second.id)
    assert acts(judged(task(ONE, first, second, third)).judgements[-1]) == [(Act.REMOVED, None)]
    loop = replace(first, parent_prediction_id=None, parent_annotation_id=second.id)
    assert len(judged(task(ONE, loop, second)).judgements) == 1


class TestAnswerRegion:
    """Which of several TextAreas holds the answer."""

    regions = (box("Why?", name="comment"), box("An edit of it."))

    def test_it_is_the_one_that_the_task_was_built_for(self) -> None:
        """All others are comments."""
        found = judgement(task(ONE, annotation(*self.regions)))
        assert (found.answers[0].final, found.comments) == ("An edit of it.", ("Why?",))

    def test_a_comment_is_no_answer_because_the_answer_is_gone(self) -> None:
        """Neither with the labeling configuration nor without it."""
        for controls in ((), TEXT_AREAS):
            found = judgement(task(ONE, annotation(self.regions[0]), controls=controls))
            assert (found.answers[0].act, found.comments) == (Act.REMOVED, ("Why?",))

    def test_where_the_task_does_not_tell_its_prediction_does(self) -> None:
        """A task of an early version."""
        found = judgement(task(ONE, annotation(*self.regions), origin=None))
        assert (found.answers[0].final, found.comments) == ("An edit of it.", ("Why?",))

    def test_where_nobody_tells_it_is_the_only_one(self) -> None:
        """Of two, neither is the answer."""
        one = task(ONE, annotation(box("An edit.", name="text")), origin=None, predictions=())
        two = task(ONE, annotation(*self.regions, parent_prediction_id=None), origin=None, predictions=())
        assert judgement(one).answers[0].final == "An edit."
        assert (judgement(two).answers[0].act, len(judgement(two).comments)) == (Act.UNTOUCHED, 2)

    def test_an_interface_that_was_renamed_since(self) -> None:
        """Old annotations have the old name; new ones that of the first TextArea that the project has now."""
        controls = (Control("answer", "TextArea", "dialogue"), Control("comment", "TextArea", "dialogue"))
        old, new = annotation(box("An old edit.")), annotation(box("A new edit.", name="answer"), by=BEN)
        found = judged(task(ONE, old, new, controls=controls))
        assert [j.answers[0].final for j in found.judgements] == ["An old edit.", "A new edit."]

    def test_a_project_without_a_place_for_the_answer_has_comments_only(self) -> None:
        """The task says that there was none."""
        given = task(ONE, annotation(box("Fine.", name="comment")), origin=AnswerOrigin(), predictions=())
        assert (judgement(given).answers[0].act, judgement(given).comments) == (Act.UNTOUCHED, ("Fine.",))


class TestDisregarded:
    """What is nobody's judgement."""

    edited = box("The poplar grows very fast.", origin="prediction-changed")

    def test_a_skip_is_none_whatever_it_holds(self) -> None:
        """The stream's button sends the half of an edit along."""
        skipped = annotation(self.edited, is_skipped=True)
        assert judged(task(ONE, skipped)).disregarded == {skipped.id: Disregarded.SKIPPED}

    def test_a_draft_is_none(self) -> None:
        """It has an id of its own, which may be that of an annotation too."""
        accepted = annotation(box("The poplar grows fast."), id=5)
        found = judged(task(ONE, accepted, annotation(self.edited, id=5, is_draft=True, minute=1)))
        assert found.disregarded == {-5: Disregarded.DRAFT}
        assert [j.annotation.id for j in found.judgements] == [5]

    def test_what_an_action_made_of_predictions_is_none(self) -> None:
        """Unless it is asked for; one that somebody spent time on, or wrote to, is theirs."""
        bulk: dict[str, Any] = {"updated_by": None, "lead_time_s": None}
        made = annotation(box("The poplar grows fast.", origin=None), **bulk)
        assert judged(task(ONE, made)).disregarded == {made.id: Disregarded.BULK}
        assert len(judged(task(ONE, made), keep_bulk=True).judgements) == 1
        for touched in (replace(made, updated_by=BEN), replace(made, lead_time_s=2.0), annotation(self.edited, **bulk)):
            assert len(judged(task(ONE, touched)).judgements) == 1

    def test_of_one_person_the_latest_counts(self) -> None:
        """By when it was updated last, and not by its id."""
        first, second = annotation(box("One."), minute=9), annotation(box("Two."), minute=1)
        found = judged(task(ONE, first, second, annotation(box("Ben's."), by=BEN)))
        assert [j.answers[0].final for j in found.judgements] == ["Ben's.", "One."]
        assert found.disregarded == {second.id: Disregarded.SUPERSEDED}

    def test_ground_truth_is_not_superseded(self) -> None:
        """By a later annotation of the same person."""
        truth, later = annotation(box("Gold."), is_ground_truth=True), annotation(box("Later."), minute=5)
        assert [j.annotation.id for j in judged(task(ONE, truth, later)).judgements] == [truth.id]

    def test_one_that_says_nothing_supersedes_none(self) -> None:
        """An empty one in a box that was not filled in."""
        one, empty = annotation(box("One.")), annotation(minute=3, parent_prediction_id=None)
        found = judged(task(ONE, one, empty))
        assert found.disregarded == {empty.id: Disregarded.EMPTY}
        assert [j.annotation.id for j in found.judgements] == [one.id]

    def test_annotations_of_nobody_known_count_each(self) -> None:
        """Of users who were deleted."""
        gone = [annotation(box(text), by=None, updated_by=None) for text in ("One.", "Two.")]
        assert len(judged(task(ONE, *gone)).judgements) == 2


@pytest.mark.parametrize(
    ("minutes_later", "updated_by", "annotator"), [(0, BEN, ANNA), (3, BEN, BEN), (3, None, ANNA), (3, ANNA, ANNA)]
)
def test_an_annotation_is_the_word_of_who_updated_it(
    minutes_later: int, updated_by: User | None, annotator: User
) -> None:
    """Not of who stored it for somebody else: a script, for example."""
    made: Annotation = annotation(
        box("One."), updated_by=updated_by, updated_at=NOON + timedelta(minutes=minutes_later, milliseconds=16)
    )
    assert judgement(task(ONE, made)).annotator == annotator


def test_a_task_without_a_call_is_not_judged() -> None:
    """And says why."""
    found = judge(task(None, annotation(box("x")), why_no_call="unreadable_call"))
    assert isinstance(found, NotJudged)
    assert found.why == "unreadable_call"
    assert judge(task(None)) == NotJudged(task(None), "not_ours")
