"""What must be whole when a process forks, such as a database that another thread may be writing to.

All that is registered is locked before the process is copied, since a lock that a thread holds then would stay locked
in the child, where that thread does not exist.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

# Held while the process is copied: nothing is opened or closed then
opening = threading.RLock()


class Forking(Protocol):
    """Something that can be carried into another process."""

    def before_fork(self) -> None:
        """Nobody gets in from now on, until one of the others is called, by the same thread."""

    def after_fork_in_parent(self) -> None:
        """As before."""

    def after_fork_in_child(self) -> None:
        """Another process: begin anew."""


_registered: weakref.WeakSet[Forking] = weakref.WeakSet()
_locked: list[Forking] = []


def register(item: Forking) -> None:
    """Have it told of forks, for as long as it is in use."""
    _registered.add(item)


def _before_fork() -> None:
    opening.acquire()
    for item in list(_registered):
        item.before_fork()
        _locked.append(item)


def _after_fork_in_parent() -> None:
    while _locked:
        _locked.pop().after_fork_in_parent()
    opening.release()


def _after_fork_in_child() -> None:
    while _locked:
        _locked.pop().after_fork_in_child()
    opening.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
