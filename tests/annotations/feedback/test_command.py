"""`otel-labelstudio feedback` as it is run, against a real Label Studio."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from otel_labelstudio.cli import main
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from tests.annotations.feedback.back_end import Asked, BackEndServer, Said
from tests.annotations.feedback.test_langfuse import KEYS, Contract
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.telemetry import chat

LINE = (
    *("trace_id", "span_id", "response_id", "name", "score", "label", "explanation"),
    *("annotator", "annotation_id", "task_id", "project_id", "updated_at"),
)


class Project:
    """A project with calls, and a person who works in it."""

    def __init__(self, server: EmbeddedLabelStudio, labeling: Labeling, questions: Sequence[str]) -> None:
        self.labeling, self.title = labeling, fresh_title("feedback")
        self.calls = [chat(question) for question in questions]
        names = {"project_name": self.title, "mode": "auto", "layout": "review"}
        settings = Settings.resolve({"url": server.url, "api_key": server.api_key, "settle_s": 0, **names})
        pipeline = Pipeline(settings)
        pipeline.accept_calls(self.calls)
        assert pipeline.flush(240)
        pipeline.close(5)
        self.task_ids = {task["data"]["span_id"]: task["id"] for task in labeling.tasks(self.title)}

    def annotate(self, number: int, *result: Mapping[str, Any]) -> int:
        task_id = self.task_ids[self.calls[number].span_id]
        body = {"result": list(result), "lead_time": 5}
        return int(self.labeling.request("POST", f"/api/tasks/{task_id}/annotations/", body)["id"])

    def change(self, annotation_id: int, *result: Mapping[str, Any]) -> None:
        self.labeling.request("PATCH", f"/api/annotations/{annotation_id}/", {"result": list(result)})

    def change_interface(self, old: str, new: str) -> None:
        project_id = self.labeling.project_of(self.title)
        config = self.labeling.project(project_id)["label_config"]
        assert old in config
        self.labeling.change_project(project_id, label_config=config.replace(old, new))

    def delete_annotation(self, annotation_id: int) -> None:
        self.labeling.request("DELETE", f"/api/annotations/{annotation_id}/")

    def delete_task(self, number: int) -> None:
        self.labeling.request("DELETE", f"/api/tasks/{self.task_ids[self.calls[number].span_id]}/")


def rated(value: int) -> dict[str, Any]:
    return {"type": "rating", "from_name": "rating", "to_name": "dialogue", "value": {"rating": value}}


def chose(*values: str, name: str = "verdict") -> dict[str, Any]:
    return {"type": "choices", "from_name": name, "to_name": "dialogue", "value": {"choices": list(values)}}


def wrote(text: str, name: str = "response") -> dict[str, Any]:
    return {"type": "textarea", "from_name": name, "to_name": "dialogue", "value": {"text": [text]}}


@pytest.fixture
def environment(label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The server's address and key, where a command looks for them."""
    variables = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.api_key, **KEYS}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.mark.usefixtures("environment")
