"""The settings that newcomers get wrong, one by one, each with the exact line that they see.

What only shows when the server is asked is in tests/delivery/label_studio/test_causes.py (names, ports, TLS, proxies)
and tests/delivery/test_in_front.py (another server, a page's path, a second login).
"""

# ruff: noqa: E501 - the lines as they are seen

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.exporter import AutoConfiguredLabelStudioSpanExporter, LabelStudioSpanExporter
from otel_labelstudio.log_exporter import AutoConfiguredLabelStudioLogRecordExporter
from otel_labelstudio.receiver.config_file import ConfigFile
from otel_labelstudio.receiver.settings import ReceiverSettings
from otel_labelstudio.settings import VARIABLES, Settings

IMAGE = '<View><Image name="i" value="$picture"/><TextArea name="a" toName="i"/></View>'
FILTER_CURE = "give a function of one argument, where to import it (package.module:function), or off."
KEY_CURE = "copy your own from Label Studio, Account & Settings."
BATCH = "it means: largest number of tasks in one import."
BYTES = "it means: bytes of calls that may wait for delivery."
SECONDS = "it means: seconds that Label Studio may take for an answer."
URL_CURE = "give an address such as http://localhost:8080, without a login in it."


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("LABEL_STUDIO_", "OTEL_")):
            monkeypatch.delenv(name)


async def asynchronous(call: LLMCall) -> LLMCall | None:
    return call


@dataclass(frozen=True)
class Wrong:
    """A setting, a value that it cannot have, and what is said of it."""

    name: str
    value: Any
    said: str


