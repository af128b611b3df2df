"""Rows that are the same, or that contradict each other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from otel_labelstudio.annotations import DatasetOptions, Kind, Several, write_dataset
from otel_labelstudio.annotations.datasets import LeftOut
from otel_labelstudio.annotations.records import JudgedCall
from otel_labelstudio.calls import LLMCall
from tests.annotations.annotated import BEN, annotation, box, said
from tests.annotations.datasets.files import completions, lines
from tests.annotations.datasets.garden import accepted, judged, plain, text, worked_on


def test_the_same_row_is_written_once(tmp_path: Path) -> None:
    """Its provenance has all that it comes from."""
    twice = [accepted(plain(1), 1), accepted(replace(plain(2), **same(plain(1))), 2)]
    contents = write_dataset(twice, tmp_path / "shop")
    assert completions(tmp_path / "shop") == ["Answer 1."]
    assert contents.reasons[("sft", LeftOut.DUPLICATE)] == 1
    [source] = lines(tmp_path / "shop" / "provenance.jsonl")
    assert [other["trace_id"] for other in source["duplicates"]] == [f"{2:032x}"]


def same(of: LLMCall) -> dict[str, Any]:
    return {"input_messages": of.input_messages, "output_messages": of.output_messages}


def test_pairs_that_contradict_each_other_are_left_out(tmp_path: Path) -> None:
    """Two people prefer one answer and the other."""
    of = replace(plain(1), output_messages=(text("assistant", "A"), text("assistant", "B")))
    task = worked_on(
        of,
        annotation(box("A", "B"), said("choices", "best", ("1",))),
        annotation(box("A", "B"), said("choices", "best", ("2",)), by=BEN, updated_by=BEN),
    )
    contents = write_dataset([judged(task)], tmp_path / "shop", DatasetOptions(several=Several.EACH))
    assert Kind.DPO not in contents.rows
    assert contents.reasons[("dpo", LeftOut.CONTRADICTORY)] == 2


def test_labels_are_voted_upon(tmp_path: Path) -> None:
    """Of three people two count; of two who differ none."""

    def labeled(number: int, *words: str) -> JudgedCall:
        people = [replace(BEN, id=10 + at) for at in range(len(words))]
        made = [
            annotation(box(f"Answer {number}."), said("choices", "verdict", (word,)), by=person, updated_by=person)
            for word, person in zip(words, people, strict=True)
        ]
        return judged(worked_on(plain(number), *made, number=number))

    tasks = [labeled(1, "good", "bad", "good"), labeled(2, "bad", "good")]
    contents = write_dataset(tasks, tmp_path / "shop", DatasetOptions(kinds=(Kind.KTO,), train_share=1))
    assert [row["label"] for row in lines(tmp_path / "shop" / "kto" / "train.jsonl")] == [True]
    assert contents.reasons == {
        ("kto", LeftOut.DUPLICATE): 1,
        ("kto", LeftOut.OUTVOTED): 1,
        ("kto", LeftOut.TIE): 2,
    }
