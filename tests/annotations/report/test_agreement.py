"""Krippendorff's alpha of judged calls, against his own example."""

from __future__ import annotations

from statistics import fmean, variance

import pytest

from otel_labelstudio.annotations.records import About, Act, Verdict
from otel_labelstudio.annotations.report.agreement import AgreementTally
from otel_labelstudio.annotations.report.records import Agreement
from tests.annotations.report.judged import answer, best, chosen, judged, judgement, rating

# K. Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), example C: four observers, twelve units
OBSERVERS = (
    ["1", "2", "3", "3", "2", "1", "4", "1", "2", ".", ".", "."],
    ["1", "2", "3", "3", "2", "2", "4", "1", "2", "5", ".", "3"],
    [".", "3", "3", "3", "2", "3", "4", "2", "2", "5", "1", "."],
    ["1", "2", "3", "3", "2", "4", "4", "1", "2", "5", "1", "."],
)


def score(value: float) -> Verdict:
    """What a Number control says."""
    return Verdict("score", "number", value)


def found(tally: AgreementTally) -> dict[str, Agreement]:
    return {agreement.control: agreement for agreement in tally.agreement()}


def test_alpha_is_that_of_krippendorffs_example() -> None:
    """0.743 for nominal data, 0.815 for ordinal; of twelve units eleven have two values or more, and 40 pairable values
    among them."""
    tally = AgreementTally()
    for values in zip(*OBSERVERS, strict=True):
        said = [(by, value) for by, value in enumerate(values) if value != "."]
        tally.add(judged(*(judgement(by=by, says=[chosen(v), rating(float(v))]) for by, v in said)))
    agreement = found(tally)
    assert agreement["verdict"].level == "nominal"
    assert agreement["verdict"].alpha == pytest.approx(0.743, abs=0.0005)
    assert agreement["rating"].level == "ordinal"
    assert agreement["rating"].alpha == pytest.approx(0.815, abs=0.0005)
    assert agreement["rating"].units == 11
    # Two units of three values, eight of four, one of two: 40 values
    assert agreement["rating"].pairs == 2 * 3 + 8 * 6 + 1
    interval = agreement["rating"].interval
    assert interval is not None
    assert 0.815 in interval


def test_what_a_control_is_about_is_the_unit() -> None:
    """Two steps of one run are two units, and the same answer's verdicts are compared, not its neighbour's."""
    tally = AgreementTally()
    for _ in range(5):
        verdicts = [chosen(v, about=About.STEP, index=i, name="step") for i, v in enumerate(("right", "wrong"))]
        tally.add(judged(judgement(by=1, says=verdicts), judgement(by=2, says=verdicts)))
    assert found(tally)["step"].alpha == pytest.approx(1.0)
    assert (found(tally)["step"].units, found(tally)["step"].pairs) == (10, 10)


def test_nobody_disagrees_with_themselves() -> None:
    """Who labels two words of a turn has one value there, as who chooses two; a turn that one person labeled alone is
    no unit."""
    tally = AgreementTally()
    first, other = (chosen(label, name="facts", about=About.TURN, index=0) for label in ("wrong", "rude"))
    alone = chosen("wrong", name="facts", about=About.TURN, index=1)
    scores = rating(2), rating(4)
    for _ in range(10):
        one, two = (
            judgement(by=1, says=[first, other, alone, alone, *scores]),
            judgement(by=2, says=[other, first, rating(3)]),
        )
        tally.add(judged(one, two))
    assert [(a.control, a.units, a.pairs) for a in tally.agreement()] == [("facts", 10, 10), ("rating", 10, 10)]
    both = chosen("wrong", "rude", name="facts", about=About.TURN, index=0)
    tally.add(judged(judgement(by=1, says=[both]), judgement(by=2, says=[alone])))
    assert found(tally)["facts"].units == 10


def test_who_judged_another_models_answer_agrees_with_those_who_judged_that_one() -> None:
    """And not with those who judged the call's own: three good words of it and two bad ones of the other are two
    units."""
    tally = AgreementTally()
    for _ in range(10):
        own = [judgement(by=by, says=[chosen("good")]) for by in range(3)]
        other = [judgement(by=by, says=[chosen("bad")], imported_base="No.") for by in (3, 4)]
        tally.add(judged(*own, *other))
    (agreement,) = tally.agreement()
    assert agreement.alpha == pytest.approx(1.0)
    assert (agreement.units, agreement.pairs) == (20, 40)


def test_what_became_of_the_text_and_the_best_answer_are_compared_too() -> None:
    """Half of the pairs disagree where one person edits each answer, and the other removes every second one. Who began
    with another model's answer says nothing of the call's own."""
    tally = AgreementTally()
    for number in range(10):
        act = Act.REMOVED if number % 2 else Act.EDITED
        imported = judgement(answer(Act.REMOVED), by=3, imported_base="No.", imported_model="tuned")
        tally.add(judged(judgement(answer(Act.EDITED), by=1), judgement(answer(act), by=2), imported))
        tally.add(judged(judgement(by=1, preferences=best(0, 3)), judgement(by=2, preferences=best(number % 2, 3))))
    assert set(found(tally)) == {"answer text", "first place"}
    assert found(tally)["answer text"].pairs == 10
    # Observed disagreement 10/20; expected 2 * 15 * 5 / (20 * 19)
    assert found(tally)["answer text"].alpha == pytest.approx(1 - (10 / 20) / (2 * 15 * 5 / (20 * 19)), abs=1e-9)


def test_one_annotator_has_no_agreement_and_sameness_no_alpha() -> None:
    """Calls of one person are no units; where all always say the same, alpha is not defined; few units have none."""
    alone, same, few = AgreementTally(), AgreementTally(), AgreementTally()
    for number in range(20):
        alone.add(judged(judgement(says=[rating(4)])))
        same.add(judged(judgement(by=1, says=[rating(4)]), judgement(by=2, says=[rating(4)])))
        if number < 9:
            few.add(judged(judgement(by=1, says=[rating(number)]), judgement(by=2, says=[rating(4)])))
    assert found(alone) == {}
    assert found(same)["rating"].alpha is None
    assert (found(few)["rating"].alpha, found(few)["rating"].units) == (None, 9)


def test_numbers_that_all_differ_take_no_time() -> None:
    """A thousand units of two people whose numbers never repeat: a table of units by values cubed would need gigabytes
    and hours. Alpha is near to that of the numbers themselves, which Krippendorff's formula for interval data gives."""
    tally = AgreementTally()
    pairs = [(number * 0.1, number * 0.1 + (number % 7)) for number in range(1_000)]
    for pair in pairs:
        tally.add(judged(*(judgement(by=by, says=[score(value)]) for by, value in enumerate(pair))))
    (agreement,) = tally.agreement()
    values = [value for pair in pairs for value in pair]
    observed = fmean((one - other) ** 2 for one, other in pairs)
    assert agreement.alpha is not None
    assert agreement.alpha == pytest.approx(1 - observed / (2 * variance(values)), abs=0.02)
    assert agreement.units == 1_000
    assert agreement.interval is not None
    assert agreement.alpha in agreement.interval


def test_choices_that_all_differ_have_no_alpha() -> None:
    """Nothing can be rounded there, and the table would not fit into memory; units and pairs are counted."""
    tally = AgreementTally()
    for number in range(1_000):
        tally.add(judged(*(judgement(by=by, says=[chosen(f"{number}, {by}")]) for by in range(2))))
    (agreement,) = tally.agreement()
    assert (agreement.alpha, agreement.interval) == (None, None)
    assert (agreement.units, agreement.pairs) == (1_000, 1_000)
