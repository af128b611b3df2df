"""A run of feedback that a test kills: `killed.py STATE URL`."""

from __future__ import annotations

import sys
from contextlib import closing

from otel_labelstudio.annotations.feedback import FeedbackState, SinkOptions, open_sink
from tests.annotations.feedback.judged import RULES, call, rated, send

if __name__ == "__main__":
    path, url = sys.argv[1:]
    calls = [call(trace_id=f"{n:032x}", span_id=f"{n:016x}") for n in range(1, 5)]
    options = SinkOptions(endpoint=url)
    with closing(FeedbackState(path)) as state, closing(open_sink("langfuse", options)) as sink:
        send(rated(calls), sink, state, RULES)
