"""From what people did to evaluations, act by act."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from otel_labelstudio.annotations.feedback import AnnotatorForm, Evaluation, annotator_naming, evaluations_of
from otel_labelstudio.annotations.records import About, Act, Judgement, Preference, Region, User, Verdict
from otel_labelstudio.calls import JOINED, Message, TextPart
from tests.annotations.feedback.judged import AT, RULES, answer, call, choices, comment, judged, judgement, rating

CALL = call()


def told(*judgements: Judgement, **rules: object) -> list[tuple[str, float | None, str | None]]:
    """Name, score and label of what these people said."""
    return [(e.name, e.score, e.label) for e in said(*judgements, **rules)]


def said(*judgements: Judgement, **rules: object) -> tuple[Evaluation, ...]:
    return evaluations_of(judged(*judgements, of=CALL), replace(RULES, **rules))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("act", "similarity", "expected"),
    [
        (Act.ACCEPTED, 1.0, ("correction", 0.0, "accepted")),
        (Act.WHITESPACE, 0.98, ("correction", 0.0, "accepted")),
        (Act.EDITED, 0.8, ("correction", 0.2, "edited")),
        (Act.REWRITTEN, 0.1, ("correction", 0.9, "edited")),
        (Act.REMOVED, 0.0, ("correction", 1.0, "rejected")),
    ],
)
def test_what_became_of_an_answer(act: Act, similarity: float, expected: tuple[str, float, str]) -> None:
    """Accepted, edited or rejected; the score is the share that was changed."""
    assert told(judgement(answers=(answer(act, similarity=similarity),))) == [expected]


def test_an_answer_that_was_left_alone_beside_a_rating_is_not_called_accepted() -> None:
    """One star and no correction is no acceptance; an edit is said beside a rating all the same."""
    assert told(judgement(rating(1), answers=(answer(Act.ACCEPTED),))) == [("rating", 1.0, None)]
    edited = answer(Act.EDITED, similarity=0.5)
    assert told(judgement(rating(1), answers=(edited,))) == [("rating", 1.0, None), ("correction", 0.5, "edited")]


def test_each_control_has_its_evaluation_and_each_value_of_a_choice_too() -> None:
    """Rating and number are scores, values of a choice labels; a name may be replaced."""
    verdicts = rating(4), Verdict("length", "number", 7), choices("polite", "wrong", name="reasons"), choices("good")
    assert told(judgement(*verdicts), names={"rating": "quality"}) == [
        ("quality", 4.0, None),
        ("length", 7.0, None),
        ("reasons", None, "polite"),
        ("reasons", None, "wrong"),
        ("verdict", None, "good"),
    ]


def test_a_comparison_is_a_preference() -> None:
    """Left or right, as it was said; the two answers are not called accepted."""
    pairwise = Region("pairwise", "compare", "compare", "left")
    one = judgement(
        choices("left", name="compare"),
        regions=(pairwise,),
        preferences=(Preference(0, 1, "compare"),),
        answers=(answer(Act.ACCEPTED), answer(Act.ACCEPTED, index=1)),
    )
    assert told(one) == [("preference", None, "left")]


def test_of_several_answers_each_has_its_correction() -> None:
    """With the index of the answer."""
    answers = answer(Act.REMOVED, None, 0.0), answer(Act.EDITED, "Ember", 0.5, index=1)
    assert [(e.label, e.index) for e in said(judgement(answers=answers))] == [("rejected", 0), ("edited", 1)]


def test_verdicts_of_turns_and_steps_have_their_index() -> None:
    """Those of two steps are two evaluations of one name, with keys of their own."""
    steps = [choices("wrong", name="step_verdict", about=About.STEP, index=n) for n in (0, 2)]
    found = said(judgement(*steps))
    assert [(e.name, e.label, e.index) for e in found] == [("step_verdict", "wrong", 0), ("step_verdict", "wrong", 2)]
    assert len({e.key for e in found}) == 2


def test_comments_explain_everything_of_their_annotation() -> None:
    """Several are lines of one text; alone, they are an evaluation without a result."""
    found = said(judgement(rating(4), comment("Short."), choices("good"), comment("Kind.")))
    assert {e.explanation for e in found} == {"Short.\nKind."}
    (alone,) = said(judgement(comment("Odd.")))
    assert (alone.name, alone.score, alone.label, alone.explanation) == ("comment", None, None, "Odd.")


def test_one_evaluation_a_person_and_control_never_averaged() -> None:
    """Two people, two ratings, with names that tell them apart and keys of their own."""
    found = said(judgement(rating(2)), judgement(rating(5), annotation_id=8, user_id=4))
    assert [e.score for e in found] == [2.0, 5.0]
    assert len({e.key for e in found}) == len({e.annotator for e in found}) == 2


def test_the_key_stays_when_the_word_changes() -> None:
    """It is of the server, project, annotation and name; the fingerprint changes with what a back end would show, and
    not when the annotation is stored again as it was."""
    (first,) = said(judgement(rating(2)))
    (changed,) = said(judgement(rating(5)))
    (stored_again,) = said(judgement(rating(2), updated_at=AT + timedelta(hours=1)))
    (renamed,) = said(judgement(rating(2)), names={"rating": "quality"})
    (other,) = said(judgement(rating(2), annotation_id=8))
    assert first.key == changed.key == stored_again.key
    assert len({first.key, renamed.key, other.key}) == 3
    assert first.fingerprint == stored_again.fingerprint != changed.fingerprint


def test_a_choice_that_replaces_another_has_its_key() -> None:
    """So that it overwrites it; a second value has a key of its own."""
    (bad,) = said(judgement(choices("bad")))
    good, unsafe = said(judgement(choices("good", "unsafe")))
    assert bad.key == good.key != unsafe.key


def test_work_on_another_models_answer_says_nothing_of_this_call() -> None:
    """Somebody had imported that answer as a prediction: its rating would stand on the wrong span."""
    assert said(judgement(rating(1), imported_base="Lyon.", imported_model="other")) == ()


def test_what_is_said_of_one_of_several_models_answers_stands_on_its_own_span() -> None:
    """Answers to compare came of calls of their own, and the task has the ids of only one of them. What is said of the
    whole stands on the first answer's span; what somebody has damaged has no ids at all."""
    origins = [{"trace_id": f"{n}" * 32, "span_id": f"{n}" * 16, "service_name": f"shop {n}"} for n in (1, 2)]
    outputs = tuple(Message("assistant", (TextPart(text),)) for text in ("Lyon.", "Paris."))
    of = call(output_messages=outputs, metadata={JOINED: origins})
    verdicts = choices("2", name="best"), choices("bad", about=About.ANSWER, index=1)
    answers = answer(Act.ACCEPTED), answer(Act.EDITED, "Nice.", 0.5, index=1)
    found = evaluations_of(judged(judgement(*verdicts, answers=answers), of=of), RULES)
    assert [(e.name, e.trace_id[0], e.span_id[0], e.service_name, e.response_id) for e in found] == [
        ("best", "1", "1", "shop 1", None),
        ("verdict", "2", "2", "shop 2", None),
        ("correction", "2", "2", "shop 2", None),
    ]
    run = replace(of, request_model="gpt-4o-mini")  # of which the same is kept, and whose answers are its own
    assert {e.span_id for e in evaluations_of(judged(judgement(*verdicts), of=run), RULES)} == {of.span_id}
    damaged = replace(of, metadata={JOINED: [{"trace_id": 1}, "?"]})
    assert not any(e.has_valid_ids for e in evaluations_of(judged(judgement(*verdicts), of=damaged), RULES))


