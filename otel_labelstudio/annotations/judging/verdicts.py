"""What a person said by the controls beside the answer: ratings, numbers, choices, comments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from otel_labelstudio.annotations.judging.starting_point import texts_of
from otel_labelstudio.annotations.records import About, Annotation, Control, Region, Verdict
from otel_labelstudio.tasks.label_config import DIALOGUE_NAMES, Variable
from otel_labelstudio.tasks.variables import shows_answer

_INDEX_FLAG = re.compile(r"\{\{[^}]*\}\}")
# The controls of our layouts below a Repeater, for where the labeling configuration is not at hand
_OF_LAYOUTS = (("verdict_{{idx}}", About.ANSWER), ("step_verdict_{{idx}}", About.STEP))
# Above it the square of a number, and sums of squares, may be larger than any float
_LARGEST = 1e100
_TURNS = (*DIALOGUE_NAMES, "turns")


@dataclass(frozen=True, slots=True)
class Place:
    """Whose word it is: a control's name without an index, and what that control is about."""

    name: str
    about: About = About.CALL
    index: int | None = None
    control: Control | None = None


def verdicts_of(annotation: Annotation, controls: Sequence[Control], answer_name: str | None) -> tuple[Verdict, ...]:
    """What the annotation says, but for the answer itself, in its own order."""
    others = [r for r in annotation.regions if r.type != "textarea" or r.from_name != answer_name]
    return tuple(verdict for region in others for verdict in _verdict(region, place_of(region, controls)))


def place_of(region: Region, controls: Sequence[Control]) -> Place:
    """Where a region belongs. One that has the name of no control is placed as in our layouts: the labeling
    configuration may have been changed since."""
    control = next((control for control in controls if control.name == region.from_name), None)
    if control is not None:
        return Place(region.from_name, control=control)
    for control in controls:
        if control.repeats is not None and (index := _index_in(control.name, region.from_name)) is not None:
            return Place(_without_flag(control.name), _about(control.repeats), index, control)
    for name, about in _OF_LAYOUTS:
        if (index := _index_in(name, region.from_name)) is not None:
            return Place(_without_flag(name), about, index)
    return Place(region.from_name)


def _verdict(region: Region, place: Place) -> Iterator[Verdict]:
    value: Any = region.value
    texts = tuple(text for text in texts_of(value) if text.strip())
    if region.type in ("rating", "number"):
        if _is_number(value):
            scale = place.control.max_rating if place.control else None
            yield Verdict(place.name, region.type, value, place.about, place.index, scale)
    elif not texts:
        return
    elif region.type == "textarea":
        yield Verdict(place.name, "comment", "\n".join(texts), place.about, place.index)
    elif region.turn is not None:
        yield Verdict(place.name, "choices", texts, About.TURN, region.turn)
    elif region.type in ("choices", "pairwise"):
        yield Verdict(place.name, "choices", texts, place.about, place.index)


def _is_number(value: Any) -> bool:
    """A finite one, of which means and squares are finite too; an integer may be larger than any float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _about(repeats: str) -> About:
    """What the items of a Repeater are, by its variable."""
    if repeats == "steps":
        return About.STEP
    if repeats in _TURNS:
        return About.TURN
    return About.ANSWER if shows_answer(Variable(repeats, "Repeater")) else About.CALL


def _index_in(control_name: str, from_name: str) -> int | None:
    found = _pattern(control_name).fullmatch(from_name)
    return int(found[1]) if found else None


@lru_cache(maxsize=1024)
def _pattern(control_name: str) -> re.Pattern[str]:
    before, *rest = _INDEX_FLAG.split(control_name, maxsplit=1)
    return re.compile(rf"{re.escape(before)}([0-9]{{1,9}}){re.escape(''.join(rest))}")


def _without_flag(control_name: str) -> str:
    return _INDEX_FLAG.sub("", control_name).strip("_-. ") or control_name