def test_json_lines_say_what_is_new(
    label_studio: EmbeddedLabelStudio, labeling: Labeling, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object a line with exactly these keys, on the call's span; nothing the second time; a changed rating is one
    line; what was deleted is counted on standard error, where nothing that people wrote stands."""
    project = Project(label_studio, labeling, ["Where?", "When?"])
    state = str(tmp_path / "feedback.db")
    command = ["feedback", "--to=jsonl", f"--project-name={project.title}", f"--state={state}"]

    def lines(*options: str) -> list[dict[str, Any]]:
        assert main([*command, *options]) == 0
        said = capsys.readouterr()
        assert "secret remark" not in said.err
        return [json.loads(line) for line in said.out.splitlines()]

    annotation_id = project.annotate(0, rated(4), chose("good"), wrote("secret remark", "comment"))
    told = {line["name"]: line for line in lines("--names=verdict=correct")}
    assert {tuple(line) for line in told.values()} == {LINE}
    assert {(line["trace_id"], line["span_id"]) for line in told.values()} == {
        (project.calls[0].trace_id, project.calls[0].span_id)
    }
    assert (told["rating"]["score"], told["correct"]["label"]) == (4.0, "good")
    assert {line["explanation"] for line in told.values()} == {"secret remark"}
    assert {line["annotation_id"] for line in told.values()} == {annotation_id}
    assert lines("--names=verdict=correct") == []
    project.change(annotation_id, rated(2), chose("good"), wrote("secret remark", "comment"))
    assert [(line["name"], line["score"]) for line in lines("--names=verdict=correct")] == [("rating", 2.0)]
    project.delete_annotation(annotation_id)
    main(command)
    assert "cannot be deleted  2" in capsys.readouterr().err


@pytest.mark.usefixtures("environment")
def test_a_back_end_that_can_delete_has_what_label_studio_has(
    label_studio: EmbeddedLabelStudio, labeling: Labeling, tmp_path: Path
) -> None:
    """Edited, rated, changed, an annotation deleted, a task deleted: after each run the scores are those of the
    annotations that are there."""
    project, contract = Project(label_studio, labeling, ["Where?", "When?", "Who?"]), Contract()

    def scores() -> set[tuple[str, str, object]]:
        command = ["feedback", "--to=langfuse", "--endpoint", server.url, "--corrections", "--names=rating=quality"]
        assert main([*command, f"--project-name={project.title}", f"--state={tmp_path / 'feedback.db'}"]) == 0
        return {(score["observationId"], score["name"], score["value"]) for score in contract.scores.values()}

    where, when, who = (one.span_id for one in project.calls)
    with BackEndServer(otherwise=contract) as server:
        assert scores() == set()
        first = project.annotate(0, wrote("Over there."))
        second = project.annotate(1, rated(5))
        project.annotate(2, rated(1))
        corrected = {(where, "correction", "edited"), (where, "output", "Over there.")}
        assert scores() == corrected | {(when, "quality", 5.0), (who, "quality", 1.0)}
        project.change(second, rated(3))
        project.delete_task(2)
        assert scores() == corrected | {(when, "quality", 3.0)}
        project.delete_annotation(first)
        assert scores() == {(when, "quality", 3.0)}
        asked = len(server.asked)
        assert (scores(), len(server.asked)) == ({(when, "quality", 3.0)}, asked)


@pytest.mark.usefixtures("environment")
def test_a_changed_interface_has_all_read_again(
    label_studio: EmbeddedLabelStudio, labeling: Labeling, tmp_path: Path
) -> None:
    """A rating's scale is told with it, and no task changes with that: however long ago a task was annotated, its
    score is written anew, once."""
    project, contract = Project(label_studio, labeling, ["Where?"]), Contract()
    project.annotate(0, rated(4))
    state = tmp_path / "feedback.db"

    def scale() -> Any:
        command = ["feedback", "--to=langfuse", "--endpoint", server.url, f"--state={state}"]
        assert main([*command, f"--project-name={project.title}"]) == 0
        with closing(sqlite3.connect(state)) as kept:  # as if all of this had been days ago
            kept.execute("UPDATE watermarks SET updated_at = '2126-11-26T12:00:00+00:00'")
            kept.commit()
        [score] = contract.scores.values()
        return score["metadata"]["labelstudio.rating.max"]

    with BackEndServer(otherwise=contract) as server:
        assert (scale(), len(server.asked)) == (5, 1)
        project.change_interface('<Rating name="rating"', '<Rating name="rating" maxRating="10"')
        assert (scale(), len(server.asked)) == (10, 2)
        assert (scale(), len(server.asked)) == (10, 2)


@pytest.mark.usefixtures("environment")
def test_what_was_refused_is_said_and_can_be_sent_again(
    label_studio: EmbeddedLabelStudio, labeling: Labeling, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 with the reason once; then nothing, until it is asked for."""
    project, contract = Project(label_studio, labeling, ["Where?"]), Contract()
    project.annotate(0, rated(4))
    with BackEndServer(Said(400), otherwise=contract) as server:
        command = ["feedback", "--to=langfuse", "--endpoint", server.url, f"--project-name={project.title}"]
        command.append(f"--state={tmp_path / 'feedback.db'}")
        assert main(command) == 1
        assert "refused: HTTP status 400  1" in capsys.readouterr().err
        assert (main(command), len(server.asked)) == (0, 1)
        assert main([*command, "--retry-refused"]) == 0
    assert len(contract.scores) == 1


def test_with_every_it_goes_on_until_sigterm(
    label_studio: EmbeddedLabelStudio, labeling: Labeling, tmp_path: Path, environment: dict[str, str]
) -> None:
    """What is annotated meanwhile arrives, a back end that fails ends nothing, and SIGTERM is exit status 0."""
    project, contract = Project(label_studio, labeling, ["Where?", "When?"]), Contract()
    project.annotate(0, rated(4))
    running: list[subprocess.Popen[str]] = []

    def then_annotate(asked: Asked) -> Said:
        project.annotate(1, rated(5))
        return contract(asked)

    def then_end(asked: Asked) -> Said:
        running[0].send_signal(signal.SIGTERM)
        return contract(asked)

    with BackEndServer(Said(401), then_annotate, then_end, otherwise=Said(500)) as server:
        command = [sys.executable, "-m", "otel_labelstudio", "feedback", "--to=langfuse", "--every=0.1", "--json"]
        command += ["--endpoint", server.url, f"--project-name={project.title}", f"--state={tmp_path / 'feedback.db'}"]
        variables = {**os.environ, **environment}
        with subprocess.Popen(command, env=variables, stdout=PIPE, stderr=PIPE, text=True) as process:
            running.append(process)
            summaries, said = process.communicate(timeout=600)
    assert (process.returncode, sorted(score["value"] for score in contract.scores.values())) == (0, [4.0, 5.0])
    assert [json.loads(line)["sent"] for line in summaries.splitlines()] == [1]  # of each round that was finished
    assert "check LANGFUSE_PUBLIC_KEY" in said
    assert "sk-lf" not in said


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--to=otlp"], "needs --state"),
        (["--to=jsonl", "--corrections"], "no place for them"),
        (["--to=phoenix", "--state=x", "--as=spans"], "--to otlp"),
        (["--to=jsonl", "--names=rating"], "rating=quality"),
        (["--to=jsonl", "--every=0"], "no number of seconds"),
        (["--to=jsonl", "--every=hourly"], "no number of seconds"),
    ],
)
def test_flags_that_do_not_fit_are_a_wrong_command_line(
    options: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and what to do."""
    with pytest.raises(SystemExit) as ended:
        main(["feedback", *options, "--project-id=1"])
    assert ended.value.code == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--to=langfuse", "--state=x"], "LANGFUSE_PUBLIC_KEY"),
        (["--to=jsonl", "--credentials=nowhere"], "cannot be read"),
        (["--to=otlp", "--state=x", "--endpoint=localhost:4318"], "an address such as"),
        (["--to=otlp", "--state=x", "--endpoint=http://me:hush@localhost:4318"], "without a login"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_read(
    options: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1, and what to do."""
    monkeypatch.chdir(tmp_path)
    assert main(["feedback", *options, "--project-id=1"]) == 1
    assert why in capsys.readouterr().err


def test_credentials_come_from_a_file_too(
    tmp_path: Path, label_studio: EmbeddedLabelStudio, labeling: Labeling
) -> None:
    """Lines NAME=VALUE as a shell has them, which beat the environment."""
    project, contract = Project(label_studio, labeling, ["Where?"]), Contract()
    project.annotate(0, rated(4))
    file = tmp_path / "credentials"
    file.write_text('# Langfuse\nexport LANGFUSE_PUBLIC_KEY="pk-lf-1"\nLANGFUSE_SECRET_KEY=sk-lf-2\nOTHER=1\n')
    with BackEndServer(otherwise=contract) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABEL_STUDIO_URL", label_studio.url)
        patch.setenv("LABEL_STUDIO_API_KEY", label_studio.api_key)
        patch.setenv("LANGFUSE_SECRET_KEY", "another")
        command = ["feedback", "--to=langfuse", "--endpoint", server.url, f"--credentials={file}"]
        assert main([*command, f"--project-name={project.title}", f"--state={tmp_path / 'feedback.db'}"]) == 0
    assert len(contract.scores) == 1
