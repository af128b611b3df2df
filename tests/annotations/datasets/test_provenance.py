"""Where each row comes from, and how people are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from otel_labelstudio.annotations import DatasetOptions, write_dataset
from otel_labelstudio.annotations.datasets.splitting import SPLITS
from otel_labelstudio.calls import JOINED
from tests.annotations.annotated import NOON, annotation, box, said
from tests.annotations.datasets.files import completions, lines, written
from tests.annotations.datasets.garden import answering, edited, judged, many, plain, worked_on


def test_every_row_has_a_line_of_provenance(tmp_path: Path) -> None:
    """In the order of the rows, with the place of each: which call, whose annotation, when, and what was done."""
    write_dataset([edited(answering(), "Yes, just four."), *many(range(3, 20))], tmp_path / "shop")
    sources = lines(tmp_path / "shop" / "provenance.jsonl")
    rows = [
        (f"{kind}/{split}.jsonl", number)
        for kind in ("sft", "dpo")
        for split in SPLITS
        if (tmp_path / "shop" / kind / f"{split}.jsonl").exists()
        for number, _ in enumerate(lines(tmp_path / "shop" / kind / f"{split}.jsonl"), 1)
    ]
    assert [(source["file"], source["line"]) for source in sources] == rows
    assert len({source["row"] for source in sources}) == len(rows)
    [first] = [s for s in sources if s["trace_id"] == f"{2:032x}" and s["file"].startswith("dpo")]
    assert first["span_id"] == f"{2:016x}"
    assert first["call_id"] == f"call-{2:016x}"
    assert first["model"] == "gpt-4o-mini"
    assert first["task"] == 1
    assert first["act"] in ("edited", "rewritten")
    [by] = first["annotations"]
    assert (by["updated_at"], by["lead_time_s"]) == (NOON.isoformat(), 4.0)
    assert len(by["by"]) == 16


def test_each_compared_answer_is_traced_to_its_own_call(tmp_path: Path) -> None:
    """Answers of several models are one task, which names no model and has the ids of only one call."""
    origins = [{"model": model, "trace_id": f"{n:032x}", "span_id": f"{n:016x}"} for n, model in enumerate("ab", 7)]
    of = answering(2, "Four.", "Many.", metadata={JOINED: origins}, request_model=None)
    best, corrected = said("choices", "best", ("2",)), box("Four!", "Many.", origin="prediction-changed")
    write_dataset([judged(worked_on(of, annotation(corrected, best)))], tmp_path / "shop")
    sources = lines(tmp_path / "shop" / "provenance.jsonl")
    assert [(source["act"], source["answers_of"]) for source in sources] == [
        ("accepted", [origins[1]]),
        ("edited", [None, origins[0]]),
        ("preferred", [origins[1], origins[0]]),
    ]


@pytest.mark.parametrize(("how", "name"), [("email", "anna@example.com"), ("none", None)])
def test_people_are_named_on_demand(how: str, name: str | None, tmp_path: Path) -> None:
    """By default they are not."""
    write_dataset(many([1]), tmp_path / "shop", DatasetOptions(annotator=how))
    assert lines(tmp_path / "shop" / "provenance.jsonl")[0]["annotations"][0]["by"] == name


def test_a_name_is_the_same_in_each_run_and_another_in_another_dataset(tmp_path: Path) -> None:
    """The key stays in the state, which nobody else reads."""

    def name(directory: Path) -> str:
        write_dataset(many([1]), directory)
        found: str = lines(directory / "provenance.jsonl")[0]["annotations"][0]["by"]
        return found

    assert name(tmp_path / "a") == name(tmp_path / "a") != name(tmp_path / "b")
    assert b"anna" not in b"".join(written(tmp_path / "a").values())


def test_ids_that_cannot_be_encoded_end_no_run(tmp_path: Path) -> None:
    """Somebody wrote half a character to a task's meta: its row and those of the others are written."""
    half = dict.fromkeys(("trace_id", "span_id", "conversation_id", "response_id", "request_model"), "\ud800")
    odd = worked_on(plain(1, **half), annotation(box("Answer 1.")), call_id="\ud800")
    write_dataset([judged(odd), *many([2, 3])], tmp_path / "shop")
    assert sorted(completions(tmp_path / "shop")) == ["Answer 1.", "Answer 2.", "Answer 3."]
