"""A server on loopback in a thread of this process, for the stand-ins and proxies of the tests."""

from __future__ import annotations

import socketserver
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

LOOPBACK = "127.0.0.1"


class Served:
    """A context manager: it serves until its end, when its thread is joined, and so are the connections' threads where
    the server does not make daemons of them."""

    def __init__(self, server: socketserver.TCPServer) -> None:
        self._serving = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,))

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{LOOPBACK}:{self._serving.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._serving.shutdown()
        self._thread.join()
        self._serving.server_close()
