"""``otel-labelstudio demo``, as a process of its own."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.cli import demo
from otel_labelstudio.demo.api import answer_of
from otel_labelstudio.demo.errors import DemoError
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.demo.labeler import label_project
from otel_labelstudio.demo.ports import LOOPBACK
from otel_labelstudio.demo.scripted_answers import SCRIPTS
from otel_labelstudio.demo.showing import PAGES, Shown, show
from tests.ports import steady_port

pytest.importorskip("opentelemetry.instrumentation.langchain", reason="the demo needs its extra")

COMMAND = [sys.executable, "-m", "otel_labelstudio", "demo"]
LINK = re.compile(r"(?m)^Demo: (\w+): (\d+) tasks {2}(http://\S+)/projects/(\d+)/data$")


@pytest.fixture(autouse=True)
def _the_stand_in_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never the API that a developer's key opens."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def tasks_of(server: EmbeddedLabelStudio, project: str) -> list[dict[str, Any]]:
    """The project's tasks with their predictions."""
    url = f"{server.url}/api/tasks?project={project}&page_size=1000&fields=all"
    return list(answer_of(url, server.api_key)["tasks"])


def test_once_delivers_every_page_and_ends(tmp_path: Path) -> None:
    """Status 0, login, key and links printed; what the links name holds the tasks, each with the stand-in's answer."""
    finished = subprocess.run(
        [*COMMAND, "--once", "--data-dir", "data"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=tmp_path,
    )
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr
    links = LINK.findall(finished.stdout)
    counts = {page: int(count) for page, count, _, _ in links}
    assert counts == {"review": 11, "compare": 3, "chat": 11, "prompt": 6}
    (directory,) = tmp_path.glob("demo-labels-*")
    assert_results_are_there(directory, finished.stdout)
    with EmbeddedLabelStudio(tmp_path / "data") as server:
        assert server.password in finished.stdout
        assert f"API key       {server.api_key}" in finished.stdout
        for page, count, _, project in links:
            tasks = tasks_of(server, project)
            assert len(tasks) == int(count)
            answers = [answer.text.strip() for script in SCRIPTS for answer in script.answers if answer.text]
            texts = [text.strip() for task in tasks for text in predicted_texts(task)]
            # What is no text of the scripts is a tool call, written out
            assert all(text in answers or ("HB-20418" in text or "Oslo" in text) for text in texts), texts
            if page == "chat":
                conversation = max((task["data"]["prompt"] for task in tasks), key=len)
                assert {turn["role"] for turn in conversation} == {"system", "user", "assistant", "tool"}
            choices = {"compare": [3, 3, 3], "prompt": [1, 1, 1, 1, 1, 2]}
            assert sorted(len(predicted_texts(task)) for task in tasks) == choices.get(page, [1] * 11)


def assert_results_are_there(directory: Path, printed: str) -> None:
    """The dataset and the report of what the scripted labeler said: a call that it skipped is in neither, and what it
    corrected is a pair."""
    assert "A scripted labeler has worked on 14 tasks" in printed
    assert f"Report        {directory.name}/report.html" in printed
    assert "<b>13</b>" in (directory / "report.html").read_text(encoding="utf-8")
    assert f"Dataset       {directory.name}/dataset" in printed
    pairs = [json.loads(line) for line in lines_of(directory, "dpo")]
    called = [(pair["chosen"][0].get("tool_calls"), pair["rejected"][0].get("tool_calls")) for pair in pairs]
    reasons = [tuple(c[0]["function"]["arguments"]["reason"] for c in pair) for pair in called if all(pair)]
    assert reasons == [("does not want grey", "late")]
    assert not any("doctor's note" in line for line in lines_of(directory, "*"))


def lines_of(directory: Path, kind: str) -> list[str]:
    """The rows of a kind, whether to train or to test with."""
    files = directory.glob(f"dataset/{kind}/*.jsonl")
    return [line for file in files for line in file.read_text(encoding="utf-8").split("\n")[:-1]]


def test_with_label_it_waits_for_yours(tmp_path: Path) -> None:
    """It says where to label, and writes what was labeled until Enter is pressed: here one task; no script labels."""
    command = [*COMMAND, "--once", "--label", "--only", "prompt", "--output", "labels"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=tmp_path) as demo:
        assert demo.stdout is not None
        assert demo.stdin is not None
        printed = ""
        while not printed.endswith("press Enter here: "):
            printed += demo.stdout.read(1)
        (link,) = LINK.findall(printed)
        (key,) = re.findall(r"^API key +(\S+)$", printed, re.MULTILINE)
        label_one(link[2], link[3], key)
        rest, _ = demo.communicate("\n", timeout=600)
    assert demo.returncode == 0
    assert "scripted" not in printed + rest
    (directory,) = tmp_path.glob("labels/demo-labels-*")
    assert "1 judgements of 1 person" in (directory / "report.html").read_text(encoding="utf-8")
    assert len(lines_of(directory, "sft")) == 1


def printed_until_it_waits(demo: subprocess.Popen[str]) -> str:
    """What a demo prints before it waits for Ctrl-C, and the line that says so."""
    assert demo.stdout is not None
    printed = ""
    for line in demo.stdout:
        printed += line
        if line.startswith("Ctrl-C"):
            break
    return printed


def test_with_label_and_no_terminal_it_says_how_to_come_back(tmp_path: Path) -> None:
    """Nobody can press Enter where standard input has ended: it stays for labels, and names the commands to run then,
    which it does not run itself."""
    command = [*COMMAND, "--label", "--only", "prompt"]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nothing, stdout=pipe, text=True, cwd=tmp_path) as demo:
        printed = printed_until_it_waits(demo)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(240) == 0
    (link,) = LINK.findall(printed)
    (key,) = re.findall(r"^API key +(\S+)$", printed, re.MULTILINE)
    assert "Nobody can press Enter here, as standard input has ended." in printed
    assert f"  export LABEL_STUDIO_URL={link[2]} LABEL_STUDIO_API_KEY={key}\n" in printed
    assert f"  otel-labelstudio dataset dataset --project-id {link[3]}\n" in printed
    assert f"  otel-labelstudio report report.html --project-id {link[3]}\n" in printed
    assert list(tmp_path.iterdir()) == []