TABLE = (
    Wrong("api_key", "YOUR-API-KEY", f"api_key: this is the placeholder of an example, not a key; {KEY_CURE}"),
    Wrong("api_key", "two words", f"api_key: has characters that no key has; {KEY_CURE}"),
    Wrong("batch_size", "0", f"batch_size '0': not a whole number above 0; {BATCH}"),
    Wrong("batch_size", 1.5, f"batch_size '1.5': not a whole number above 0; {BATCH}"),
    Wrong("batch_size", "1e4", f"batch_size '1e4': not a whole number above 0; written out it is 10000; {BATCH}"),
    Wrong("batch_size", "0.5", f"batch_size '0.5': not a whole number above 0; {BATCH}"),
    Wrong("batch_size", -(10**400), f"batch_size '-{'1' + 98 * '0'}': not a whole number above 0; {BATCH}"),
    Wrong("batch_size", 10**99, f"batch_size '{10**99}': is too large; {BATCH}"),
    Wrong(
        "outbox_max_bytes",
        "1MB",
        f"outbox_max_bytes '1MB': not a whole number above 0; without its unit it is 1000000; {BYTES}",
    ),
    Wrong(
        "outbox_max_bytes",
        "2 GiB",
        f"outbox_max_bytes '2 GiB': not a whole number above 0; without its unit it is 2147483648; {BYTES}",
    ),
    Wrong("timeout_s", "10s", f"timeout_s '10s': not a number above 0; without its unit it is 10; {SECONDS}"),
    Wrong("timeout_s", "500ms", f"timeout_s '500ms': not a number above 0; without its unit it is 0.5; {SECONDS}"),
    Wrong("timeout_s", "soon", f"timeout_s 'soon': not a number above 0; {SECONDS}"),
    Wrong("timeout_s", 10**400, f"timeout_s '1{99 * '0'}': not a number above 0; {SECONDS}"),
    Wrong(
        "failed_calls",
        "yes",
        "failed_calls 'yes': neither true nor false; it means: make tasks of calls that failed before any "
        "answer too, with the error's type and no prediction.",
    ),
    Wrong("mode", "dialog", "mode 'dialog': not a valid value; choose prompt, chat or auto."),
    Wrong("layout", "page", "layout 'page': not a valid value; choose review, compare or agent."),
    Wrong(
        "url",
        "localhost:8080",
        f"url 'localhost:8080': not an address that starts with http:// or https://; {URL_CURE}",
    ),
    Wrong("url", "http://user:CANARY@host", f"url: contains a login; {URL_CURE}"),
    Wrong(
        "headers",
        "CANARY",
        "headers: part 1 of it is not name=value; a comma in a value is written %2C; give name=value,name=value with "
        "URL-encoded values, or a mapping.",
    ),
    Wrong(
        "project_name",
        "{service} x",
        "project_name (OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME) '{service} x': {service} is not an attribute: attribute "
        "names contain a dot, as in {service.name}.",
    ),
    Wrong(
        "project_name",
        "%%{a} x",
        "project_name (OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME) '%%{a} x': {a} is not an attribute: attribute names "
        "contain a dot, as in {service.name}.",
    ),
    Wrong(
        "project_name",
        "{service.name x",
        "project_name (OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME) '{service.name x': a brace is not closed.",
    ),
    Wrong(
        "project_name",
        "service.name} x",
        "project_name (OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME) 'service.name} x': a closing brace has no opening brace.",
    ),
    Wrong(
        "project_config",
        IMAGE,
        'project_config (OTEL_EXPORTER_LABELSTUDIO_PROJECT_CONFIG): The TextArea "a" cannot hold the answers: it points '
        'to "i", an <Image>, which shows no text. Add one in Label Studio under the project\'s Settings > Labeling '
        "Interface; Browse Templates > Generative AI > Supervised Language Model Fine-tuning has one to start from. For "
        "tasks without a prediction, where people only rate or rank, set require_prediction=false "
        "(OTEL_EXPORTER_LABELSTUDIO_REQUIRE_PREDICTION).",
    ),
    Wrong(
        "call_filter",
        "json",
        f"call_filter 'json': the name of the function, or of its module, is missing; {FILTER_CURE}",
    ),
    Wrong(
        "call_filter",
        "of",
        f"call_filter 'of': the name of the function, or of its module, is missing; {FILTER_CURE}",
    ),
    Wrong("call_filter", True, f"call_filter 'True': not a function; {FILTER_CURE}"),
    Wrong(
        "call_filter",
        "operator:add",
        f"call_filter 'operator:add': takes (a, b, /); it must take one argument, the call; {FILTER_CURE}",
    ),
    Wrong(
        "call_filter", "json:lods", f"call_filter 'json:lods': json has no 'lods'; did you mean 'loads'?; {FILTER_CURE}"
    ),
    Wrong("call_filter", "json:__doc__", f"call_filter 'json:__doc__': __doc__ is not a function; {FILTER_CURE}"),
    Wrong(
        "call_filter",
        "no_such_module:f",
        "call_filter 'no_such_module:f': there is no module 'no_such_module' on Python's path, which PYTHONPATH extends; "
        f"{FILTER_CURE}",
    ),
)


def said(make: Callable[[], object]) -> str:
    with pytest.raises(ConfigError) as raised:
        make()
    assert "CANARY" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("wrong", TABLE, ids=lambda wrong: f"{wrong.name} {str(wrong.value)[:20]}")
def test_a_wrong_value_is_one_line_with_cause_and_cure(wrong: Wrong) -> None:
    """Of an argument, which is called by its name."""
    arguments = {"api_key": "key", "url": "http://localhost:8080", wrong.name: wrong.value}
    assert said(lambda: LabelStudioSpanExporter(**arguments)) == wrong.said


