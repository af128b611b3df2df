"""What people said in Label Studio, back on the traces: ratings, choices, comments and corrections.

One evaluation for each person and control, on the span of the call. What is there already is not sent again; what was
changed is overwritten, and what was deleted is deleted, where the back end can do that (docs/feedback.md). Runs once;
with --every it goes on until SIGTERM. Credentials come from the environment or a file:
  otlp      OTEL_EXPORTER_OTLP_HEADERS
  langfuse  LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY
  phoenix   PHOENIX_API_KEY
Exit status 1 where the back end refused an evaluation, or the run could not be finished; the next one goes on from the
state.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial

from otel_labelstudio.annotations import collect
from otel_labelstudio.annotations.feedback import (
    SINK_NAMES,
    AnnotatorForm,
    EvaluationRules,
    FeedbackState,
    FeedbackSummary,
    SinkOptions,
    StoppedError,
    annotator_naming,
    open_sink,
    send_feedback,
)
from otel_labelstudio.cli.collecting import add_collecting_arguments, opened_source, since_of
from otel_labelstudio.errors import DeliveryError
from otel_labelstudio.printable import printable

_FORMS, _TIMES = ("events", "spans"), ("annotation", "now")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("back end")
    group.add_argument("--to", choices=SINK_NAMES, required=True, help="jsonl: an object a line on standard output")
    group.add_argument("--endpoint", metavar="URL", help="where it is; else its own variable, else localhost")
    group.add_argument("--credentials", metavar="FILE", help="lines NAME=VALUE, which beat the environment")
    group.add_argument("--as", dest="form", choices=_FORMS, help="otlp: log records (default), or spans with links")
    group.add_argument("--timestamp", choices=_TIMES, help="otlp: time of an event; now where old ones are refused")
    group = parser.add_argument_group("feedback")
    group.add_argument("--state", metavar="FILE", help="what was confirmed, with the key of the annotators' hash")
    group.add_argument("--every", type=_seconds, metavar="S", help="repeat every S seconds, until SIGTERM")
    group.add_argument(
        "--names", type=_names, default={}, metavar="A=B,...", help="rename controls, such as rating=quality"
    )
    group.add_argument("--corrections", action="store_true", help="send corrected texts too")
    group.add_argument(
        "--annotator", choices=[form.value for form in AnnotatorForm], default="hash", help="default: hash"
    )
    group.add_argument("--retry-refused", action="store_true", help="send again what the back end refused")
    group.add_argument(
        "--json", action="store_true", help="the summary as one line of JSON; with --to jsonl on standard error"
    )
    add_collecting_arguments(parser)


def run(options: argparse.Namespace) -> int:
    _check(options)
    with _told_to_stop() as stop, _opened(options, stop) as run_once:
        try:
            if options.every is None:
                return _told(run_once(), options)
            _go_on(run_once, options, stop)
        except StoppedError:
            pass
    return 0


@contextmanager
def _opened(options: argparse.Namespace, stop: threading.Event) -> Iterator[Callable[[], FeedbackSummary]]:
    """State and sink are opened once; each run collects from where the state is."""
    with (
        closing(FeedbackState(options.state)) as state,
        closing(open_sink(options.to, _sink_options(options), options.credentials)) as sink,
    ):
        name_of = annotator_naming(AnnotatorForm(options.annotator), state.annotator_key)
        rules = EvaluationRules(name_of, options.names, has_corrections=options.corrections)
        retries = options.retry_refused

        def run_once() -> FeedbackSummary:
            watermarks = None if retries else partial(state.read_until, sink.target)
            with opened_source(options) as source:
                batches = collect(source, since=since_of(options, watermarks), watermarks=watermarks)
                return send_feedback(batches, sink, state, rules, stop=stop, retries_refused=retries)

        yield run_once


def _go_on(run_once: Callable[[], FeedbackSummary], options: argparse.Namespace, stop: threading.Event) -> None:
    """Round by round. What fails is said, and tried again in the next one."""
    while not stop.is_set():
        try:
            summary = run_once()
            if summary.has_news:
                _told(summary, options)
        except DeliveryError as error:
            print(printable(f"otel-labelstudio: {error}"), file=sys.stderr)
        stop.wait(options.every)


def _check(options: argparse.Namespace) -> None:
    if options.to != "otlp" and (options.form or options.timestamp):
        options.usage_error("--as and --timestamp apply to --to otlp alone")
    if options.to == "jsonl" and options.corrections:
        options.usage_error("--corrections: JSON lines have no place for them; otel-labelstudio dataset writes them")
    if options.to != "jsonl" and options.state is None:
        options.usage_error(f"--to {options.to} needs --state FILE: without it, each run sends everything again")


def _sink_options(options: argparse.Namespace) -> SinkOptions:
    is_timed_now = options.timestamp == "now"
    return SinkOptions(endpoint=options.endpoint, form=options.form or "events", is_timed_now=is_timed_now)


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """Set by SIGTERM: the request under way is finished, and noted."""
    stop = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


def _told(summary: FeedbackSummary, options: argparse.Namespace) -> int:
    """Say what came of a run; the exit status."""
    if options.json:
        print(json.dumps(summary.to_dict()), file=sys.stderr if options.to == "jsonl" else sys.stdout, flush=True)
    else:
        _print(summary)
    return 1 if summary.refusals else 0


def _print(summary: FeedbackSummary) -> None:
    """For people, on standard error as all summaries."""
    lines = [*summary.counts.items(), *((f"refused: {reason}", n) for reason, n in summary.refusals.items())]
    width = max((len(name) for name, _ in lines), default=0)
    for name, count in lines:
        print(printable(f"  {name:{width}}  {count}"), file=sys.stderr)


def _names(value: str) -> Mapping[str, str]:
    pairs = [pair.partition("=") for pair in value.split(",")]
    if not all(name.strip() and new.strip() for name, _, new in pairs):
        raise argparse.ArgumentTypeError(f"{value!r} is not of the form rating=quality,verdict=correct")
    return {name.strip(): new.strip() for name, _, new in pairs}


def _seconds(value: str) -> float:
    with suppress(ValueError):
        if 0 < (seconds := float(value)) < threading.TIMEOUT_MAX:
            return seconds
    raise argparse.ArgumentTypeError(f"{value!r} is no number of seconds")
