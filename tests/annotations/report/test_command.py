"""``otel-labelstudio report`` on an export file, and the same from a notebook."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.annotations import ExportFile, Period, collect, judge, report_of, write_report
from otel_labelstudio.cli import main
from tests.delivery.telemetry import chat

NOON = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
BASE = "It ships on Monday."


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Fourteen tasks as Label Studio exports them, a day apart: the answers of the first eight were accepted and rated
    5, four were edited and rated 2, one was skipped, and one task is somebody else's."""
    tasks = [task(number, BASE, 5) for number in range(8)]
    tasks += [task(number, "It ships on Tuesday.", 2) for number in range(8, 12)]
    tasks += [task(12, "half an ed", 1, was_cancelled=True), {**task(13, BASE, 5), "meta": {}}]
    file = tmp_path / "export.json"
    file.write_text(json.dumps(tasks), encoding="utf-8")
    return file


def task(number: int, final: str, rating: int, **fields: Any) -> dict[str, Any]:
    began = int((NOON + timedelta(days=number)).timestamp()) * 10**9
    call = chat("When?", BASE, start_time_unix_nano=began, request_model="small" if number % 2 else "large")
    said = [
        {"type": "textarea", "value": {"text": [final]}, "from_name": "response", "to_name": "prompt"},
        {"type": "rating", "value": {"rating": rating}, "from_name": "rating", "to_name": "prompt"},
    ]
    annotation = {
        "id": number,
        "completed_by": 1 + number % 2,
        "result": [{**region, "origin": "manual"} for region in said],
        "created_at": NOON.isoformat(),
        "updated_at": NOON.isoformat(),
        **fields,
    }
    return {
        "id": number,
        "project": 7,
        "data": {},
        "meta": {"call": call.to_dict()},
        "updated_at": NOON.isoformat(),
        "annotations": [annotation],
        "predictions": [],
    }


def test_the_page_is_for_its_owner_alone(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mode 0600, nothing left beside it, its path on standard error; a second run puts the new page in its place."""
    page = export.with_name("report.html")
    page.write_text("old", encoding="utf-8")
    page.chmod(0o644)
    assert main(["report", str(page), "--input", str(export), "--title", "Tulips & <roses>"]) == 0
    assert f"12 judged calls: {page}" in capsys.readouterr().err
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "<h1>Tulips &amp; &lt;roses&gt;</h1>" in page.read_text(encoding="utf-8")
    assert sorted(path.name for path in export.parent.iterdir()) == ["export.json", "report.html"]


def test_json_goes_to_standard_output_alone(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that it can be piped; what is not judged is counted with its reason."""
    assert main(["report", "--format", "json", "--input", str(export), "--by", "model,model+request.temperature"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["total"]["calls"], report["total"]["unchanged"]["count"]) == (12, 8)
    assert report["total"]["numbers"][0]["distribution"]["counts"] == [[2, 4], [5, 8]]
    assert dict(report["disregarded"]) == {"skipped": 1, "task not ours": 1}
    assert [breakdown["field"] for breakdown in report["breakdowns"]] == ["model", "model+request.temperature"]


@pytest.mark.parametrize(
    "periods", [["--before", "2026-12-02"], ["--compare", "..2026-12-02,2026-12-02.."]], ids=["before", "compare"]
)
def test_text_compares_periods(export: Path, capsys: pytest.CaptureFixture[str], periods: list[str]) -> None:
    """Six calls before and six after: too few for a difference, which is said."""
    assert main(["report", "--format", "text", "--input", str(export), *periods]) == 0
    text = capsys.readouterr().out
    assert re.search(r"all calls +text unchanged +6 of 6 +2 of 6 +- +n too small", text)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["r.html"], "name the projects"),
        (["nowhere/r.html", "--input", "EXPORT"], "Cannot write the report to nowhere/r.html: No such file"),
    ],
)
def test_what_is_wrong_is_one_line(
    export: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    error: str,
) -> None:
    """Status 1, and nothing is written."""
    monkeypatch.chdir(export.parent)
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    assert main(["report", *(str(export) if word == "EXPORT" else word for word in arguments)]) == 1
    said = capsys.readouterr().err
    assert error in said
    assert [path.name for path in export.parent.iterdir()] == ["export.json"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--input", "EXPORT"], "name the file of the page"),
        (["r.html", "--input", "EXPORT", "--by", "modle"], "No field to group by is called 'modle'"),
        (["r.html", "--input", "EXPORT", "--compare", "yesterday"], "does not name two periods"),
        (["r.html", "--input", "EXPORT", "--before", "yesterday"], "'yesterday' is no date"),
    ],
)
def test_a_wrong_command_line_is_said(
    export: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    """Status 2 and how the command is used, before anything is read."""
    export.write_text("is not read", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["report", *(str(export) if word == "EXPORT" else word for word in arguments)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert error in said
    assert said.startswith("usage: otel-labelstudio report")


def test_a_missing_extra_is_named(export: Path) -> None:
    """One line says what to install; all other commands do without it."""
    script = (
        "import sys; sys.modules['krippendorff'] = None\n"
        f"from otel_labelstudio.cli import main; sys.exit(main(['report', 'r.html', '--input', {str(export)!r}]))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=False)
    assert run.returncode == 1
    assert run.stderr == "otel-labelstudio: krippendorff is missing: pip install 'otel-labelstudio[report]'\n"


def test_the_other_commands_do_not_import_it() -> None:
    """Whoever exports, receives or sends does not pay for plots."""
    script = "import sys; from otel_labelstudio.cli import parser; parser(); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=True)
    assert {"matplotlib", "numpy", "krippendorff", "jinja2"}.isdisjoint(run.stdout.split())


def test_a_notebook_does_the_same(export: Path) -> None:
    """From the same names as the command."""
    tasks = (task for batch in collect(ExportFile(export)) for task in batch.tasks)
    split = datetime(2026, 12, 2, tzinfo=timezone.utc)
    report = report_of(map(judge, tasks), by=["model"], compare=(Period(None, split), Period(split, None)))
    assert [(group.name, group.calls) for group in report.breakdowns[0].groups] == [("large", 6), ("small", 6)]
    write_report(report, export.with_name("page.html"))
    assert "gpt" not in export.with_name("page.html").read_text(encoding="utf-8")
