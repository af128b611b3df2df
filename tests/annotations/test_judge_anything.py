"""Nobody's regions can break the judging of a call."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from difflib import SequenceMatcher
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.judging.similarity import similarity
from otel_labelstudio.annotations.records import Act, Annotation, Control, JudgedCall, Region
from tests.annotations.annotated import ANNA, BEN, NOON, annotation, answered, box, task

NAMES = st.sampled_from(["response", "comment", "best", "rank", "pw", "verdict_0", "verdict_9", "step_verdict_1", ""])
TYPES = st.sampled_from(["textarea", "choices", "rating", "number", "pairwise", "ranker", "paragraphlabels", "video"])
TEXTS = st.sampled_from(["Dawn", "Ember", "Ember red", "Snow", "", " ", "0", "1", "none", "left", "good", "bad"])
SCALARS = st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | TEXTS | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4).map(tuple) | st.dictionaries(TEXTS, inner, max_size=3)
)
CONTROLS = st.lists(
    st.builds(
        Control,
        NAMES | st.just("verdict_{{idx}}") | st.just("{{"),
        st.sampled_from(["TextArea", "Choices", "Ranker", "Pairwise"]),
        repeats=st.none() | st.sampled_from(["choices", "steps", "turns", ""]),
        buckets=st.lists(TEXTS, max_size=3).map(tuple),
        items=st.lists(st.sampled_from(["answers", "choice_numbers", "answer_a", "response_0", "x[", ""])).map(tuple),
    ),
    max_size=4,
)
REGIONS = st.builds(
    Region,
    TYPES,
    NAMES,
    st.just("dialogue"),
    VALUES,
    st.sampled_from([None, "manual", "prediction", "prediction-changed"]),
    st.none() | st.integers(),
)


@st.composite
def made_annotations(draw: st.DrawFn) -> Annotation:
    people = st.sampled_from([None, ANNA, BEN])
    return annotation(
        *draw(st.lists(REGIONS, max_size=4)),
        by=draw(people),
        updated_by=draw(people),
        updated_at=NOON + timedelta(seconds=draw(st.integers(-10, 10))),
        is_skipped=draw(st.booleans()),
        is_draft=draw(st.booleans()),
        is_ground_truth=draw(st.booleans()),
        lead_time_s=draw(st.none() | st.just(1.0)),
        parent_annotation_id=draw(st.none() | st.integers(0, 50)),
        parent_prediction_id=draw(st.none() | st.just(10) | st.integers(0, 50)),
    )


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(TEXTS, max_size=4), st.lists(made_annotations(), max_size=5), CONTROLS, st.booleans())
def test_any_annotations_are_judged(
    texts: list[str], made: list[Annotation], controls: list[Control], keep_bulk: bool
) -> None:
    """Each is a judgement or disregarded, no person has two, and every number is that of an answer."""
    found = judge(task(answered(*texts), *made, controls=controls), keep_bulk=keep_bulk)
    assert isinstance(found, JudgedCall)
    assert len(found.judgements) + len(found.disregarded) == len(made)
    known = [j.annotator for j in found.judgements if j.annotator]
    assert len(known) == len(set(known))
    indexes = set(range(len(texts)))
    for judgement in found.judgements:
        assert [answer.index for answer in judgement.answers] == list(range(len(texts)))
        assert all({p.better, p.worse} <= indexes and p.better != p.worse for p in judgement.preferences)
        assert judgement.liked | judgement.disliked <= indexes
        assert not judgement.liked & judgement.disliked


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=5), st.lists(TEXTS, max_size=5))
def test_every_text_is_somebodys(bases: list[str], finals: list[str]) -> None:
    """What a person left is the final text of an answer, or a text of their own; each once."""
    found = judge(task(answered(*bases), annotation(box(*finals))))
    assert isinstance(found, JudgedCall)
    for judgement in found.judgements:
        kept = [a.final for a in judgement.answers if a.final is not None and a.final.strip()]
        assert sorted([*kept, *judgement.written]) == sorted(text for text in finals if text.strip())
        for answer in judgement.answers:
            assert 0 <= answer.similarity <= 1
            assert (answer.final is None) == (answer.act is Act.REMOVED)
            assert (answer.final == answer.base) == (answer.act is Act.ACCEPTED)


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_similarity_is_a_share(one: str, other: str) -> None:
    """Of equal texts all, of others less."""
    assert (similarity(one, other) == 1) == (one == other)
    assert 0 <= similarity(one, other) <= 1


def test_similarity_of_long_texts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of a model that repeats itself, which `difflib` alone would compare for hours, are not given to it."""

    class Bounded(SequenceMatcher[Any]):
        def __init__(self, isjunk: None, a: Sequence[Any], b: Sequence[Any], autojunk: bool) -> None:
            assert max(len(a), len(b)) <= 2_000
            super().__init__(isjunk, a, b, autojunk)

    monkeypatch.setattr("otel_labelstudio.annotations.judging.similarity.SequenceMatcher", Bounded)
    texts: Any = ["a b " * 100_000, "b a " * 100_000, "ab" * 50_000, "x".join("a" * 10_000)]
    assert all(0 <= similarity(one, other) <= 1 for one in texts for other in texts)
    assert similarity("The plan. " * 5_000, "The plan. " * 4_000 + "An end.") > 0.8
