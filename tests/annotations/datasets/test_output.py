"""The directory of a dataset: whose it is, and what stands there when a run is killed."""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from otel_labelstudio.annotations import DatasetOptions, write_dataset
from otel_labelstudio.annotations.datasets import Dataset, output
from otel_labelstudio.errors import ConfigError
from tests.annotations.datasets.files import completions, written
from tests.annotations.datasets.garden import many


@pytest.mark.parametrize("mine", ["notes.txt", "sft/more.jsonl", ".git/config"])
def test_a_directory_with_other_files_is_not_touched(mine: str, tmp_path: Path) -> None:
    """Neither one that never was a dataset, nor one that has become more; the error names the files."""
    (tmp_path / "shop" / mine).parent.mkdir(parents=True)
    (tmp_path / "shop" / mine).write_text("mine")
    with pytest.raises(ConfigError, match=mine):
        write_dataset(many([1]), tmp_path / "shop")
    assert not (tmp_path / "shop.state").exists()
    write_dataset(many([1]), tmp_path / "other")
    (tmp_path / "other" / mine).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "other" / mine).write_text("mine")
    before = written(tmp_path / "other")
    with pytest.raises(ConfigError, match=mine):
        write_dataset(many([2]), tmp_path / "other")
    assert written(tmp_path / "other") == before


@pytest.mark.parametrize("name", ["photos", "sft/extra", "kto"])
@pytest.mark.parametrize("is_link", [False, True], ids=["directory", "link"])
def test_links_and_empty_directories_are_somebodys_too(name: str, is_link: bool, tmp_path: Path) -> None:
    """They are not deleted, nor is what a link stands for; an empty directory of a kind's name could be ours."""
    write_dataset(many([1]), tmp_path / "shop")
    (tmp_path / "elsewhere").mkdir()
    mine = tmp_path / "shop" / name
    mine.symlink_to(tmp_path / "elsewhere") if is_link else mine.mkdir()
    if name == "kto" and not is_link:
        write_dataset(many([2]), tmp_path / "shop")
        return
    with pytest.raises(ConfigError, match=name):
        write_dataset(many([2]), tmp_path / "shop")
    assert mine.is_symlink() == is_link
    assert mine.is_dir()


def test_a_directory_of_empty_directories_is_somebodys(tmp_path: Path) -> None:
    """No run of ours has left them."""
    (tmp_path / "shop" / "sft").mkdir(parents=True)
    with pytest.raises(ConfigError, match="sft"):
        write_dataset(many([1]), tmp_path / "shop")


def test_files_that_only_have_our_names_are_somebodys(tmp_path: Path) -> None:
    """A README of another hand does not make a directory ours."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "README.md").write_text("# My project")
    with pytest.raises(ConfigError, match=r"README\.md"):
        write_dataset(many([1]), tmp_path / "shop")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="is a file"):
        write_dataset(many([1]), tmp_path / "file")


def test_a_second_run_does_not_undo_the_first_ones_exchange(tmp_path: Path) -> None:
    """Between two renames the earlier dataset is not in its place: only who has the lock puts it back."""
    write_dataset(many([1]), tmp_path / "shop")
    with Dataset(tmp_path / "shop", DatasetOptions()):
        (tmp_path / "shop").rename(tmp_path / "shop.state" / "old")
        with pytest.raises(ConfigError, match="another run"):
            write_dataset(many([2]), tmp_path / "shop")
        assert not (tmp_path / "shop").exists()


def test_a_run_that_is_killed_leaves_the_earlier_dataset_or_the_new_one(tmp_path: Path) -> None:
    """At each step that changes a file in turn; the next run writes the new one."""
    program = [sys.executable, "-m", "tests.annotations.datasets.killed_at_each_step", str(tmp_path)]
    run = subprocess.run(program, capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    found = [line.split(" ", 1)[1] for line in run.stdout.splitlines()]
    assert len(found) > 10
    assert set(found) == {"earlier", "new"}


def test_where_directories_cannot_be_exchanged_the_next_run_puts_the_earlier_one_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On systems other than Linux, in the moment between two renames."""

    class KilledError(Exception):
        """The process ends."""

    monkeypatch.setattr(output, "_exchange", lambda *_: False)
    write_dataset(many([1]), tmp_path / "shop")
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise KilledError
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KilledError):
        write_dataset(many([2]), tmp_path / "shop")
    monkeypatch.setattr(Path, "rename", rename)
    with Dataset(tmp_path / "shop", DatasetOptions()):
        assert completions(tmp_path / "shop") == ["Answer 1."]
    write_dataset(many([2]), tmp_path / "shop")
    assert completions(tmp_path / "shop") == ["Answer 2."]


@pytest.mark.parametrize(
    ("number", "is_mount_point"), [(errno.EBUSY, True), (errno.EXDEV, True), (errno.ENOSPC, False)]
)
def test_a_mount_point_is_named_only_where_it_can_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, is_mount_point: bool
) -> None:
    """Directories are not exchanged for other reasons too, such as a full disk; the system's own words say which."""
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(renameat2=lambda *_: -1))
    monkeypatch.setattr(ctypes, "get_errno", lambda: number)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(ConfigError, match=os.strerror(number)) as refused:
        output._exchange(tmp_path / "new", tmp_path / "old")
    assert ("mount point" in str(refused.value)) == is_mount_point
