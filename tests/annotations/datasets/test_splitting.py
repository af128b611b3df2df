"""What is for training and what for testing: conversations stay together, and where they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from otel_labelstudio.annotations import DatasetOptions, write_dataset
from otel_labelstudio.annotations.datasets.splitting import Split
from tests.annotations.datasets.files import lines
from tests.annotations.datasets.garden import STOCK, accepted, assistant, many, plain, text


def splits(directory: Path) -> dict[str, str]:
    """Which split each call is in, by its trace."""
    return {s["trace_id"]: s["file"].split("/")[1] for s in lines(directory / "provenance.jsonl")}


def test_reruns_move_nothing_between_train_and_test(tmp_path: Path) -> None:
    """What is added later changes nothing of what was there; about a tenth is for testing."""
    write_dataset(many(range(1, 200)), tmp_path / "shop")
    before = splits(tmp_path / "shop")
    assert 5 < sum(split == "test.jsonl" for split in before.values()) < 40
    write_dataset(many(range(1, 400)), tmp_path / "shop")
    after = splits(tmp_path / "shop")
    assert {trace: after[trace] for trace in before} == before


def test_a_conversation_is_on_one_side(tmp_path: Path) -> None:
    """By its id, or by its trace where there is none; so are equal prompts, and a call that continues another."""
    together = [
        *many(range(1, 40), conversation_id="one"),
        *(accepted(plain(n, trace_id="f" * 32), n) for n in range(50, 90)),
        *(accepted(replace(plain(n), input_messages=plain(100).input_messages), n) for n in range(100, 140)),
    ]
    so_far = plain(200).input_messages
    for number in range(200, 240):
        of = replace(plain(number), input_messages=so_far)
        together.append(accepted(of, number))
        so_far = (*so_far, assistant(*of.output_messages[0].parts), text("user", "And?"))
    write_dataset(together, tmp_path / "shop", DatasetOptions(train_share=0.5))
    found = splits(tmp_path / "shop")
    for numbers in (range(1, 40), range(100, 140), range(200, 240)):
        assert len({found[f"{number:032x}"] for number in numbers}) == 1
    assert sum(trace == "f" * 32 for trace in found) == 1


def test_a_question_under_other_tools_is_on_the_same_side(tmp_path: Path) -> None:
    """Tools change with every release of an application, and its users ask the same; a continued call too."""
    question = plain(1).input_messages
    asked = [
        replace(plain(n), input_messages=question, tool_definitions=({**STOCK, "name": f"v{n}"},)) for n in range(40)
    ]
    history = (*question, *asked[0].output_messages, text("user", "And?"))
    asked += [replace(one, trace_id=f"{n + 50:032x}", input_messages=history) for n, one in enumerate(asked)]
    tasks = [accepted(of, number) for number, of in enumerate(asked, 1)]
    write_dataset(tasks, tmp_path / "shop", DatasetOptions(train_share=0.5))
    assert len(splits(tmp_path / "shop")) == 80
    assert len(set(splits(tmp_path / "shop").values())) == 1


def test_conversations_that_begin_alike_are_joined_once_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each with each: thousands begin with the same greeting."""
    joins = 0
    join = Split._join

    def counted(self: Split, one: int, other: int) -> None:
        nonlocal joins
        joins += 1
        join(self, one, other)

    monkeypatch.setattr(Split, "_join", counted)
    greeting = (text("user", "Hello"),)
    begun = [replace(plain(n), input_messages=greeting, output_messages=(text("assistant", "Hi"),)) for n in range(50)]
    history = (*greeting, text("assistant", "Hi"))
    continued = [replace(plain(n), input_messages=(*history, text("user", f"{n}?"))) for n in range(50, 100)]
    write_dataset([accepted(of, n) for n, of in enumerate((*begun, *continued))], tmp_path / "shop")
    assert joins <= 100
    assert len(set(splits(tmp_path / "shop").values())) == 1
