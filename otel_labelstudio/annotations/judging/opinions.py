"""Which answers a person found better than others, and which good or bad by themselves.

A comparison or a ranking says that one is better than another, and no more. That an answer is good or bad by itself say
the first and the last of a Ranker's buckets, the choice of the best one, and a verdict on each.

Label Studio's page stores a Ranker that nobody has touched too: in the order in which the answers came, or all in the
bucket where they begin. So such an order says something only where it is all that the annotation has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any, TypeGuard

from otel_labelstudio.annotations.indexes import index_in
from otel_labelstudio.annotations.judging.starting_point import texts_of
from otel_labelstudio.annotations.judging.verdicts import Place, place_of
from otel_labelstudio.annotations.records import About, Annotation, Control, Preference, Region, Verdict
from otel_labelstudio.tasks.label_config import Variable
from otel_labelstudio.tasks.variables import answer_index, shows_answer

# Of the layout `compare`: the control, the variable of its options, the one that says that no answer is good, and what
# is said of each answer
_BEST, _NUMBERS, _NONE = "best", "choice_numbers", "none"
_GOOD, _BAD = "good", "bad"


@dataclass(frozen=True, slots=True)
class Opinion:
    """Of one annotation; the numbers are indexes of output messages."""

    preferences: tuple[Preference, ...] = ()
    liked: frozenset[int] = frozenset()
    disliked: frozenset[int] = frozenset()

    @property
    def says_something(self) -> bool:
        """Whether there is any."""
        return bool(self.preferences or self.liked or self.disliked)


def opinion_of(
    annotation: Annotation, controls: Sequence[Control], verdicts: Iterable[Verdict], answers: int
) -> Opinion:
    """What the annotation says of a call that has so many answers."""
    others = len(annotation.regions) - 1
    opinions = [
        _of_region(region, place, answers)
        for region, place in ((region, place_of(region, controls)) for region in annotation.regions)
        if not (others and _may_be_untouched(region, place.control, answers))
    ]
    return _joined([*opinions, _of_verdicts(verdicts, answers)])


def _may_be_untouched(region: Region, control: Control | None, answers: int) -> bool:
    """Whether a Ranker is as the page showed it at first; a program's is as it was meant."""
    if region.type != "ranker" or region.origin is None:
        return False
    if isinstance(region.value, Mapping):
        default = control.default_bucket if control else None
        return not any(ids for bucket, ids in region.value.items() if bucket != default)
    return _indexes(region.value, answers) == list(range(answers))


def _of_region(region: Region, place: Place, answers: int) -> Opinion:
    match region.type:
        case "pairwise":
            return _of_pairwise(place.name, region.value, _sides(place.control, answers))
        case "ranker" if _sorts_answers(place.control) and isinstance(region.value, Mapping):
            return _of_buckets(place.name, region.value, place.control.buckets if place.control else (), answers)
        case "ranker" if _sorts_answers(place.control):
            return _in_order(place.name, [[index] for index in _indexes(region.value, answers)])
        case "choices" if place.about is About.CALL:
            return _of_choices(place.name, texts_of(region.value), place.control, answers)
    return Opinion()


def _of_pairwise(name: str, selected: Any, sides: Sequence[int]) -> Opinion:
    if len(sides) != 2 or selected not in ("left", "right"):
        return Opinion()
    return _in_order(name, [[side] for side in (sides if selected == "left" else sides[::-1])])


def _of_buckets(name: str, value: Mapping[Any, Any], buckets: Sequence[str], answers: int) -> Opinion:
    """Without the configuration nobody knows which bucket is the best: a database may sort them by name."""
    sorted_in = [_indexes(value.get(bucket), answers) for bucket in buckets]
    if not sorted_in:
        return Opinion()
    return replace(_in_order(name, sorted_in), liked=frozenset(sorted_in[0]), disliked=frozenset(sorted_in[-1]))


def _of_choices(name: str, chosen: Sequence[str], control: Control | None, answers: int) -> Opinion:
    """The choice of the best answer, by its number or, in an interface of somebody's own, by its id."""
    variable = next(iter(control.items), None) if control else None
    if variable == _NUMBERS or (control is None and name == _BEST):
        if list(chosen) == [_NONE]:
            return Opinion(disliked=frozenset(range(answers)))
        best = [number - 1 for number in map(index_in, chosen) if number is not None and 0 < number <= answers]
    elif variable is not None and shows_answer(Variable(variable, "Choices")):
        best = _indexes(chosen, answers)
    else:
        return Opinion()
    others = [index for index in range(answers) if index not in best]
    return replace(_in_order(name, [best, others]), liked=frozenset(best))


def _of_verdicts(verdicts: Iterable[Verdict], answers: int) -> Opinion:
    """Of each answer by itself; a good one is better than a bad one."""
    said = [v for v in verdicts if v.kind == "choices" and v.about is About.ANSWER and _is_index(v.index, answers)]
    good, bad = ([v.index for v in said if v.value == (word,) and v.index is not None] for word in (_GOOD, _BAD))
    name = said[0].name if said else ""
    return replace(_in_order(name, [good, bad]), liked=frozenset(good), disliked=frozenset(bad))


def _in_order(name: str, places: Sequence[Sequence[int]]) -> Opinion:
    """Each answer is better than all in later places."""
    pairs = (pair for better, worse in combinations(places, 2) for pair in product(better, worse))
    return Opinion(tuple(Preference(better, worse, name) for better, worse in pairs if better != worse))


def _joined(opinions: Iterable[Opinion]) -> Opinion:
    """Together; an answer that is called both good and bad is neither."""
    listed = list(opinions)
    preferences = dict.fromkeys(preference for opinion in listed for preference in opinion.preferences)
    liked = frozenset[int]().union(*(opinion.liked for opinion in listed))
    disliked = frozenset[int]().union(*(opinion.disliked for opinion in listed))
    return Opinion(tuple(preferences), liked - disliked, disliked - liked)


def _sides(control: Control | None, answers: int) -> list[int]:
    """The answers that a Pairwise shows at its left and right; where that is not known, both of two."""
    if control is None or not control.items:
        return [0, 1] if answers == 2 else []
    shown = [answer_index(variable) for variable in control.items]
    return [index for index in shown if _is_index(index, answers)]


def _sorts_answers(control: Control | None) -> bool:
    return control is None or all(shows_answer(Variable(variable, "List")) for variable in control.items)


def _indexes(ids: Any, answers: int) -> list[int]:
    """The answers that have these ids, each once."""
    found = (index_in(item) for item in ids) if isinstance(ids, tuple | list) else ()
    return list(dict.fromkeys(index for index in found if _is_index(index, answers)))


def _is_index(index: int | None, answers: int) -> TypeGuard[int]:
    return index is not None and 0 <= index < answers
