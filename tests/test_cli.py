"""The commands check, convert and send, with recorded telemetry of LangChain applications."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.cli import COMMANDS, main
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.recordings import read_calls
from otel_labelstudio.settings import Settings
from otel_labelstudio.tasks.binding import Mode, default_label_config
from otel_labelstudio.tasks.build import Task, build_task
from tests.delivery.faults import HTML, FaultyServer, answers, reset
from tests.delivery.labeling import Labeling, fresh_title
from tests.outbox.test_migration import FORMAT_2

DATA = Path(__file__).parent / "data"
CHAT, COMPLETION, TOOLS = (str(DATA / f"langchain-{name}.pb") for name in ("chat", "completion", "tools"))
IMAGE = '<View><Image name="i" value="$picture"/><TextArea name="a" toName="i"/></View>'
WITHOUT_TEXT_AREA = '<View><Text name="t" value="$prompt"/><Rating name="r" toName="t"/></View>'

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def _environment(label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The shared server, a project of this test's own, quick tries, and nothing that was sent before."""
    monkeypatch.setattr("otel_labelstudio.cli.sent_before.PATH", str(tmp_path / "state" / "sent.db"))
    monkeypatch.setattr("otel_labelstudio.delivery.retry._LONGEST_S", 0.2)
    for name, value in {
        "LABEL_STUDIO_URL": label_studio.url,
        "LABEL_STUDIO_API_KEY": label_studio.api_key,
        "OTEL_EXPORTER_LABELSTUDIO_MODE": "chat",
        "OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME": fresh_title("Command"),
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("LABEL_STUDIO_PROJECT_ID", "OTEL_EXPORTER_LABELSTUDIO_PROJECT_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def title() -> str:
    return os.environ["OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME"]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command: exit status, standard output, standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        written = capsys.readouterr()
        return status, written.out, written.err

    return run


def otlp_json(path: str) -> dict[str, Any]:
    """A recorded request as OTLP JSON, whose ids are hexadecimal."""
    request = ExportTraceServiceRequest.FromString(Path(path).read_bytes())
    record: dict[str, Any] = MessageToDict(request, use_integers_for_enums=True)

    def hexadecimal(value: Any) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                if key in ("traceId", "spanId", "parentSpanId"):
                    value[key] = base64.b64decode(item).hex()
                else:
                    hexadecimal(item)
        elif isinstance(value, list):
            for item in value:
                hexadecimal(item)

    hexadecimal(record)
    return record


def span_record(attributes: dict[str, str]) -> dict[str, Any]:
    """A request of one span, as OTLP JSON."""
    key_values = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "chat", "attributes": key_values}
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def counts(err: str) -> dict[str, int]:
    """The numbers of a summary, by name."""
    lines = (line.strip().rsplit(maxsplit=1) for line in err.splitlines() if line.startswith("  "))
    return {line[0]: int(line[1]) for line in lines if len(line) == 2 and line[1].isdecimal()}


# Call filters as somebody writes them


def without_model(call: LLMCall) -> LLMCall:
    return replace(call, request_model=None, response_model=None, metadata={})


def with_tools(call: LLMCall) -> LLMCall | None:
    return call if call.tool_definitions else None


def odd_at_chats(call: LLMCall) -> LLMCall:
    messages: Any = ({"role": "user", "content": "Hi"},)
    return call if call.tool_definitions else replace(call, input_messages=messages)


# -- check --------------------------------------------------------------------------------------------------------


def test_check_says_that_all_is_well(command: Command, labeling: Labeling, title: str) -> None:
    """Server, key, project, labeling configuration, mode: a line each; and nothing is changed."""
    status, out, _ = command("check")
    assert status == 0
    assert "FAIL" not in out
    assert "ok    server: Label Studio 1." in out
    assert "ok    API key: legacy token of demo@example.com" in out
    assert f'ok    project: "{title}" does not exist and will be made with the first call' in out
    assert "the prompt goes to $prompt (<Paragraphs>)" in out
    assert "note  completion calls will be refused" in out
    assert labeling.project_ids(title) == []


def test_check_knows_both_kinds_of_key(
    command: Command, label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A personal access token is called by its name."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.personal_access_token())
    status, out, _ = command("check")
    assert status == 0
    assert "ok    API key: personal access token of demo@example.com" in out


def test_check_finds_the_oldest_of_several_projects(command: Command, labeling: Labeling, title: str) -> None:
    """An ambiguous title is a note with the ids, not a failure."""
    first, second = (labeling.make_project(title, default_label_config(Mode.CHAT)) for _ in range(2))
    status, out, _ = command("check")
    assert status == 0
    assert f"note  projects [{first}, {second}] are all called" in out
    assert f"/projects/{first}" in out


def test_check_notes_that_the_mode_is_not_set(
    command: Command, title: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The default refuses chats, which are nearly all traffic; wherever the mode is set, there is nothing to note."""
    monkeypatch.delenv("OTEL_EXPORTER_LABELSTUDIO_MODE")
    status, out, _ = command("check")
    assert status == 0
    assert 'note  mode is not set: "prompt" is assumed' in out
    assert 'note  chat calls will be refused. mode="prompt" takes no chats: set mode="chat" or OTEL_EXP' in out
    file = tmp_path / "receiver.toml"
    file.write_text('[labelstudio]\nmode = "prompt"\n', encoding="utf-8")
    for arguments in (["--mode", "prompt"], ["--config", str(file)]):
        assert "mode is not set" not in command("check", *arguments)[1]


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_TRACES_EXPORTER", "otlp, labelstudio"), ("OTEL_CONFIG_FILE", "x.yaml")]
)
def test_check_notes_that_nothing_would_set_the_sdk_up(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Without a distro, opentelemetry-instrument runs the application untraced and says nothing."""
    monkeypatch.setenv(name, value)
    assert "opentelemetry-instrument" not in command("check")[1]
    monkeypatch.setattr("otel_labelstudio.cli.check.entry_points", lambda group: ())
    assert (
        "note  opentelemetry-instrument sets nothing up: pip install 'otel-labelstudio[zero-code]'"
        in command("check")[1]
    )
    monkeypatch.setenv(name, "")
    assert "opentelemetry-instrument" not in command("check")[1]


def test_check_in_auto_mode_has_nothing_to_note(command: Command) -> None:
    """Everything fits."""
    status, out, _ = command("check", "--mode", "auto")
    assert status == 0
    assert "ok    mode auto: chats and completions fit" in out


def test_check_notes_another_label_config(command: Command, labeling: Labeling, title: str, tmp_path: Path) -> None:
    """The server's is used."""
    labeling.make_project(title, default_label_config(Mode.CHAT))
    file = tmp_path / "mine.xml"
    file.write_text(default_label_config(Mode.PROMPT))
    status, out, _ = command("check", "--project-config", str(file))
    assert status == 0
    assert "note  the project has another labeling configuration than project_config" in out


def test_check_says_which_layout_holds(command: Command, labeling: Labeling, title: str) -> None:
    """That of a new project fits every call; an existing project of another configuration keeps its own."""
    status, out, _ = command("check", "--layout", "review", "--mode", "auto")
    assert status == 0
    assert "ok    layout of new projects: review" in out
    assert "the prompt goes to $dialogue_html (<HyperText>)" in out
    assert "ok    mode auto: chats and completions fit" in out
    assert "another labeling configuration" not in out
    labeling.make_project(title, default_label_config(Mode.CHAT))
    out = command("check", "--layout", "review")[1]
    assert 'note  the project has another labeling configuration than layout "review"; its own is used' in out


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (WITHOUT_TEXT_AREA, "no TextArea for the answers. Add one in Label Studio under the project's Settings"),
        (IMAGE, "an <Image>, which shows no text. Add one in Label Studio"),
    ],
)
def test_check_fails_where_no_call_fits(
    command: Command, labeling: Labeling, title: str, config: str, said: str
) -> None:
    """A missing TextArea, a tag that takes neither text nor a dialogue: with the place where it is mended."""
    labeling.make_project(title, config)
    status, out, _ = command("check")
    assert status == 1
    (failure,) = [line for line in out.splitlines() if line.startswith("FAIL")]
    assert said in failure


def test_check_fails_for_a_project_that_does_not_exist(command: Command) -> None:
    """An id is never made."""
    status, out, _ = command("check", "--project-id", "999999")
    assert status == 1
    assert "FAIL" in out.splitlines()[-1]
    assert "check url and project_id" in out


@pytest.mark.parametrize("key", ["CANARY-0123456789", "legacy-token-of-another-server"])
def test_check_fails_for_a_wrong_key(command: Command, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's words, and where to find a key; never the key."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", key)
    status, out, err = command("check")
    assert status == 1
    assert "ok    server: Label Studio" in out
    assert "HTTP status 401" in out
    assert "LABEL_STUDIO_API_KEY" in out
    assert key not in out + err


def test_check_fails_for_a_revoked_token(
    command: Command, label_studio: EmbeddedLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A personal access token of the right form that this server does not know."""
    head, payload, _ = label_studio.personal_access_token().split(".")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", f"{head}.{payload}.{'A' * 43}")
    status, out, _ = command("check")
    assert status == 1
    assert "401" in out


def test_check_fails_without_a_key(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said as the exporter says it."""
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    status, out, _ = command("check")
    assert status == 1
    assert "Account & Settings" in out


def test_check_fails_where_no_server_is(command: Command, faulty: FaultyServer) -> None:
    """Nobody listens."""
    faulty.stop()
    status, out, _ = command("check", "--url", faulty.url)
    assert status == 1
    assert f"FAIL  {faulty.url} cannot be reached" in out


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (answers(200, HTML), "something else than Label Studio's API"),
        (answers(200, {"hello": "world"}), "does not answer as Label Studio does"),
        (answers(302, HTML, Location="https://sso.example.com/"), "redirects to https://sso.example.com/"),
        (reset, "no usable answer"),
        (answers(500), "HTTP status 500"),
    ],
)
def test_check_fails_where_something_else_answers(
    command: Command, faulty: FaultyServer, fault: Any, said: str
) -> None:
    """Another site, a login page, a broken proxy."""
    faulty.plan(fault, None, times=float("inf"))
    status, out, _ = command("check", "--url", faulty.url)
    assert status == 1
    assert "FAIL" in out
    assert said in out


# -- convert ------------------------------------------------------------------------------------------------------


def test_convert_writes_tasks_as_json_lines(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """One task a line on standard output, the counts on standard error; no server and no key is needed."""
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    status, out, err = command("convert", CHAT, TOOLS)
    tasks = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert len(tasks) == 3
    # In the order in which they were made
    assert tasks[2]["data"]["prompt"] == [{"role": "user", "content": "What is the capital of France?"}]
    assert tasks[2]["predictions"][0]["result"][0]["value"] == {"text": ["The capital of France is Paris."]}
    assert "[tool call] get_weather" in json.dumps(tasks)
    assert [LLMCall.from_dict(task["meta"]["call"]) for task in tasks] == read_calls([CHAT, TOOLS])
    counts = dict(line.strip().rsplit(maxsplit=1) for line in err.splitlines()[1:])
    assert counts == {"calls": "3", "written": "3", "refused": "0", "spans skipped: not_inference": "2"}


def test_convert_writes_calls(command: Command) -> None:
    """The calls themselves, whatever the mode."""
    _, out, _ = command("convert", "--format", "calls", CHAT, COMPLETION)
    assert [LLMCall.from_dict(json.loads(line)) for line in out.splitlines()] == read_calls([CHAT, COMPLETION])


@pytest.mark.parametrize(("mode", "written"), [("chat", 1), ("prompt", 1), ("auto", 2)])
def test_convert_refuses_as_the_exporter_does(command: Command, mode: str, written: int) -> None:
    """The mode says which calls fit; what is refused is counted and explained."""
    status, out, err = command("convert", "--mode", mode, CHAT, COMPLETION)
    assert status == 0
    assert len(out.splitlines()) == written
    assert ('mode="auto"' in err) == (written == 1)


def test_convert_follows_a_label_config(command: Command, tmp_path: Path) -> None:
    """Names and variables of the configuration that the tasks are for."""
    file = tmp_path / "mine.xml"
    file.write_text(
        '<View><Paragraphs name="talk" value="$turns" nameKey="who" textKey="what"/>'
        '<TextArea name="better" toName="talk"/></View>'
    )
    _, out, _ = command("convert", "--project-config", str(file), CHAT)
    task = json.loads(out)
    assert task["data"]["turns"] == [{"who": "user", "what": "What is the capital of France?"}]
    assert task["predictions"][0]["result"][0]["from_name"] == "better"


def test_the_same_telemetry_in_every_form_is_the_same_tasks(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Protobuf, OTLP JSON, JSON lines, each with gzip, and standard input."""
    _, expected, _ = command("convert", TOOLS)
    record = otlp_json(TOOLS)
    forms = {
        "plain.pb": Path(TOOLS).read_bytes(),
        "packed.pb.gz": gzip.compress(Path(TOOLS).read_bytes()),
        "one.json": json.dumps(record).encode(),
        "indented.json": json.dumps(record, indent=2).encode(),
        "lines.jsonl": json.dumps(record).encode() + b"\n" + json.dumps({"resourceSpans": []}).encode() + b"\n",
        "packed.jsonl.gz": gzip.compress(json.dumps(record).encode()),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        assert command("convert", str(tmp_path / name))[:2] == (0, expected), name
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert command("convert", "-")[:2] == (0, expected), name


def test_convert_reads_what_it_can(command: Command, tmp_path: Path) -> None:
    """A missing file, a damaged line, a file that is something else: each a line, exit status 1, the rest converted."""
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(json.dumps(otlp_json(CHAT)).encode() + b'\n{"resourceSpans": [{"sco')
    other = tmp_path / "other.pb"
    other.write_bytes(b"no protobuf")
    packed = tmp_path / "packed.pb.gz"
    packed.write_bytes(gzip.compress(Path(TOOLS).read_bytes())[:-20])
    missing = str(tmp_path / "missing.pb")
    status, out, err = command("convert", missing, str(lines), str(other), str(packed))
    assert status == 1
    assert len(out.splitlines()) == 1
    for name in (missing, f"{lines}, line 2", str(other), str(packed)):
        assert f"otel-labelstudio: {name}" in err
    assert err.split()[-3:] == ["unreadable", "inputs", "4"]


def test_convert_ends_when_its_reader_has_seen_enough() -> None:
    """``| head`` is no failure to tell of."""
    script = f"{sys.executable} -m otel_labelstudio convert {TOOLS} --mode auto | head -c 1"
    done = subprocess.run(script, shell=True, capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout == "{"
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


@pytest.mark.parametrize("what", ["tasks", "calls"])
def test_convert_asks_the_call_filter(command: Command, what: str) -> None:
    """Whoever redacts by it finds nothing raw in the file either, in both formats; by a flag or by its variable."""
    _, raw, _ = command("convert", CHAT, "--format", what)
    assert "gpt-4o-mini" in raw
    status, out, err = command("convert", CHAT, "--format", what, "--call-filter", f"{__name__}:without_model")
    assert (status, len(out.splitlines())) == (0, 1)
    assert "gpt-4o-mini" not in out
    assert "filter" not in err


def test_convert_counts_what_the_call_filter_leaves_out(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no failure."""
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_CALL_FILTER", f"{__name__}:with_tools")
    status, out, err = command("convert", CHAT, TOOLS, "--format", "calls")
    assert (status, len(out.splitlines())) == (0, 2)
    assert counts(err)["filtered"] == 1


def test_convert_takes_no_call_filter_from_the_environment(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the flag says off."""
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_CALL_FILTER", f"{__name__}:with_tools")
    status, out, err = command("convert", CHAT, "--format", "calls", "--call-filter", "off")
    assert (status, len(out.splitlines())) == (0, 1)
    assert "filter" not in err


@pytest.mark.parametrize("what", ["tasks", "calls"])
def test_convert_says_that_the_call_filter_failed(
    command: Command, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Exit status 1; what it failed on is not written, the rest is."""
    status, out, err = command("convert", CHAT, TOOLS, "--format", what, "--call-filter", f"{__name__}:odd_at_chats")
    assert (status, len(out.splitlines())) == (1, 2)
    assert counts(err)["filter failed"] == 1
    assert caplog.messages == ["call_filter failed with AttributeError: such calls are dropped."]


@pytest.mark.parametrize("what", ["tasks", "calls"])
def test_convert_leaves_large_media_out(command: Command, what: str, tmp_path: Path) -> None:
    """As the exporter does, in both formats."""
    file = tmp_path / "image.jsonl"
    image = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "QUJD" * 1000}
    file.write_text(
        json.dumps(
            span_record(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [image]}]),
                    "gen_ai.output.messages": json.dumps(
                        [{"role": "assistant", "parts": [{"type": "text", "content": "A cat."}]}]
                    ),
                }
            )
        )
    )
    assert "QUJDQUJD" in command("convert", str(file), "--format", what)[1]
    _, out, _ = command("convert", str(file), "--format", what, "--media-max-bytes", "2000")
    assert "A cat." in out
    assert "QUJDQUJD" not in out


