"""What stands in the files of a dataset."""

from __future__ import annotations

from pathlib import Path

import yaml

from otel_labelstudio.annotations import DatasetOptions, Kind, write_dataset
from tests.annotations.datasets.files import lines, written
from tests.annotations.datasets.garden import accepted, answering, call, edited, many, plain

ALL = tuple(Kind)


def test_the_card_lists_what_is_there(tmp_path: Path) -> None:
    """A configuration for each kind that has rows, the first by default; no split without rows; columns; counts."""
    options = DatasetOptions(kinds=(Kind.DPO, Kind.SFT, Kind.KTO), train_share=1, min_rating=4.5)
    contents = write_dataset(
        [edited(answering(), "Yes, just four."), accepted(plain(3), 3)], tmp_path / "shop", options
    )
    card = (tmp_path / "shop" / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(card.split("---\n")[1])
    assert [(one["config_name"], one.get("default", False)) for one in head["configs"]] == [
        *(("dpo", True), ("sft", False), ("kto", False)),
    ]
    assert head["configs"][1]["data_files"] == [{"split": "train", "path": "sft/train.jsonl"}]
    assert head["dataset_info"][1]["features"][-1] == {"name": "tools", "list": "json"}
    assert contents.rows[Kind.SFT] == {"train": 2}
    assert "| 2 | `sft/train.jsonl` |" in card
    assert "| 1 | dpo | nothing was said that gives such a row, as another answer would for a pair |" in card
    assert "otel-labelstudio dataset --kind dpo,sft,kto --min-rating 4.5 --split 1/0" in card


def test_rows_of_a_file_have_the_same_keys(tmp_path: Path) -> None:
    """Tools are null where only other rows have some, and not there at all where none has."""
    write_dataset([accepted(plain(1), 1), accepted(call(2), 2)], tmp_path / "some", DatasetOptions(train_share=1))
    assert [row["tools"] is None for row in lines(tmp_path / "some" / "sft" / "train.jsonl")] == [True, False]
    write_dataset(many([1]), tmp_path / "none", DatasetOptions(train_share=1))
    assert "tools" not in lines(tmp_path / "none" / "sft" / "train.jsonl")[0]


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    """In whatever order it comes, and whatever was there before."""
    tasks = [edited(answering(), "Yes, just four."), *many(range(3, 40))]
    options = DatasetOptions(kinds=ALL, annotator="none")
    write_dataset(tasks, tmp_path / "a", options)
    write_dataset(many(range(50, 60)), tmp_path / "b", options)
    write_dataset(tasks[::-1], tmp_path / "b", options)
    assert written(tmp_path / "a") == written(tmp_path / "b")


def test_nothing_gives_an_empty_dataset(tmp_path: Path) -> None:
    """With its card and no rows."""
    assert write_dataset([], tmp_path / "shop").rows == {}
    assert sorted(written(tmp_path / "shop")) == ["README.md", "provenance.jsonl"]
