"""The commands' flags and help: every setting has a flag, and an option that does not apply is an error."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from otel_labelstudio.cli import COMMANDS, main, parser
from otel_labelstudio.cli.examples import EXAMPLES
from otel_labelstudio.cli.settings import WITHOUT_FLAG
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.receiver.settings import VARIABLES as RECEIVER_VARIABLES
from otel_labelstudio.settings import VARIABLES
from tests.missing import missing

DATA = Path(__file__).parent / "data"
CHAT = str(DATA / "langchain-chat.pb")

# The settings that a command has no flag for, and why it needs none
NOT_FOR_FILES = {
    "settle_s": "all readings of a file are there at once",
    "recheck_wait_s": "the command ends before",
    "outbox": "what is in a file needs no other file",
    "outbox_max_calls": "as many as are delivered at once",
    "outbox_max_bytes": "as above",
}
OF_DELIVERY = dict.fromkeys(
    (
        *("batch_size", "import_timeout_s", "resend_wait_s", "delete_duplicates", "max_new_projects"),
        *NOT_FOR_FILES,
    ),
    "nothing is delivered",
)
NOT_FOR: dict[str, dict[str, str]] = {
    "serve": {},
    "send": NOT_FOR_FILES,
    "convert": {
        **OF_DELIVERY,
        **dict.fromkeys(("url", "timeout_s", "project_id", "project_name"), "no server is asked"),
    },
    "check": {
        **{name: why for name, why in OF_DELIVERY.items() if name != "outbox"},
        **dict.fromkeys(("media_max_bytes", "failed_calls"), "no call is read"),
    },
}


def command_parser(command: str) -> argparse.ArgumentParser:
    (commands,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    found: argparse.ArgumentParser = commands.choices[command]
    return found


def flags(command: str) -> set[str]:
    return {flag for action in command_parser(command)._actions for flag in action.option_strings}


def flags_of(names: Iterator[str]) -> set[str]:
    return {f"--{name.replace('_', '-')}" for name in names}


@pytest.mark.parametrize("command", NOT_FOR)
def test_every_setting_has_a_flag(command: str) -> None:
    """But for the API key, which would be seen by other users, and those that the command cannot use."""
    settings = {variable.name for variable in VARIABLES}
    without = {*WITHOUT_FLAG, *NOT_FOR[command]}
    assert without <= settings
    assert flags_of(iter(settings)) & flags(command) == flags_of(iter(settings - without))


def test_every_setting_of_the_receiver_has_a_flag() -> None:
    """None of them is a secret: they name files of secrets."""
    assert flags_of(variable.name for variable in RECEIVER_VARIABLES) <= flags("serve")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_says_what_it_takes(command: str) -> None:
    """A unit, a kind, or the choices."""
    for action in command_parser(command)._actions:
        if action.option_strings and action.nargs != 0 and action.choices is None:
            assert action.metavar not in (None, "VALUE"), action.option_strings


def test_the_help_of_serve_has_its_own_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    """A receiver holds more calls, in a file; its help does not say what holds for an exporter."""
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "OTEL_EXPORTER_LABELSTUDIO_OUTBOX_MAX_CALLS, default 100000" in said
    assert "OTEL_EXPORTER_LABELSTUDIO_OUTBOX, default ~/.local/state/otel-labelstudio/outbox.db" in said


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_of_the_help_is_one(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command has some, and its options exist and fit together."""
    assert EXAMPLES[command]
    for example in EXAMPLES[command]:
        words = shlex.split(example.split(" > ")[0].split(" | ")[0])
        assert parser().parse_args([command, *words]).command == command
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert f"otel-labelstudio {command} {EXAMPLES[command][-1]}" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It knows the commands and their flags."""
    with pytest.raises(SystemExit) as end:
        main(["--print-completion", shell])
    assert end.value.code in (0, None)
    script = capsys.readouterr().out
    assert all(word in script for word in (*COMMANDS, "bearer-tokens"))


def completions(typed: str, script: Path, folder: Path) -> list[str]:
    """What bash offers for the last of the words that were typed."""
    words = " ".join(shlex.quote(word) for word in typed.split(" "))
    asked = f"""
