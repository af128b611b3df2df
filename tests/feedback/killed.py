"""A run of feedback that a test kills: `killed.py STATE URL`."""

from __future__ import annotations

import sys
from contextlib import closing

from otel_labelstudio.annotations.feedback import FeedbackState, SinkOptions, credentials_from, langfuse, send_feedback
from tests.feedback.judged import RULES, call, rated

if __name__ == "__main__":
    path, url = sys.argv[1:]
    calls = [call(trace_id=f"{n:032x}", span_id=f"{n:016x}") for n in range(1, 5)]
    options = SinkOptions(endpoint=url, credentials=credentials_from(langfuse.CREDENTIALS, None))
    with closing(FeedbackState(path)) as state, closing(langfuse.open_sink(options)) as sink:
        send_feedback(rated(calls), sink, state, RULES)
