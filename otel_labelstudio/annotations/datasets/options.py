"""What a dataset is to hold: the options of the command and of `write_dataset`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.errors import ConfigError

# A Choices control and one of its values
Choice = tuple[str, str]


class Kind(str, Enum):
    """What rows are for: supervised fine-tuning, preference pairs, unpaired preferences, evaluation."""

    SFT = "sft"
    DPO = "dpo"
    KTO = "kto"
    EVAL = "eval"


class Several(str, Enum):
    """Whose word counts where several people judged one call."""

    LATEST = "latest"
    GROUND_TRUTH = "ground-truth"  # and where there is none, the latest
    AGREE = "agree"
    EACH = "each"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetOptions:
    """All options with their defaults; those for ``good`` and ``bad`` are the controls of this project's layouts.

    ``min_edit`` is a share of the text, 0 to 1; ``train_share`` that of the groups that go to ``train``.
    ``annotator`` says how annotators stand in the provenance: ``hash``, ``email`` or ``none``.
    """

    kinds: tuple[Kind, ...] = (Kind.SFT, Kind.DPO)
    format: str = "trl"
    several: Several = Several.GROUND_TRUTH
    annotators: frozenset[str] = frozenset()
    exclude_annotators: frozenset[str] = frozenset()
    min_rating: float = 4
    max_bad_rating: float = 2
    good: frozenset[Choice] = frozenset({("verdict", "good"), ("verdict", "solved")})
    bad: frozenset[Choice] = frozenset({("verdict", "bad"), ("verdict", "failed")})
    accepted: bool = True
    accepted_is_good: bool = False
    edited_is_bad: bool = False
    bulk: bool = False
    min_lead_time_s: float = 0
    min_edit: float = 0
    reasoning: bool = False
    media: bool = False
    incomplete: bool = False
    tools_as_text: bool = False
    train_share: float = 0.9
    split_by: str = "conversation"
    annotator: str = "hash"
    call_filter: Callable[[LLMCall], LLMCall | None] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.train_share <= 1:
            raise ConfigError("--split: give two shares whose sum is 1, such as 0.9/0.1")
        if self.format == "openai" and Kind.KTO in self.kinds:
            raise ConfigError("--format openai has no form for --kind kto; use --format trl")
        if self.good & self.bad:
            raise ConfigError("--good and --bad name the same choice")
        if self.max_bad_rating >= self.min_rating:
            raise ConfigError("--max-bad-rating must be lower than --min-rating")

    @property
    def has_default_bounds(self) -> bool:
        """Whether nobody has said which ratings are good and bad: the bounds are for scales of five."""
        default = DatasetOptions()
        return (self.min_rating, self.max_bad_rating) == (default.min_rating, default.max_bad_rating)

    def fingerprint(self) -> str:
        """What the rows of a call depend on: cached rows are of use for the same alone."""
        return repr([(f.name, _stable(getattr(self, f.name))) for f in fields(self) if f.name not in _AFTERWARDS])

    def flags(self) -> Iterator[str]:
        """The options that are not as they are by default, for the card: without names of people."""
        default = DatasetOptions()
        for name, flag in _FLAGS.items():
            value = getattr(self, name)
            if value != getattr(default, name):
                yield flag if value is True else f"{flag} {_FLAG_VALUES.get(name, str)(value)}"


def _stable(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}:{value.__qualname__}"
    return value


# What only the writing of the files needs
_AFTERWARDS = ("train_share",)


def _choices(choices: frozenset[Choice]) -> str:
    return ",".join(sorted(f"{name}={value}" for name, value in choices))


_FLAGS = {
    "kinds": "--kind",
    "format": "--format",
    "several": "--several",
    "min_rating": "--min-rating",
    "max_bad_rating": "--max-bad-rating",
    "good": "--good",
    "bad": "--bad",
    "accepted": "--accepted",
    "accepted_is_good": "--accepted-is-good",
    "edited_is_bad": "--edited-is-bad",
    "bulk": "--bulk",
    "min_lead_time_s": "--min-lead-time-s",
    "min_edit": "--min-edit",
    "reasoning": "--reasoning",
    "media": "--media",
    "incomplete": "--incomplete",
    "tools_as_text": "--tools-as-text",
    "train_share": "--split",
    "split_by": "--split-by",
}
_FLAG_VALUES: dict[str, Callable[[Any], str]] = {
    "kinds": lambda kinds: ",".join(kind.value for kind in kinds),
    "several": lambda several: str(several.value),
    "good": _choices,
    "bad": _choices,
    "accepted": lambda _: "drop",
    "train_share": lambda share: f"{share:g}/{1 - share:g}",
}