source {script}
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
function=$(complete -p otel-labelstudio | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$function otel-labelstudio "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    run = subprocess.run(["bash", "-c", asked], cwd=folder, capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_what_bash_offers(tmp_path: Path) -> None:
    """Commands, flags, and files where a file is asked for."""
    if shutil.which("bash") is None:
        missing("bash")
    script = tmp_path / "script"
    command = [sys.executable, "-m", "otel_labelstudio", "--print-completion", "bash"]
    script.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    (tmp_path / "calls.db").touch()
    assert completions("otel-labelstudio se", script, tmp_path) == ["serve", "send"]
    assert completions("otel-labelstudio serve --max-new", script, tmp_path) == ["--max-new-projects"]
    assert completions("otel-labelstudio outbox status cal", script, tmp_path) == ["calls.db"]
    assert completions("otel-labelstudio serve --outbox cal", script, tmp_path) == ["calls.db"]
    assert completions("otel-labelstudio check --config cal", script, tmp_path) == ["calls.db"]
    (tmp_path / "data").mkdir()
    assert completions("otel-labelstudio demo --data-dir da", script, tmp_path) == ["data"]


# -- options that do not apply -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["convert", CHAT, "--format", "calls", "--layout", "review"], "--layout says how tasks are made"),
        (["convert", CHAT, "--format", "calls", "--mode", "chat"], "--mode says how tasks are made"),
        (["check", "--project-id", "7", "--project-name", "Calls"], "--project-name does not apply"),
        (["convert", CHAT, "--join", "foo"], "invalid choice: 'foo' (choose from"),
        (["outbox", "list", CHAT, "--format", "calls"], "unrecognized arguments: --format calls"),
    ],
)
def test_an_option_that_does_not_apply_is_an_error(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 2 and how the command is used, before anything is done."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_a_signal_applies_to_protobuf_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON says by itself what it holds; beside a protobuf file it is no error, nor where a file could not be read."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    path = tmp_path / "traces.jsonl"
    path.write_text('{"resourceSpans": []}\n', encoding="utf-8")
    for command in ("convert", "send"):
        with pytest.raises(SystemExit) as end:
            main([command, str(path), "--signal", "traces"])
        assert end.value.code == 2
        assert "--signal does not apply: it says what a protobuf file holds" in capsys.readouterr().err
    assert main(["convert", str(path), CHAT, "--mode", "chat", "--signal", "traces"]) == 0
    assert main(["convert", str(tmp_path / "none.pb"), "--signal", "traces"]) == 1
    assert "does not apply" not in capsys.readouterr().err


def test_a_title_beside_an_id_in_the_environment_is_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id holds, so that the flag would be ignored in silence."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    monkeypatch.setenv("LABEL_STUDIO_PROJECT_ID", "7")
    with pytest.raises(SystemExit):
        main(["send", CHAT, "--project-name", "Calls"])
    assert "project_id names project 7" in capsys.readouterr().err


# -- what a command says -----------------------------------------------------------------------------------------------


def test_the_summary_of_convert_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error, since the tasks are on standard output; with every count, those that are 0 too."""
    assert main(["convert", CHAT, "--mode", "chat", "--json"]) == 0
    written = capsys.readouterr()
    assert len(written.out.splitlines()) == 1
    assert json.loads(written.err) == {
        "calls": 1,
        "written": 1,
        "refused": 0,
        "filtered": 0,
        "filter_failed": 0,
        "calls_joined_into_others": 0,
        "calls_without_valid_ids": 0,
        "unreadable_inputs": 0,
        "spans_skipped": {},
    }


@pytest.mark.parametrize("option", ["--verbose", "-v", None])
def test_verbose_logs_each_request(option: str | None, label_studio: EmbeddedLabelStudio) -> None:
    """With the path and the answer's status, and without the key; otherwise the findings alone are there."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LABEL_STUDIO_"))}
    run = subprocess.run(
        [sys.executable, "-m", "otel_labelstudio", "check", "--mode", "chat", *([option] if option else [])],
        env={**own, "LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_API_KEY": label_studio.api_key},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (f"GET {label_studio.url}/api/version" in run.stderr) == bool(option)
    assert bool(run.stderr) == bool(option)
    assert label_studio.api_key not in run.stderr + run.stdout
