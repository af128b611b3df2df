"""Jupyter kernels, as notebooks have them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

_DEADLINE_S = 240.0


@contextmanager
def running_kernel(variables: Mapping[str, str], folder: Path) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A kernel in a folder, and a client of it that is ready.

    They talk by Unix sockets: of the TCP ports that Jupyter chooses beforehand, one may be taken by another process.
    """
    with tempfile.TemporaryDirectory(prefix="kernel-") as sockets:
        kernel = KernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/socket")
        kernel.start_kernel(env=dict(variables), cwd=str(folder))
        client = kernel.client()
        try:
            client.start_channels()
            client.wait_for_ready(_DEADLINE_S)
            yield kernel, client
        finally:
            client.stop_channels()
            kernel.shutdown_kernel(now=True)
