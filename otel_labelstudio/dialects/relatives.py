"""Calls of which another span has content: the step or node around a request, the raw request below it.

Such a span lends what it has to the one call next to it, its parent or child. Where several could be meant (a request
that was tried twice), nothing tells whose content it is, and none borrows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from otel_labelstudio.dialects import litellm, livekit, mastra, voltagent
from otel_labelstudio.dialects.dialect import Findings
from otel_labelstudio.spans.model import Span, SpanIds


class Lender(Protocol):
    """A dialect in which one span has content of the call that another span is."""

    def borrows(self, span: Span) -> bool:
        """Whether the span is such a call."""
        ...

    def lends(self, span: Span) -> bool:
        """Whether the span has content of a call next to it. Cheap, as `borrows` is."""
        ...

    def lend(self, span: Span) -> Findings:
        """What a span that lends has of the call."""
        ...


_LENDERS: Sequence[Lender] = (litellm, livekit, mastra, voltagent)


def has_relatives(span: Span) -> bool:
    """Whether the span should wait for another, since one of the two has content of the call that the other is."""
    return any(lender.lends(span) or lender.borrows(span) for lender in _LENDERS)


def lent(relatives: Iterable[Span]) -> Iterator[Findings]:
    """What these spans have of the call next to them."""
    for span in relatives:
        yield from (lender.lend(span) for lender in _LENDERS if lender.lends(span))


def lending_relatives(spans: Iterable[Span]) -> dict[SpanIds, tuple[Span, ...]]:
    """For each of the spans that is such a call, by its ids, the spans that have content of it."""
    lenders, calls = [], []
    for span in spans:
        for lender in _LENDERS:
            if lender.lends(span):
                lenders.append(span)
            elif lender.borrows(span):
                calls.append(span)
    if not lenders or not calls:
        return {}
    return _matched(lenders, calls)


def _matched(lenders: Iterable[Span], calls: Iterable[Span]) -> dict[SpanIds, tuple[Span, ...]]:
    nearby: defaultdict[SpanIds, list[Span]] = defaultdict(list)
    for call in calls:
        nearby[call.trace_id, call.span_id].append(call)
        nearby[call.trace_id, call.parent_span_id].append(call)
    found: defaultdict[SpanIds, tuple[Span, ...]] = defaultdict(tuple)
    for lender in lenders:
        # A call's own ids stand for it as the parent of the lender, its parent's for it as the child
        next_to = [c for c in nearby[lender.trace_id, lender.parent_span_id] if c.span_id == lender.parent_span_id]
        next_to += [c for c in nearby[lender.trace_id, lender.span_id] if c.parent_span_id == lender.span_id]
        if len(next_to) == 1:
            found[next_to[0].trace_id, next_to[0].span_id] += (lender,)
    return dict(found)