@pytest.mark.parametrize("wrong", [wrong for wrong in TABLE if isinstance(wrong.value, str)], ids=lambda w: w.name)
def test_in_the_environment_it_is_called_by_its_variable(wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the line is the same."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    (variable,) = (variable.environment for variable in VARIABLES if variable.name == wrong.name)
    monkeypatch.setenv(variable, wrong.value)
    assert said(Settings.resolve) == re.sub(rf"^{wrong.name}(?=[: ](?!\())", variable, wrong.said)


@pytest.mark.parametrize(
    ("call_filter", "why"),
    [
        (lambda: None, "takes (); it must take one argument, the call"),
        (lambda call, reason: call, "takes (call, reason); it must take one argument, the call"),
        (asynchronous, "is an async function; it must be a plain one"),
    ],
)
def test_a_filter_that_cannot_be_asked_is_found_at_start(call_filter: Any, why: str) -> None:
    """And not with each call, which would then be dropped."""
    line = said(lambda: Settings.resolve({"api_key": "key", "url": "http://localhost", "call_filter": call_filter}))
    assert line.startswith("call_filter '<function ")
    assert line.endswith(f": {why}; {FILTER_CURE}")


def test_a_filters_module_in_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command does not look there; it says how to have it look. What the module itself lacks is told apart."""
    (tmp_path / "redaction_rules.py").write_text("def redact(call): return call")
    (tmp_path / "broken_rules.py").write_text("import no_such_package")
    monkeypatch.chdir(tmp_path)
    assert said(lambda: Settings.resolve({"call_filter": "redaction_rules:redact"}, needs_server=False)) == (
        "call_filter 'redaction_rules:redact': there is no module 'redaction_rules' on Python's path, though "
        f"redaction_rules.py is in the current directory: set PYTHONPATH=.; {FILTER_CURE}"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert Settings.resolve({"call_filter": "redaction_rules:redact"}, needs_server=False).call_filter
    assert said(lambda: Settings.resolve({"call_filter": "broken_rules:redact"}, needs_server=False)) == (
        f"call_filter 'broken_rules:redact': broken_rules imports no_such_package, which is not installed; {FILTER_CURE}"
    )


def test_an_unknown_keyword() -> None:
    """With the nearest name, and all of them."""
    names = ", ".join(variable.name for variable in VARIABLES)
    line = f"There is no setting 'modus'; did you mean 'mode'? There are {names}."
    assert said(lambda: LabelStudioSpanExporter(api_key="key", url="http://localhost", modus="chat")) == line
    assert said(lambda: Settings.resolve({"zzz": 1})) == f"There is no setting 'zzz'. There are {names}."


def test_an_unknown_name_in_the_declarative_configuration(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One error line of each exporter, which names the YAML file; the application runs on."""
    monkeypatch.setenv("OTEL_CONFIG_FILE", "otel.yaml")
    for exporter in (AutoConfiguredLabelStudioSpanExporter, AutoConfiguredLabelStudioLogRecordExporter):
        exporter(modus="chat").shutdown()
    lines = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lines) == 2
    assert all("is off: otel.yaml: There is no setting 'modus'; did you mean 'mode'?" in line for line in lines)


@pytest.mark.parametrize(
    ("toml", "line"),
    [
        (
            '[labelstudio]\nmodus = "chat"',
            "in [labelstudio] there is no setting 'modus'; did you mean 'mode'? There are",
        ),
        (
            '[receiver]\nbearer_token = "x"',
            "in [receiver] there is no setting 'bearer_token'; did you mean 'bearer_tokens'?",
        ),
    ],
)
def test_an_unknown_name_in_a_toml_file(tmp_path: Path, toml: str, line: str) -> None:
    """The file, the table and the nearest name."""
    file = tmp_path / "receiver.toml"
    file.write_text(toml)
    assert said(lambda: ConfigFile.read(str(file))).startswith(f"{file}: {line}")


def test_an_unknown_name_in_a_route(tmp_path: Path) -> None:
    """The route and the nearest name."""
    file = tmp_path / "receiver.toml"
    file.write_text('[[route]]\nname = "a"\nmatch = { "service.name" = "x" }\nproject = 7')
    settings = Settings.resolve(needs_server=False)
    line = said(lambda: ConfigFile.read(str(file)).resolved_routes(settings))
    assert line.startswith("Route 'a': there is no setting 'project'; did you mean 'project_id'? There are name, match")


def test_the_receivers_settings_say_it_in_the_same_words() -> None:
    """They are read by the same readers."""
    assert said(lambda: ReceiverSettings.resolve({"max_request_bytes": "64MiB"})) == (
        "max_request_bytes '64MiB': not a whole number above 0; without its unit it is 67108864; it means: largest "
        "request in bytes, compressed and decompressed."
    )
    assert said(lambda: ReceiverSettings.resolve({"http": "4318"})) == (
        "http '4318': not an address such as 127.0.0.1:4318; it means: where OTLP/HTTP listens, or off."
    )
