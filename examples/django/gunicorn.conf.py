"""Each worker delivers what it has traced when it ends; see support/wsgi.py."""

from __future__ import annotations

import otel_labelstudio


def worker_exit(server: object, worker: object) -> None:
    """Within graceful_timeout, which is 30 seconds."""
    otel_labelstudio.shutdown()
