"""The state beside a dataset: who may read it, one run at a time, and what is said where it cannot be used."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.annotations import DatasetOptions, write_dataset
from otel_labelstudio.annotations.datasets import Dataset, writing
from otel_labelstudio.annotations.datasets.store import StateError
from otel_labelstudio.errors import ConfigError
from tests.annotations.datasets.files import completions
from tests.annotations.datasets.garden import many


def test_only_the_owner_reads_the_files(tmp_path: Path) -> None:
    """The dataset and its state."""
    write_dataset(many([1]), tmp_path / "shop")
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE((tmp_path / "shop.state").stat().st_mode) == 0o700
    rows = tmp_path / "shop.state" / "rows.sqlite"
    rows.chmod(0o644)
    write_dataset(many([1]), tmp_path / "shop")
    assert stat.S_IMODE(rows.stat().st_mode) == 0o600


def test_one_run_at_a_time(tmp_path: Path) -> None:
    """Another is told to wait."""
    with Dataset(tmp_path / "shop", DatasetOptions()), pytest.raises(ConfigError, match="another run"):
        write_dataset(many([1]), tmp_path / "shop")


def test_a_damaged_state_says_what_to_do(tmp_path: Path) -> None:
    """It holds nothing that is not in Label Studio."""
    write_dataset(many([1]), tmp_path / "shop")
    (tmp_path / "shop.state" / "rows.sqlite").write_bytes(b"damaged" * 1000)
    with pytest.raises(StateError, match="remove it"):
        write_dataset(many([1]), tmp_path / "shop")


def in_the_way_of_the_state(directory: Path) -> Path:
    (directory / "shop.state").write_text("mine")
    return directory / "shop"


def below_a_file(directory: Path) -> Path:
    (directory / "file").write_text("mine")
    return directory / "file" / "shop"


def not_lockable(directory: Path) -> Path:
    (directory / "shop.state" / "lock").mkdir(parents=True)
    return directory / "shop"


@pytest.mark.parametrize("place", [in_the_way_of_the_state, below_a_file, not_lockable])
def test_a_place_that_cannot_be_written_to_is_named(place: Callable[[Path], Path], tmp_path: Path) -> None:
    """In one line of the command, not in a traceback."""
    directory = place(tmp_path)
    with pytest.raises(ConfigError, match=f"cannot write to .*{directory.name}"):
        write_dataset(many([1]), directory)


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the state's database, here by a limit on its size, and in the files; the earlier dataset stays."""
    write_dataset(many([1]), tmp_path / "shop")

    def read_too_much() -> None:
        with Dataset(tmp_path / "shop", DatasetOptions()) as dataset:
            dataset._store.connection.execute("PRAGMA max_page_count = 1")
            dataset.read(many(range(2, 2000)))

    with pytest.raises(StateError, match=r"rows\.sqlite cannot be used: .*full"):
        read_too_much()

    def full(*_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writing, "_created", full)
    with pytest.raises(ConfigError, match=r"cannot write to .*: No space left"):
        write_dataset(many([2]), tmp_path / "shop")
    assert completions(tmp_path / "shop") == ["Answer 1."]


def key_of(directory: Path) -> Path:
    return directory.with_name(f"{directory.name}.state") / "annotators.key"


def test_an_empty_key_is_refused(tmp_path: Path) -> None:
    """Hashes with it could be reversed by anybody; a run that was killed while it wrote the key leaves none."""
    write_dataset(many([1]), tmp_path / "shop")
    key_of(tmp_path / "shop").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"annotators\.key is damaged; remove it"):
        write_dataset(many([1]), tmp_path / "shop")
    key_of(tmp_path / "shop").unlink()
    key_of(tmp_path / "shop").with_suffix(".key.new").write_bytes(b"half a key")
    write_dataset(many([1]), tmp_path / "shop")
    assert len(key_of(tmp_path / "shop").read_bytes()) == 32


def test_a_key_is_made_for_hashes_alone_and_by_who_has_the_lock(tmp_path: Path) -> None:
    """So that two first runs do not write two keys."""
    with Dataset(tmp_path / "shop", DatasetOptions(annotator="none")):
        with pytest.raises(ConfigError, match="another run"):
            write_dataset(many([1]), tmp_path / "shop")
        assert not key_of(tmp_path / "shop").exists()
