"""The command ``otel-labelstudio dataset``, against a real Label Studio and with an export file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.cli import main
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.annotations.datasets.garden import ANSWER, answering, call
from tests.browser.delivered_calls import deliver
from tests.browser.traced_calls import Sent
from tests.delivery.labeling import Labeling, fresh_title

CALLS = {
    **{f"asked {number}": call(number) for number in range(1, 4)},
    **{f"answered {number}": answering(number) for number in range(4, 7)},
}


@pytest.fixture
def sent(label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Tasks of the garden shop's calls in a project of their own, and the environment that names the server."""
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.api_key)
    return deliver(label_studio, CALLS, title=fresh_title("dataset"), mode="chat")


def annotate(labeling: Labeling, task_id: int, text: str, **fields: Any) -> int:
    region = {"from_name": "response", "to_name": "dialogue", "type": "textarea", "value": {"text": [text]}}
    made = {"result": [region], "lead_time": 3.5, **fields}
    return int(labeling.request("POST", f"/api/tasks/{task_id}/annotations/", made)["id"])


def shown(labeling: Labeling, task_id: int) -> str:
    """The answer that the page fills in."""
    [prediction] = labeling.request("GET", f"/api/tasks/{task_id}")["predictions"]
    [text] = prediction["result"][0]["value"]["text"]
    return str(text)


def dataset(directory: Path, *arguments: str) -> int:
    return main(["dataset", str(directory), *arguments])