def test_convert_refuses_a_call_that_cannot_be_built(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted and said; the rest is converted."""

    def build(call: LLMCall, *arguments: Any, **keywords: Any) -> Task:
        if not call.tool_definitions:
            raise ZeroDivisionError("CANARY")
        return build_task(call, *arguments, **keywords)

    monkeypatch.setattr("otel_labelstudio.cli.convert.build_task", build)
    status, out, err = command("convert", CHAT, TOOLS)
    assert (status, len(out.splitlines()), counts(err)["refused"]) == (0, 2, 1)
    assert "otel-labelstudio: a call cannot be made into a task (ZeroDivisionError)" in err
    assert "CANARY" not in err


# -- send ---------------------------------------------------------------------------------------------------------


def test_send_delivers_and_may_be_repeated(command: Command, labeling: Labeling, title: str) -> None:
    """All calls are tasks, once, however often it is run; the bar and the counts are on standard error."""
    for _ in range(2):
        status, out, err = command("send", CHAT, TOOLS)
        assert (status, out) == (0, "")
        assert "Sending" in err
        assert "3/3" in err
        assert "delivered" in err
        assert len(labeling.tasks(title)) == 3
    assert command("send", CHAT, TOOLS, COMPLETION, "--mode", "auto")[0] == 0
    assert len(labeling.tasks(title)) == 4


def test_send_joins_the_answers_of_two_models(command: Command, labeling: Labeling, title: str, tmp_path: Path) -> None:
    """Two recordings of the same questions make one task a question, with both answers, to compare; sent once."""
    other = json.dumps(otlp_json(CHAT))
    for told, instead in (("bdd640fb", "0badcafe"), ("France is Paris", "France is Lyon"), ("gpt", "other")):
        assert told in other
        other = other.replace(told, instead)
    (tmp_path / "other.json").write_text(other)
    for _ in range(2):
        status, _, err = command("send", CHAT, str(tmp_path / "other.json"), "--join", "input", "--layout", "compare")
        assert (status, counts(err)["calls joined into others"]) == (0, 1)
        (task,) = labeling.tasks(title)
    assert len(task["data"]["choices"]) == 2
    (region,) = task["predictions"][0]["result"]
    assert sorted(region["value"]["text"]) == ["The capital of France is Lyon.", "The capital of France is Paris."]
    assert sorted(LLMCall.from_dict(task["meta"]["call"]).answer_models, key=str) == ["gpt-4o-mini", "other-4o-mini"]
    assert not any("4o-mini" in str(value) for value in task["data"].values())


def test_send_in_several_batches(command: Command, labeling: Labeling, title: str) -> None:
    """The batch size is kept to."""
    assert command("send", CHAT, TOOLS, "--batch-size", "1")[0] == 0
    assert len(labeling.tasks(title)) == 3


def test_send_tells_of_refused_calls(command: Command, labeling: Labeling, title: str) -> None:
    """Exit status 1, and why."""
    status, _, err = command("send", CHAT, COMPLETION)
    assert status == 1
    assert 'mode="auto"' in err
    assert len(labeling.tasks(title)) == 1


def test_send_waits_for_a_server_that_is_busy(
    command: Command, labeling: Labeling, title: str, faulty: FaultyServer
) -> None:
    """What passes by itself is waited for."""
    faulty.plan(answers(503), None, times=3)
    assert command("send", CHAT, "--url", faulty.url)[0] == 0
    assert len(labeling.tasks(title)) == 1


def test_send_ends_where_only_a_person_can_help(
    command: Command, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong key does not mend itself: a command that waits for that hangs for ever. Nothing is lost by that: the file
    can be sent again."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "CANARY-0123456789")
    status, _, err = command("send", CHAT)
    assert status == 1
    assert "401" in caplog.text
    assert "Lost at the shutdown" not in caplog.text
    assert "CANARY" not in caplog.text + err


def test_send_does_not_share_an_applications_outbox(
    command: Command, labeling: Labeling, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables of the application may stand in the same shell."""
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_OUTBOX", str(tmp_path / "outbox.db"))
    assert command("send", CHAT)[0] == 0
    assert len(labeling.tasks(title)) == 1
    assert not (tmp_path / "outbox.db").exists()


@pytest.mark.parametrize("is_made_again", [False, True])
def test_send_after_the_project_was_renamed(
    command: Command, labeling: Labeling, title: str, is_made_again: bool
) -> None:
    """What an earlier run has sent is found where it is; what is new goes to the project of the title, and none is made
    before there is something new."""
    assert command("send", CHAT, TOOLS)[0] == 0
    (renamed,) = labeling.project_ids(title)
    labeling.change_project(renamed, title=fresh_title("Archive"))
    if is_made_again:
        labeling.make_project(title, default_label_config(Mode.CHAT))
    assert command("send", CHAT, TOOLS)[0] == 0
    assert len(labeling.project_ids(title)) == is_made_again
    assert command("send", CHAT, TOOLS, COMPLETION, "--mode", "auto")[0] == 0
    assert (len(labeling.tasks(renamed)), len(labeling.tasks(title))) == (3, 1)
    labeling.change_project(labeling.project_ids(title)[0], title=fresh_title("Archive"))
    assert command("send", CHAT, TOOLS, COMPLETION, "--mode", "auto")[0] == 0
    assert labeling.project_ids(title) == []


def test_send_finds_what_an_application_delivered_before_the_rename(
    command: Command, labeling: Labeling, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outbox that the settings name knows to which project the application's calls went."""
    path = str(tmp_path / "outbox.db")
    pipeline = Pipeline(Settings.resolve({"outbox": path, "settle_s": 0}))
    pipeline.accept_calls(read_calls(CHAT))
    assert pipeline.flush(240)
    pipeline.close(0)
    (renamed,) = labeling.project_ids(title)
    labeling.change_project(renamed, title=fresh_title("Archive"))
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_OUTBOX", path)
    assert command("send", CHAT)[0] == 0
    assert labeling.project_ids(title) == []
    assert len(labeling.tasks(renamed)) == 1


def test_send_after_the_renamed_project_was_deleted(command: Command, labeling: Labeling, title: str) -> None:
    """What is nowhere any more is sent again."""
    assert command("send", CHAT)[0] == 0
    (project_id,) = labeling.project_ids(title)
    labeling.change_project(project_id, title=fresh_title("Archive"))
    labeling.delete_project(project_id)
    assert command("send", CHAT)[0] == 0
    assert len(labeling.tasks(title)) == 1


def test_send_leaves_an_applications_older_outbox_as_it_is(
    command: Command, labeling: Labeling, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The application that has it open could not read a newer format."""
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(FORMAT_2)
    before = path.read_bytes()
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_OUTBOX", str(path))
    assert command("send", CHAT)[0] == 0
    assert path.read_bytes() == before
    assert len(labeling.tasks(title)) == 1


def test_send_where_there_is_no_home(
    command: Command, labeling: Labeling, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose user is not listed: that is said, the calls are sent, and no directory "~" is made."""
    recording = os.path.abspath(CHAT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("otel_labelstudio.cli.sent_before.PATH", "~nobody-of-that-name/sent.db")
    status, _, err = command("send", recording)
    assert status == 0
    assert err.count("a renamed project will not be found (there is no home directory)") == 1
    assert len(labeling.tasks(title)) == 1
    assert list(tmp_path.iterdir()) == []


def test_send_where_nothing_can_be_remembered(
    command: Command, labeling: Labeling, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that says where calls were sent to cannot be used: that is said, and they are sent."""
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    monkeypatch.setattr("otel_labelstudio.cli.sent_before.PATH", str(tmp_path / "taken" / "sent.db"))
    status, _, err = command("send", CHAT)
    assert status == 0
    assert err.count("a renamed project will not be found") == 1
    assert len(labeling.tasks(title)) == 1


def test_send_counts_what_the_call_filter_leaves_out(
    command: Command, labeling: Labeling, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was asked to: that is no failure, and the rest is sent."""
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_CALL_FILTER", f"{__name__}:with_tools")
    status, _, err = command("send", CHAT, TOOLS)
    assert status == 0
    found = counts(err)
    assert (found["calls"], found["delivered"], found["filtered"]) == (3, 2, 1)
    assert len(labeling.tasks(title)) == 2


def test_send_says_that_the_call_filter_failed(
    command: Command, labeling: Labeling, title: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Exit status 1; the rest is sent."""
    status, _, err = command("send", CHAT, TOOLS, "--call-filter", f"{__name__}:odd_at_chats")
    assert status == 1
    assert counts(err)["filter failed"] == 1
    assert "call_filter failed with AttributeError: such calls are dropped." in caplog.messages
    assert len(labeling.tasks(title)) == 2


# -- all of them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_help(name: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command explains itself; no flag is there for the key, since others can read command lines."""
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"] if name else ["--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert "otel-labelstudio" in out
    assert "api-key" not in out
    assert all(command in out for command in COMMANDS) or name


def test_a_wrong_command_line_is_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    """As everywhere."""
    with pytest.raises(SystemExit) as ended:
        main(["convert"])
    assert ended.value.code == 2


def test_the_module_is_the_command() -> None:
    """``python -m otel_labelstudio``, with errors on standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "otel_labelstudio", "convert", "/no/such/file.pb"],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("otel-labelstudio: /no/such/file.pb: No such file or directory")
