"""Whether a body is OTLP, and how many spans or log records it holds; found out on threads.

Most bodies take a few milliseconds. What takes longer, or much memory, has a thread to itself, where one waits for the
other: so ten of that kind keep nobody else waiting. Which these are is known by their size, or found out on the way: by
what they are inflated to, which costs in proportion to what was sent, or by how much they hold. Then what was inflated
is thrown away, and that thread begins anew. Who would wait there for too long is told to come again; what is large by
itself, at once.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from otel_labelstudio.receiver.admission import Share
from otel_labelstudio.receiver.requests import LARGE_BYTES, Request, count_items, is_slowly_counted, uncompressed
from otel_labelstudio.receiver.status import Outcome, RefusedError

_QUICK_THREADS = 2
_TURN_TIMEOUT_S = 2.0
# Telemetry shrinks to a fifth or a twentieth. What is inflated to more than this many times its size takes long, unless
# it is little all the same
_MOST_TIMES = 50
_LITTLE_BYTES = 2**20


class BodyCounter:
    """Counts bodies of at most ``max_bytes``, before and after inflating; on one event loop."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._quick = ThreadPoolExecutor(_QUICK_THREADS, "otel-labelstudio-intake")
        self._slow = ThreadPoolExecutor(1, "otel-labelstudio-intake-slow")
        self._slow_under_way = 0

    async def count(self, request: Request, share: Share) -> int:
        """How many spans or log records it holds, and so that it is OTLP. Raises `RefusedError` or `DecodeError`."""
        if request.is_quickly_counted:
            return count_items(request.signal, request.content_type, request.body)
        if not request.is_large:
            loop = asyncio.get_running_loop()
            counted = await loop.run_in_executor(self._quick, self._count_if_quick, request, share)
            if counted is not None:
                return counted
        elif self._slow_under_way:
            raise RefusedError(
                Outcome.BUSY, "another large request is being looked at"
            )  # at once: its memory is wanted
        return await self._wait_for_turn(request, share)

    def close(self) -> None:
        """Wait for what is under way."""
        self._quick.shutdown(wait=True)
        self._slow.shutdown(wait=True)

    def _count_if_quick(self, request: Request, share: Share) -> int | None:
        most = min(LARGE_BYTES, max(_LITTLE_BYTES, _MOST_TIMES * len(request.body)))
        try:
            body = uncompressed(request, min(most, self._max_bytes), share.reserve)
        except RefusedError as refused:
            if refused.outcome is Outcome.TOO_LARGE and most < self._max_bytes:
                return None
            raise
        if is_slowly_counted(request.content_type, body):
            return None
        return count_items(request.signal, request.content_type, body)

    async def _wait_for_turn(self, request: Request, share: Share) -> int:
        future = self._slow.submit(self._count, request, share)
        waiting = asyncio.wrap_future(future)
        self._slow_under_way += 1
        waiting.add_done_callback(self._end_slow)
        try:
            await asyncio.wait({waiting}, timeout=_TURN_TIMEOUT_S)
            if future.cancel():
                raise RefusedError(Outcome.BUSY, "too many large requests at once")
            return await asyncio.shield(waiting)
        finally:
            # Where the sender went away: one that has begun is not done, nor its memory free, before it ends
            future.cancel()

    def _end_slow(self, ended: asyncio.Future[int]) -> None:
        self._slow_under_way -= 1
        if not ended.cancelled():
            ended.exception()  # looked at, since nobody may wait for it any longer

    def _count(self, request: Request, share: Share) -> int:
        body = uncompressed(request, self._max_bytes, share.reserve)
        return count_items(request.signal, request.content_type, body)