def test_corrected_texts_stay_unless_they_are_asked_for() -> None:
    """Neither in the evaluation nor in its repr."""
    one = judgement(comment("secret remark"), answers=(answer(Act.EDITED, "secret text", 0.5),))
    (without,) = said(one)
    (with_text,) = said(one, has_corrections=True)
    assert (without.corrected, with_text.corrected) == (None, "secret text")
    assert "secret" not in repr(with_text)


def test_values_that_nobody_could_send_are_left_out() -> None:
    """Numbers that are none, and text that is not Unicode: the one has no evaluation, the other is mended."""
    numbers = [Verdict("n", "number", value) for value in (float("nan"), float("inf"), 10**400)]
    assert told(judgement(*numbers, choices("a\ud800b", name="c"))) == [("c", None, "a\ufffdb")]


def test_annotators_are_pseudonyms_unless_told_otherwise() -> None:
    """A keyed hash that another key gives otherwise, an address or a number on demand, or nobody."""
    user = User(3, "ann@example.com")
    one, other = annotator_naming(AnnotatorForm.HASH, b"one"), annotator_naming(AnnotatorForm.HASH, b"other")
    assert one(user, "http://a") == one(user, "http://a") != other(user, "http://a")
    assert one(user, "http://a") != one(user, "http://b")
    email = annotator_naming(AnnotatorForm.EMAIL, b"one")
    assert (email(user, ""), email(User(3), "")) == ("ann@example.com", "3")
    assert annotator_naming(AnnotatorForm.NONE, b"one")(user, "") is None
