"""Judged calls in, one after the other, and a report out. Holds counts, not calls."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from otel_labelstudio.annotations.records import JudgedCall, Judgement, NotJudged
from otel_labelstudio.annotations.report.agreement import AgreementTally
from otel_labelstudio.annotations.report.comparing import differences
from otel_labelstudio.annotations.report.edits import EditTally
from otel_labelstudio.annotations.report.fields import DEFAULT, checked, project_name, value_of
from otel_labelstudio.annotations.report.matches import MatchTally
from otel_labelstudio.annotations.report.records import Breakdown, Comparison, Period, Report
from otel_labelstudio.annotations.report.remarkable import RemarkableTally
from otel_labelstudio.annotations.report.summary import group
from otel_labelstudio.annotations.report.tally import Tally

ALL, OTHERS = "all calls", "(others)"
# Groups that are shown of each field, and those that are counted: user_id has as many as there are users
SHOWN_GROUPS, _MOST_GROUPS = 25, 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def report_of(
    judged_calls: Iterable[JudgedCall | NotJudged],
    *,
    by: Sequence[str] = DEFAULT,
    compare: tuple[Period, Period] | None = None,
) -> Report:
    """The figures of what people said.

    Args:
        judged_calls: what `judge` gives; it is read once, and not kept.
        by: fields of the calls, each of which makes groups; several fields joined by ``+`` make groups together.
        compare: two periods in which the calls began.

    Raises:
        ConfigError: a field is not known.
    """
    builder = _Builder([checked(field) for field in by], compare)
    for judged in judged_calls:
        if isinstance(judged, NotJudged):
            builder.leave_out(judged)
        else:
            builder.add(judged)
    return builder.report(is_by_default=tuple(by) == DEFAULT)


@dataclass(slots=True)
class _Tallies:
    """Of one group: of all its calls, and of those in each of the two periods."""

    whole: Tally
    periods: tuple[Tally, Tally]


def _tallies() -> _Tallies:
    return _Tallies(Tally(), (Tally(), Tally()))


class _Builder:
    def __init__(self, by: Sequence[str], compare: tuple[Period, Period] | None) -> None:
        self._compare = compare
        self._all = _tallies()
        self._groups: dict[str, dict[str, _Tallies]] = {field: defaultdict(_tallies) for field in by}
        self._agreement, self._matches = AgreementTally(), MatchTally()
        self._edits, self._remarkable = EditTally(), RemarkableTally()
        self._projects: set[str] = set()
        self._disregarded: Counter[str] = Counter()
        self._started: datetime | None = None
        self._ended: datetime | None = None

    def add(self, judged: JudgedCall) -> None:
        self._projects.add(project_name(judged.task.project))
        self._disregarded.update(reason.value for reason in judged.disregarded.values())
        if not judged.judgements:
            return
        began = _EPOCH + timedelta(microseconds=judged.call.start_time_unix_nano // 1000)
        self._started, self._ended = min(self._started or began, began), max(self._ended or began, began)
        for tally in (self._agreement, self._matches, self._edits, self._remarkable):
            tally.add(judged)
        self._count(self._all, judged.judgements, began)
        for imported_model, judgements in _by_base(judged):
            for field, groups in self._groups.items():
                value = value_of(field, judged, imported_model)
                known = value if value in groups or len(groups) < _MOST_GROUPS else OTHERS
                self._count(groups[known], judgements, began)

    def leave_out(self, task: NotJudged) -> None:
        self._disregarded[f"task {task.why.replace('_', ' ')}"] += 1

    def report(self, *, is_by_default: bool) -> Report:
        return Report(
            projects=tuple(sorted(self._projects)),
            started=self._started,
            ended=self._ended,
            total=group(ALL, self._all.whole),
            disregarded=tuple(sorted(self._disregarded.items())),
            breakdowns=tuple(
                _breakdown(field, groups)
                for field, groups in self._groups.items()
                if not is_by_default or _tells_something(field, groups)
            ),
            matches=self._matches.matches(),
            agreement=tuple(self._agreement.agreement()),
            comparison=self._comparison(),
            edits=self._edits.most_frequent(),
            remarkable=self._remarkable.most(),
        )

    def _count(self, tallies: _Tallies, judgements: Sequence[Judgement], began: datetime) -> None:
        tallies.whole.add(judgements)
        for period, tally in zip(self._compare or (), tallies.periods, strict=False):
            if began in period:
                tally.add(judgements)

    def _comparison(self) -> Comparison | None:
        if self._compare is None:
            return None
        scopes = [(ALL, self._all)]
        for field, groups in self._groups.items():
            if len(groups) > 1:
                scopes += [(f"{field}: {name}", tallies) for name, tallies in _largest(groups)]
        found = [(name, tuple(differences(*tallies.periods))) for name, tallies in scopes]
        return Comparison(*self._compare, tuple((name, rows) for name, rows in found if rows))


def _by_base(judged: JudgedCall) -> Iterator[tuple[str | None, list[Judgement]]]:
    """The judgements by the model whose answer people began with; None is the call's own."""
    found: dict[str | None, list[Judgement]] = {}
    for judgement in judged.judgements:
        found.setdefault(judgement.imported_model, []).append(judgement)
    yield from found.items()


def _tells_something(field: str, groups: dict[str, _Tallies]) -> bool:
    """One group says what all calls say, but for its name, which is worth a table where it is the model's."""
    return len(groups) > 1 or (field == DEFAULT[0] and bool(groups))


def _largest(groups: dict[str, _Tallies]) -> list[tuple[str, _Tallies]]:
    return sorted(groups.items(), key=lambda item: (-item[1].whole.calls, item[0]))[:SHOWN_GROUPS]


def _breakdown(field: str, groups: dict[str, _Tallies]) -> Breakdown:
    shown = tuple(group(name, tallies.whole) for name, tallies in _largest(groups))
    return Breakdown(field, shown, len(groups) - len(shown))