def rows(directory: Path, kind: str = "sft") -> list[Any]:
    files = sorted((directory / kind).glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def files(directory: Path) -> dict[Path, bytes]:
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*.jsonl")}


def test_labels_become_a_dataset_and_stay_up_to_date(
    sent: Sent, labeling: Labeling, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Accepted and edited answers of a real server, tool calls as structure; skipped ones are left out and counted. The
    next run has what changed since, and no longer what was deleted."""
    ids = sent.task_ids
    first = annotate(labeling, ids["asked 1"], shown(labeling, ids["asked 1"]))
    annotate(labeling, ids["asked 2"], '[tool call] stock({"article": "lily", "shop": 3})')
    deleted = annotate(labeling, ids["answered 4"], "Yes, just four.")
    annotate(labeling, ids["answered 5"], "Yes, ju", was_cancelled=True)
    out = tmp_path / "out"
    assert dataset(out, "--project-id", str(sent.project_id), "--json") == 0
    summary = json.loads(capsys.readouterr().out)
    assert sum(summary["rows"]["sft"].values()) == 3
    assert sum(summary["rows"]["dpo"].values()) == 2
    assert {"kind": None, "reason": "skipped", "count": 1} in summary["left_out"]
    calls = [r["completion"][0]["tool_calls"][0] for r in rows(out) if "tool_calls" in r["completion"][0]]
    assert sorted(one["function"]["arguments"]["article"] for one in calls) == ["lily", "rose"]
    assert {one["id"] for one in calls} == {"call_1"}

    labeling.request("DELETE", f"/api/annotations/{deleted}/")
    labeling.request("DELETE", f"/api/tasks/{ids['asked 2']}/")
    region = {"from_name": "response", "to_name": "dialogue", "type": "textarea", "value": {"text": ["None."]}}
    labeling.request("PATCH", f"/api/annotations/{first}/", {"result": [region]})
    annotate(labeling, ids["answered 6"], ANSWER)
    assert dataset(out, "--project-id", str(sent.project_id)) == 0
    assert sorted(row["completion"][0]["content"] for row in rows(out)) == ["None.", ANSWER]
    told = [line.split() for line in capsys.readouterr().err.splitlines()]
    written = [(int(of[0]), of[1]) for of in told if len(of) == 2 and of[1].startswith("sft/")]
    assert sum(count for count, _ in written) == 2
    assert {file for _, file in written} == {f"sft/{file.name}" for file in (out / "sft").iterdir()}

    again = tmp_path / "again"
    shutil.copytree(tmp_path / "out.state", tmp_path / "again.state")
    assert dataset(again, "--project-id", str(sent.project_id), "--since", "all") == 0
    assert files(out) == files(again)


def exported(tmp_path: Path, *tasks: dict[str, Any]) -> str:
    file = tmp_path / "export.json"
    file.write_text(json.dumps(tasks), encoding="utf-8")
    return str(file)


def task(number: int, of: Any = None, *texts: str) -> dict[str, Any]:
    """As in an export; without a call it is somebody else's."""
    region = {"from_name": "response", "to_name": "dialogue", "type": "textarea", "value": {"text": list(texts)}}
    annotation = {
        "id": number,
        "completed_by": 7,
        "created_at": "2026-11-26T12:00:00Z",
        "updated_at": "2026-11-26T12:00:00Z",
        "lead_time": 2.5,
        "result": [region],
    }
    meta = {} if of is None else {"call": of.to_dict()}
    return {"id": number, "project": 1, "data": {}, "meta": meta, "annotations": [annotation], "predictions": []}


def test_an_export_file_needs_no_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table on standard error tells what was written and what was left out, and nothing else is there."""
    monkeypatch.delenv("LABEL_STUDIO_URL", raising=False)
    file = exported(tmp_path, task(1, answering(1), ANSWER), task(2))
    assert dataset(tmp_path / "out", "--input", file, "--split", "1/0") == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "sft/train.jsonl" in told.err
    assert "the task has no call of this exporter" in told.err
    assert "Reading tasks" not in told.err  # a bar is for a terminal, not for a log
    assert rows(tmp_path / "out")[0]["completion"] == [{"role": "assistant", "content": ANSWER}]


def test_strict_fails_for_what_no_option_leaves_out(tmp_path: Path) -> None:
    """A row that cannot be written is one; a task of somebody else's is none."""
    unreadable = exported(tmp_path, task(1, call(1), "[tool call] order()"))
    assert dataset(tmp_path / "a", "--input", unreadable, "--strict") == 1
    others = exported(tmp_path, task(1, answering(1), ANSWER), task(2))
    assert dataset(tmp_path / "b", "--input", others, "--strict") == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--kind", "sft,rlhf"),
        ("--split", "0.9"),
        ("--split", "0.9/0.2"),
        ("--good", "verdict"),
        ("--several", "first"),
        ("--media", "all"),
    ],
)
def test_a_wrong_value_is_said(arguments: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what can be given, before anything is read or written."""
    with pytest.raises(SystemExit) as ended:
        dataset(tmp_path / "out", "--input", "export.json", *arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err
    assert not (tmp_path / "out.state").exists()


def test_every_option_has_its_flag(tmp_path: Path) -> None:
    """And does what it says."""
    file = exported(tmp_path, task(1, answering(1), ANSWER), task(2, answering(2, "Five."), "Four."))
    flags = (
        *("--kind", "sft,dpo,kto,eval", "--several", "each", "--annotators", "7", "--exclude-annotators", "8"),
        *("--min-rating", "4.5", "--max-bad-rating", "1", "--good", "tone=kind,verdict=good", "--bad", "tone=rude"),
        *("--accepted", "drop", "--accepted-is-good", "--edited-is-bad", "--bulk", "keep", "--min-lead-time-s", "1"),
        *("--min-edit", "0.01", "--reasoning", "--media", "parts", "--incomplete", "keep", "--tools-as-text"),
        *("--split", "1/0", "--split-by", "trace", "--annotator", "none", "--since", "all"),
        *("--call-filter", "otel_labelstudio.filters:redact_personal_data"),
    )
    assert dataset(tmp_path / "out", "--input", file, *flags) == 0
    assert [row["completion"][0]["content"] for row in rows(tmp_path / "out")] == ["Four."]
    assert isinstance(rows(tmp_path / "out")[0]["tools"], str)
    assert {row["label"] for row in rows(tmp_path / "out", "kto")} == {True, False}
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "--good tone=kind,verdict=good" in card
    assert "--annotators" not in card
