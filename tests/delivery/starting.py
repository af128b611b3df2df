"""An application's process that is told when to begin: ``python -m tests.delivery.starting URL TITLE NUMBER CALLS``.

Says ``ready``, waits for a line, delivers its calls and says ``done``. The key is in LABEL_STUDIO_API_KEY.
"""

from __future__ import annotations

import sys

from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from tests.outbox.calls import numbered


def main(url: str, title: str, number: str, calls: str) -> None:
    settings = Settings.resolve({"url": url, "project_name": title, "mode": "chat", "settle_s": 0})
    pipeline = Pipeline(settings)
    print("ready", flush=True)
    sys.stdin.readline()
    first = 1000 * int(number) + 1
    pipeline.accept_calls(numbered(first + i) for i in range(int(calls)))
    is_delivered = pipeline.flush(240)
    pipeline.close(10)
    print("done" if is_delivered else "left", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
