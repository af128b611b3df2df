"""Who delivers: whatever happens to the lock's file, and however many processes and threads there are, one process."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_labelstudio.delivery.election import Election
from otel_labelstudio.errors import OutboxError, PausedDeliveryError
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink
from tests.outbox.calls import numbered

# filelock has hooks of its own that are run at forks, and that wait for each other's threads, or refuse
AT_WORK = """
import sys
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink
from tests.outbox.calls import numbered
settings = Settings.resolve({"outbox": sys.argv[1], "settle_s": 0}, needs_server=False)
pipeline = Pipeline(settings, sink=RecordingSink())
pipeline.accept_calls([numbered(1)])
assert pipeline.flush(60)
assert "filelock" not in sys.modules
"""
# A second thread opens an outbox, which takes until the process is about to fork
FORKS_WHILE_AN_OUTBOX_IS_OPENED = """
import os, sys, threading
from otel_labelstudio import forking
is_forking = threading.Event()
os.register_at_fork(before=is_forking.set)
import filelock  # as any library of the application may; its hooks are run first
from otel_labelstudio.outbox import database
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings

is_opening, open_outbox_file = threading.Event(), database.open_outbox_file

def slowly(path):
    is_opening.set()
    assert is_forking.wait(60)
    return open_outbox_file(path)

database.open_outbox_file = slowly
settings = Settings.resolve({"outbox": sys.argv[1]}, needs_server=False)
opened = []
thread = threading.Thread(target=lambda: opened.append(Pipeline.open(settings)))
thread.start()
assert is_opening.wait(60)
child = os.fork()
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
thread.join()
opened[0].close(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize(
    "script", [AT_WORK, FORKS_WHILE_AN_OUTBOX_IS_OPENED], ids=["at work", "while an outbox is opened"]
)
def test_the_application_may_fork_at_any_moment(script: str, tmp_path: Path) -> None:
    """In each of its threads: nothing of ours refuses, or waits for a thread that waits for the fork."""
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "calls.outbox")], check=True, timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed")
def test_a_lock_whose_file_is_removed_is_taken_anew(tmp_path: Path) -> None:
    """It looks like something that a dead process has left. Its holder delivers on, and nobody beside it."""
    path = str(tmp_path / "calls.outbox")
    holder, other = Election(path, lambda: True), Election(path, lambda: True)
    assert (holder.is_won(), other.is_won()) == (True, False)
    os.remove(f"{path}.lock")
    assert (holder.is_won(), other.is_won()) == (True, False)
    holder.resign()
    assert other.is_won()
    other.resign()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be removed")
def test_who_comes_too_late_for_the_new_file_delivers_no_more(tmp_path: Path) -> None:
    """Where another process was faster, that one delivers alone, until it ends."""
    path = str(tmp_path / "calls.outbox")
    holder, other = Election(path, lambda: True), Election(path, lambda: True)
    assert holder.is_won()
    os.remove(f"{path}.lock")
    assert other.is_won()
    assert not holder.is_won()
    other.resign()
    assert holder.is_won()
    holder.resign()


@pytest.mark.parametrize("has_another", [True, False])
def test_who_ends_says_who_delivers_what_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, has_another: bool
) -> None:
    """Another process, at once, which is nothing to warn of; or the next one that starts."""
    path = str(tmp_path / "calls.outbox")
    another = Election(path, lambda: True)
    assert not has_another or another.is_won()
    caplog.set_level(logging.INFO)
    sink = RecordingSink(*[PausedDeliveryError("the key is wrong")] * 100)
    pipeline = Pipeline(Settings.resolve({"outbox": path, "settle_s": 0}, needs_server=False), sink=sink)
    pipeline.accept_calls([numbered(1)])
    assert not pipeline.close(30)
    another.resign()
    said = [(record.levelno, record.getMessage()) for record in caplog.records if path in record.getMessage()]
    expected = (
        (logging.INFO, f"Another process delivers 1 call from the outbox {path}.")
        if has_another
        else (logging.WARNING, f"The outbox {path} keeps 1 call for the next start.")
    )
    assert said == [expected]


def test_a_file_that_cannot_be_locked_is_said(tmp_path: Path) -> None:
    """With its name and the reason: nobody delivers."""
    (tmp_path / "calls.outbox.lock").mkdir()
    with pytest.raises(OutboxError, match=r"calls\.outbox\.lock cannot be locked: Is a directory"):
        Election(str(tmp_path / "calls.outbox"), lambda: True).is_won()
