"""The records of the way back: what people did in Label Studio, without its JSON and without any format's words.

`collect` gives an `AnnotatedTask` for each task that somebody worked on; `judge` makes a `JudgedCall` of it; datasets,
feedback and the report are written from judged calls. Standard library only, beside the call itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from otel_labelstudio.calls import LLMCall

# Why nothing can be said of a task that may well hold something
UNREADABLE_TASK, JUDGING_FAILED = "unreadable_task", "fault"
# Of a Rating that says none
DEFAULT_MAX_RATING = 5
# An annotation's times of creation and of its first update are taken some milliseconds apart
_CREATION = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Control:
    """A control tag of a labeling configuration: ``tag`` is ``TextArea``, ``Choices``, ``Rating``, ...

    ``repeats`` is the variable of the Repeater around it, in which case ``name`` holds the index flag; ``max_rating``
    is that of a Rating, ``buckets`` are those of a Ranker, best first, ``default_bucket`` the one in which all begin,
    ``items`` the variables that a Pairwise compares, a Ranker sorts or dynamic Choices offer, without their ``$``. One
    that ``is_conditional`` is on the page only after a certain choice, and leaves nothing in an annotation while it is
    not.
    """

    name: str
    tag: str
    to_name: str = ""
    repeats: str | None = None
    max_rating: int | None = None
    buckets: tuple[str, ...] = ()
    default_bucket: str | None = None
    items: tuple[str, ...] = ()
    is_conditional: bool = False


@dataclass(frozen=True, slots=True)
class AnnotatedProject:
    """A project that annotations come from; ``url`` is its server's address, empty where only a file is at hand."""

    id: int
    title: str = ""
    url: str = ""
    controls: tuple[Control, ...] = ()

    @property
    def key(self) -> str:
        """By which states tell projects apart, also those of several servers."""
        return f"{self.url} {self.id}"


@dataclass(frozen=True, slots=True)
class Region:
    """What one control says in an annotation or a prediction.

    ``value`` by ``type``: ``textarea`` and ``choices`` a tuple of texts, ``rating`` and ``number`` a number,
    ``pairwise`` ``"left"`` or ``"right"``, ``ranker`` a tuple of item ids, best first, or a mapping from bucket to
    item ids; the labels of a dialogue's turn (``paragraphlabels`` and the like) a tuple of texts, with the ``turn``;
    any other type has what Label Studio wrote. ``origin`` is ``prediction``, ``prediction-changed``, ``manual``, or
    None where a script wrote it.
    """

    type: str
    from_name: str
    to_name: str
    value: Any = field(repr=False)
    origin: str | None = None
    turn: int | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A person of Label Studio, by id; ``email`` is None where it is not at hand."""

    id: int
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One person's work on one task. Times are in UTC. ``is_draft`` where it was never submitted: drafts have ids of
    their own, which those of annotations may equal."""

    id: int
    unique_id: str | None = None
    by: User | None = None
    updated_by: User | None = None
    created_at: datetime
    updated_at: datetime
    lead_time_s: float | None = None
    is_skipped: bool = False
    is_draft: bool = False
    is_ground_truth: bool = False
    parent_prediction_id: int | None = None
    parent_annotation_id: int | None = None
    regions: tuple[Region, ...] = ()

    @property
    def annotator(self) -> User | None:
        """Whose word it is: where another person updated it later, theirs. Who stored it for somebody else does not
        count."""
        was_updated = self.updated_at - self.created_at > _CREATION
        return (self.updated_by if was_updated else None) or self.by


@dataclass(frozen=True, slots=True)
class Prediction:
    """An answer that was filled in for people: ours, or one that somebody imported."""

    id: int
    model_version: str | None
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class AnswerOrigin:
    """Where the model's answer was put in the task when it was built, ``from_name`` being None where the labeling
    configuration had no place for one; ``answers_sha256`` is that of its texts, None where the task was sent without a
    prediction."""

    from_name: str | None = None
    to_name: str | None = None
    answers_sha256: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedTask:
    """A task with all that people did on it; the repr shows no content.

    ``call`` is None where the task is not ours or cannot be read, or its call cannot; ``why_no_call`` is then
    ``not_ours``, ``unreadable_task`` or ``unreadable_call``. ``origin`` is None where the task does not tell it: it is
    not ours, or of an early version.
    """

    id: int
    project: AnnotatedProject
    updated_at: datetime | None = None
    call: LLMCall | None = field(default=None, repr=False)
    call_id: str | None = None
    why_no_call: str | None = None
    origin: AnswerOrigin | None = None
    annotations: tuple[Annotation, ...] = ()
    predictions: tuple[Prediction, ...] = ()

    @property
    def url(self) -> str | None:
        """The task in the Data Manager; None where only an export file is at hand."""
        server = self.project.url
        is_known = server.lower().startswith(("http://", "https://"))
        return f"{server.rstrip('/')}/projects/{self.project.id}/data?task={self.id}" if is_known else None


