"""Who delivers: whatever happens to the lock's file, and however many processes and threads there are, one process."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_labelstudio.delivery.election import Election
from otel_labelstudio.errors import PausedDeliveryError
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from otel_labelstudio.testing import RecordingSink
from tests.outbox.calls import numbered

# A second thread opens an outbox, which takes until the process is about to fork: filelock lets nobody make or take a
# lock from then on, and whoever opens an outbox is waited for
FORKS_WHILE_AN_OUTBOX_IS_OPENED = """
import os, sys, threading
from otel_labelstudio import forking
is_forking = threading.Event()
os.register_at_fork(before=is_forking.set)  # before filelock's, which are run before it
import filelock
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
def test_a_process_forks_while_an_outbox_is_opened(tmp_path: Path) -> None:
    """The two wait for each other in no order: the application goes on."""
    script = [sys.executable, "-c", FORKS_WHILE_AN_OUTBOX_IS_OPENED, str(tmp_path / "calls.outbox")]
    subprocess.run(script, check=True, timeout=60)


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
        (logging.INFO, f"1 calls are delivered from the outbox {path} by another process.")
        if has_another
        else (logging.WARNING, f"1 calls stay in the outbox {path} for the next start.")
    )
    assert said == [expected]
