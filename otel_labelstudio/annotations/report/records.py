"""The figures of a report. Nothing in them depends on how they are shown.

A call counts once in every share, however many people judged it and however many answers it has: each of their words
counts for its part. So the number behind a share is a number of calls, and its interval does not pretend that three
opinions about one call are three calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Interval:
    """The ends of a 95 % interval."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` of ``calls``; ``interval`` is None where the calls are too few to say more than that."""

    count: float
    calls: int
    interval: Interval | None = None

    @property
    def value(self) -> float | None:
        """Between 0 and 1; None where there are no calls."""
        return self.count / self.calls if self.calls else None


@dataclass(frozen=True, slots=True)
class Distribution:
    """Numbers, one a call: the mean with its interval, the median, and how many calls have which value.

    ``max_value`` is the end of the scale where the numbers have one.
    """

    calls: int
    mean: float
    median: float
    interval: Interval | None
    counts: tuple[tuple[float, int], ...]
    max_value: float | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """What people said by a Rating or a Number control."""

    control: str
    kind: str  # rating or number
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class Choices:
    """What people chose by a Choices control, the most frequent first: shares of the calls that it was used on."""

    control: str
    calls: int
    values: tuple[tuple[str, Share], ...]


@dataclass(frozen=True, slots=True)
class Place:
    """How often the answer at ``index`` (0 is the first one shown) came in first place where answers were compared.

    ``won`` of ``pairs`` comparisons with one other answer it won.
    """

    index: int
    first: Share
    won: int
    pairs: int

    @property
    def win_rate(self) -> float | None:
        """Between 0 and 1; None where it was compared with no other answer."""
        return self.won / self.pairs if self.pairs else None


@dataclass(frozen=True, slots=True)
class Match:
    """How often people preferred an answer of ``model`` to one of ``other``, of the calls that had both."""

    model: str
    other: str
    won: Share


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What people said of the calls that have something in common; ``name`` says what.

    ``unchanged``, ``edited`` and ``removed`` are what became of the answers' texts; ``edit_size`` is the share of an
    edited answer that changed, between 0 and 1. ``written`` counts answers that people wrote beside the model's.
    """

    name: str
    calls: int
    judgements: int
    annotators: int
    unchanged: Share
    edited: Share
    removed: Share
    edit_size: Distribution | None = None
    numbers: tuple[Numbers, ...] = ()
    choices: tuple[Choices, ...] = ()
    places: tuple[Place, ...] = ()
    written: int = 0
    comments: int = 0
    median_lead_time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The groups that a field of the calls makes, the largest first; ``left_out`` counts those that are too many."""

    field: str
    groups: tuple[Group, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's alpha of one control: 1 is full agreement, 0 what chance gives.

    ``units`` is how many things two people or more judged, ``pairs`` how many pairs of judgements those make. ``alpha``
    is None where the units are too few, or where everybody always said the same.
    """

    control: str
    level: str  # nominal, ordinal or interval
    alpha: float | None
    interval: Interval | None
    units: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Period:
    """Calls that began at ``start`` or later and before ``end``; None is an open end. Times are in UTC."""

    start: datetime | None
    end: datetime | None

    def __contains__(self, when: datetime) -> bool:
        return (self.start is None or self.start <= when) and (self.end is None or when < self.end)


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure in two periods. ``max_value`` is None for shares, whose values are between 0 and 1."""

    figure: str
    before: float
    after: float
    calls_before: int
    calls_after: int
    interval: Interval | None
    is_share: bool = True

    @property
    def value(self) -> float:
        return self.after - self.before

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves no difference out."""
        return self.interval is not None and 0.0 not in self.interval


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one period to another, for all calls and for each group that both periods have."""

    before: Period
    after: Period
    groups: tuple[tuple[str, tuple[Difference, ...]], ...]


@dataclass(frozen=True, slots=True)
class TaskLink:
    """A task of Label Studio's; ``url`` is None where the server is not known."""

    task_id: int
    project: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Words that people put in the place of others, in ``calls`` calls; one of both texts may be empty."""

    removed: str
    inserted: str
    calls: int
    example: TaskLink


@dataclass(frozen=True, slots=True)
class Remarkable:
    """A task worth a look: an answer that was removed, much edited or rated low."""

    task: TaskLink
    model: str
    why: str
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All figures. ``disregarded`` counts annotations that are nobody's judgement, and tasks without a call, by reason.

    ``started`` and ``ended`` are when the first and the last of the judged calls began, in UTC.
    """

    projects: tuple[str, ...]
    started: datetime | None
    ended: datetime | None
    total: Group
    disregarded: tuple[tuple[str, int], ...] = ()
    breakdowns: tuple[Breakdown, ...] = ()
    matches: tuple[Match, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    comparison: Comparison | None = None
    edits: tuple[Edit, ...] = ()
    remarkable: tuple[Remarkable, ...] = ()