def test_without_a_terminal_once_cannot_wait_for_labels(
    label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There would be nobody who labels, and no Label Studio afterwards."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    options = argparse.Namespace(label=True, once=True, output=tmp_path)
    with pytest.raises(DemoError, match=r"standard input has ended: run demo --label in a terminal, or without --once"):
        demo._come_back(label_studio, [Shown(PAGES[0], "Demo: review", 1, 11)], options)
    assert list(tmp_path.iterdir()) == []


def test_a_second_demo_with_the_same_data_says_so(
    label_studio: EmbeddedLabelStudio, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same calls come once more; it says how many are of the first, and how to begin anew. The scripted labeler
    leaves what is labeled alone, and says that."""
    page = next(page for page in PAGES if page.name == "compare")
    labeled = []
    for _ in range(2):
        shown = show(label_studio, page)
        labeled.append(label_project(label_studio, shown.project_id))
        demo._print_projects(label_studio, [shown])
    assert (shown.task_count, shown.earlier_count) == (6, 3)
    assert labeled == [3, 0]
    said = f"3 of these tasks are of an earlier demo: {label_studio.data_dir} had its data."
    assert capsys.readouterr().out.count(said) == 1
    assert demo._labeled(0).startswith("The scripted labeler left these projects alone")


def label_one(url: str, project: str, key: str) -> None:
    """Accept the answer of the first task."""
    task = answer_of(f"{url}/api/tasks?project={project}&page_size=1&fields=all", key)["tasks"][0]
    (prediction,) = task["predictions"]
    annotation = {"result": prediction["result"], "parent_prediction": prediction["id"], "lead_time": 3}
    answer_of(f"{url}/api/tasks/{task['id']}/annotations/", key, annotation)


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections on the port."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def predicted_texts(task: dict[str, Any]) -> list[str]:
    """The answers that a labeler finds pre-filled."""
    ((prediction,),) = (task["predictions"],)
    (result,) = prediction["result"]
    return list(result["value"]["text"])


def test_the_application_goes_on_when_nobody_reads_its_lines() -> None:
    """As after a demo that was killed: its log of calls is no error of the tracing, and its exit is clean."""
    script = (
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
        "from otel_labelstudio.demo.application import CallLog\n"
        "provider = TracerProvider()\n"
        "provider.add_span_processor(SimpleSpanProcessor(CallLog()))\n"
        "for _ in range(3): provider.get_tracer('demo').start_span('ChatOpenAI.chat').end()\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    try:
        run = subprocess.run(
            [sys.executable, "-c", script],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=600,
            check=False,
        )
    finally:
        os.close(writer)
    assert (run.returncode, run.stderr) == (0, "")


def test_ends_without_a_word_when_nobody_reads_its_output() -> None:
    """As below `head`: status 1, no error, no traceback; the application has ended with it."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, "--once", "--only", "chat"], stdout=pipe, stderr=pipe, text=True) as demo:
        assert demo.stdout is not None
        assert any(" ms" in line for line in demo.stdout)
        demo.stdout.close()
        assert demo.stderr is not None
        said = demo.stderr.read()
    assert demo.returncode == 1
    assert "Broken pipe" not in said
    assert "BrokenPipe" not in said
    assert "Traceback" not in said


def test_stays_until_it_is_stopped_and_leaves_nothing() -> None:
    """One mode on the asked port; Ctrl-C ends it with status 0, and the server and its data are gone."""
    port = steady_port()
    command = [*COMMAND, "--only", "prompt", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        printed = printed_until_it_waits(demo)
        (link,) = LINK.findall(printed)
        assert link[:3] == ("prompt", "6", f"http://{LOOPBACK}:{port}")
        data_dir = Path(re.findall(r"its data in (\S+)", printed)[0])
        assert data_dir.is_dir()
        demo.send_signal(signal.SIGINT)
        assert demo.wait(240) == 0
    assert not data_dir.exists()
    assert not is_listening(port)


def test_a_terminated_demo_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM while the application runs ends that and the server, and the data are gone."""
    port = steady_port()
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([*COMMAND, "--port", str(port)], stdout=subprocess.PIPE, text=True, env=environment) as demo:
        assert demo.stdout is not None
        demo.stdout.readline()
        assert [path.name[:13] for path in tmp_path.iterdir()] == ["label-studio-"]
        demo.terminate()
        assert demo.wait(240) == 130
    assert not is_listening(port)
    assert list(tmp_path.iterdir()) == []


def test_a_busy_port_is_one_clear_line(tmp_path: Path) -> None:
    """Status 1 and no traceback."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = str(listener.getsockname()[1])
        finished = subprocess.run(
            [*COMMAND, "--once", "--port", port], capture_output=True, text=True, timeout=600, check=False
        )
    assert finished.returncode == 1
    assert f"otel-labelstudio: Port {port} is busy" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_a_missing_extra_is_one_clear_line(tmp_path: Path) -> None:
    """Without LangChain's packages the command says how to install them, before it installs anything itself."""
    script = (
        "import sys; sys.modules['langchain'] = None\n"
        "from otel_labelstudio.cli import main; sys.exit(main(['demo', '--once']))"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=600, check=False)
    assert finished.returncode == 1
    assert finished.stderr.strip().splitlines() == [
        "otel-labelstudio: langchain is missing: install the demo with pip install 'otel-labelstudio[demo]'"
    ]