class Act(str, Enum):
    """What a person did with one answer of the model's."""

    ACCEPTED = "accepted"  # the text is as it was
    UNTOUCHED = "untouched"  # there is no text in the annotation: it was rated or chosen only, which accepts it
    WHITESPACE = "whitespace"  # nothing but white space differs
    EDITED = "edited"  # at least half of it is left
    REWRITTEN = "rewritten"  # another text stands in its place
    REMOVED = "removed"  # and nothing put in its place

    @property
    def keeps_answer(self) -> bool:
        """Whether the model's answer stands as it came."""
        return self in (Act.ACCEPTED, Act.UNTOUCHED)

    @property
    def changes_answer(self) -> bool:
        """Whether another text stands in its place; white space alone is no change."""
        return self in (Act.EDITED, Act.REWRITTEN)


class About(str, Enum):
    """What a verdict is about: the call as a whole, one of its answers, a step of an agent's run, a turn."""

    CALL = "call"
    ANSWER = "answer"
    STEP = "step"
    TURN = "turn"


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """An answer of the model, and what a person left of it.

    ``index`` is that of the call's output message, ``base`` the text as people saw it, ``final`` what it became (None
    where it was removed); ``similarity`` is between 0 and 1.
    """

    index: int
    base: str = field(repr=False)
    final: str | None = field(repr=False)
    act: Act
    similarity: float = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said by one control: a rating, a number, choices or a comment.

    ``name`` is the control's, without the index of a Repeater, which is ``index`` then. ``value`` is a number for a
    rating and a number, a tuple of texts for choices, a text for a comment (which the repr does not show);
    ``max_value`` is a rating's scale as the project has it now.
    """

    name: str
    kind: str  # rating, number, choices or comment
    value: float | str | tuple[str, ...] = field(repr=False)
    about: About = About.CALL
    index: int | None = None
    max_value: float | None = None


@dataclass(frozen=True, slots=True)
class Preference:
    """One answer is better than another, said by ``control``; both are indexes of output messages."""

    better: int
    worse: int
    control: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one person said of one call, by their latest annotation.

    ``answers`` has one entry for each output message. ``written`` are texts that stand for none of the model's.
    ``preferences`` are all pairs that a ranking, a comparison or the choice of the best one says. ``liked`` and
    ``disliked`` are the answers that were called good or bad by themselves: the best of several, all of which none was
    found good, those in the first and the last of a Ranker's buckets, and by the verdicts of the layout ``compare``.
    ``imported_base`` is the text that the person started from where it was another model's prediction, with its
    ``model_version`` in ``imported_model``; ``answers`` are then compared with the call's own all the same, which that
    person may not have seen.
    """

    annotation: Annotation
    answers: tuple[JudgedAnswer, ...]
    written: tuple[str, ...] = field(default=(), repr=False)
    verdicts: tuple[Verdict, ...] = ()
    preferences: tuple[Preference, ...] = ()
    liked: frozenset[int] = frozenset()
    disliked: frozenset[int] = frozenset()
    imported_base: str | None = field(default=None, repr=False)
    imported_model: str | None = None

    @property
    def annotator(self) -> User | None:
        """Whose word it is."""
        return self.annotation.annotator

    @property
    def comments(self) -> tuple[str, ...]:
        """What the person remarked, in the order of the controls."""
        return tuple(str(verdict.value) for verdict in self.verdicts if verdict.kind == "comment")


class Disregarded(str, Enum):
    """Why an annotation is nobody's judgement."""

    SKIPPED = "skipped"
    DRAFT = "draft"
    BULK = "bulk"  # made of predictions by an action of the Data Manager
    SUPERSEDED = "superseded"  # the same person's later annotation counts
    EMPTY = "empty"  # it says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedCall:
    """A call with what each person said of it, oldest annotation first, and what is nobody's judgement and why."""

    task: AnnotatedTask = field(repr=False)
    call: LLMCall = field(repr=False)
    judgements: tuple[Judgement, ...] = ()
    disregarded: Mapping[int, Disregarded] = field(default_factory=dict)  # by the annotation's id, a draft's negated


@dataclass(frozen=True, slots=True)
class NotJudged:
    """A task of which nothing can be said, and why: that of its ``why_no_call``, or ``fault`` where judging failed."""

    task: AnnotatedTask = field(repr=False)
    why: str

    @property
    def is_unknown(self) -> bool:
        """Whether what people said of it could not be learned this time: what was learned earlier still counts."""
        return self.why in (UNREADABLE_TASK, JUDGING_FAILED)
