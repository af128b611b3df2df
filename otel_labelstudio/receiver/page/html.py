"""A snapshot as a page: plain HTML that reloads itself, with its style inside, light or dark as the browser prefers."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from importlib.resources import files
from xml.etree.ElementTree import Element

from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.outbox.status import OutboxStatus
from otel_labelstudio.overview import PipelineOverview
from otel_labelstudio.receiver.page.elements import document, element, stylesheet
from otel_labelstudio.receiver.page.headline import headlines
from otel_labelstudio.receiver.page.snapshot import Snapshot

HTML = "text/html; charset=utf-8"
_REFRESH_S = 10
_MOST_CHARACTERS = 200
_STYLE = (files(__package__) / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Nothing runs, nothing is loaded, nobody frames it, and its form goes to where it came from
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

# The values of `SkipReason`; a test holds them to it
SKIPPED = {
    "not_genai": "Not a span of an LLM call.",
    "not_inference": "An agent, a chain, a tool, a retriever or an embedding, not a call to a model.",
    "content_not_captured": "An LLM call without its content: the instrumentation does not capture it.",
    "failed": "The call failed before an answer came. With failed_calls=true such calls become tasks too.",
    "fault": "An error in this program. Please report it.",
    "answer_unreadable": "The answer is cut, redacted or empty: there is nothing to label.",
}


def status_html(snapshot: Snapshot, not_ready: str, form_token: str) -> bytes:
    """The page, with a form that holds the token."""
    pipeline, now = snapshot.pipeline, snapshot.taken_at
    body = element(
        "body",
        _header(snapshot),
        element("main", *_states(snapshot, not_ready), _figures(snapshot)),
        *_paused(pipeline.outbox, now),
        *_dead_letters(pipeline.outbox, now, form_token),
        *_arrivals(pipeline, now),
        *_skipped(pipeline),
    )
    return document(element("html", _head(), body, lang="en"))


def _head() -> Element:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="refresh", content=f"{_REFRESH_S}; url=status"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="robots", content="noindex"),
        element("title", "otel-labelstudio: status"),
        element("link", rel="icon", href="data:,"),  # else the browser asks for one
        stylesheet(_STYLE),
    )


def _header(snapshot: Snapshot) -> Element:
    said = f"Delivers to {_cut(snapshot.label_studio)}. As of {_time(snapshot.taken_at)}; reloads every "
    said += f"{_REFRESH_S} seconds. "
    return element(
        "header",
        element("h1", "otel-labelstudio serve"),
        element("p", said, element("a", "As JSON", href="status?format=json"), "."),
    )


def _states(snapshot: Snapshot, not_ready: str) -> Iterable[Element]:
    return [element("p", line.text, class_=f"state {line.level}") for line in headlines(snapshot, not_ready)]


def _figures(snapshot: Snapshot) -> Element:
    outbox, inbox, now = snapshot.pipeline.outbox, snapshot.inbox, snapshot.taken_at
    waiting = f"{outbox.waiting - outbox.pending:,} not yet complete, {outbox.pending:,} ready to deliver"
    oldest = "-" if outbox.oldest_age_s is None else _age(outbox.oldest_age_s)
    figures = (
        ("Calls waiting", f"{outbox.waiting:,}", f"{waiting}; room for {snapshot.capacity:,}"),
        ("Oldest waits for", oldest, ""),
        ("Delivered in the last minute", f"{outbox.delivered_last_minute:,}", _last(outbox.last_delivered_at, now)),
        ("Paused destinations", f"{outbox.paused_count:,}", ""),
        ("Dead letters", f"{outbox.states['dead']:,}", ""),
        ("Requests not yet read", _bytes(inbox.size), f"room for {_bytes(inbox.max_bytes)}"),
    )
    return element("dl", *(_figure(*figure) for figure in figures))


def _figure(name: str, value: str, note: str) -> Element:
    return element("div", element("dt", name), element("dd", value, *([element("small", note)] if note else [])))


def _paused(outbox: OutboxStatus, now: float) -> list[Element]:
    if not outbox.paused_count:
        return []
    rows = [
        (_project(paused.destination), paused.reason, f"{_age(now - paused.tried_at)} ago") for paused in outbox.paused
    ]
    return [
        element("h2", "Paused destinations"),
        _table(("Destination", "Why, and what to check", "Last tried"), rows, ("", "", "when")),
        _more(len(rows), outbox.paused_count),
        _note("No call is lost. When the cause is corrected, delivery resumes by itself within a minute."),
    ]


def _dead_letters(outbox: OutboxStatus, now: float, form_token: str) -> list[Element]:
    number = outbox.states["dead"]
    if not number:
        return []
    rows = [
        (f"{_age(now - letter.died_at)} ago", _project(letter.destination), _cut(letter.call_id), letter.reason)
        for letter in outbox.dead_letters
    ]
    form = element(
        "form",
        element("input", type="hidden", name="token", value=form_token),
        element("button", f"Retry all {number:,}", type="submit"),
        method="post",
        action="status/retry",
    )
    return [
        element("h2", "Dead letters"),
        _table(("Refused", "Destination", "Call", "Why"), rows, ("when", "", "call", "")),
        _more(len(rows), number),
        _note("These calls were refused for good. Correct the cause first: what is refused again comes back here."),
        form,
    ]


def _arrivals(pipeline: PipelineOverview, now: float) -> list[Element]:
    rows = [
        (
            source.service or "(no service.name)",
            source.dialect or "-",
            f"{source.received:,}",
            f"{source.skipped:,}",
            f"{_age(now - source.last_at)} ago",
        )
        for source in pipeline.sources
    ]
    names = ("Service", "Dialect", "LLM spans and log records", "Skipped", "Last")
    return [
        element("h2", "What arrives"),
        _table(names, rows, ("", "", "number", "number", "when"))
        if rows
        else _note("Nothing since this process started."),
        _more(len(rows), pipeline.source_count),
    ]


def _skipped(pipeline: PipelineOverview) -> list[Element]:
    if not pipeline.skipped:
        return []
    rows = [(reason, f"{number:,}", SKIPPED.get(reason, "")) for reason, number in pipeline.skipped.items()]
    hints = [element("li", f"{hint.spans:,} spans: {hint.text}") for hint in pipeline.hints]
    return [
        element("h2", "Skipped spans"),
        _table(("Reason", "Spans", "Meaning"), rows, ("", "number", "")),
        *([_note("How to turn on the content:"), element("ul", *hints)] if hints else []),
    ]


def _table(names: Sequence[str], rows: Iterable[Sequence[str]], classes: Sequence[str]) -> Element:
    head = element("tr", *(element("th", name, scope="col", class_=c) for name, c in zip(names, classes, strict=True)))
    body = [
        element("tr", *(element("td", cell, class_=c) for cell, c in zip(row, classes, strict=True))) for row in rows
    ]
    return element("table", element("thead", head), element("tbody", *body))


def _more(shown: int, number: int) -> Element:
    return _note(f"The newest {shown:,} of {number:,}." if number > shown else "")


def _note(text: str) -> Element:
    return element("p", text, class_="note")


def _project(destination: str) -> str:
    return _cut(str(Destination.loads(destination)))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}..."


def _last(at: float | None, now: float) -> str:
    return "nothing yet" if at is None else f"last {_age(now - at)} ago"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _age(seconds: float) -> str:
    seconds = max(0.0, seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.0f} days"


def _bytes(number: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:,} {unit}"
        number //= 1024
    return f"{number:,} GiB"
