"""Settings: where they come from, what they may be, and what is said of those that may not."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.exporter import AutoConfiguredLabelStudioSpanExporter
from otel_labelstudio.settings import DEFAULT_URL, VARIABLES, Settings
from otel_labelstudio.tasks.binding import Mode, default_label_config
from otel_labelstudio.tasks.layouts import Layout

CONFIG = default_label_config(Mode.CHAT)
# Setting -> its variable, a value as text, what it is then
EXAMPLES: dict[str, tuple[str, str, Any]] = {
    "api_key": ("LABEL_STUDIO_API_KEY", " key ", "key"),
    "url": ("LABEL_STUDIO_URL", "https://labeling.example.com/ls/", "https://labeling.example.com/ls"),
    "headers": (
        "OTEL_EXPORTER_LABELSTUDIO_HEADERS",
        "Authorization=Basic%20dTpw, X-Team=a%2Cb",
        (("Authorization", "Basic dTpw"), ("X-Team", "a,b")),
    ),
    "project_id": ("LABEL_STUDIO_PROJECT_ID", "7", 7),
    "project_name": ("OTEL_EXPORTER_LABELSTUDIO_PROJECT_NAME", "Calls %Y", "Calls %Y"),
    "project_config": ("OTEL_EXPORTER_LABELSTUDIO_PROJECT_CONFIG", CONFIG, CONFIG.strip()),
    "answer_tag": ("OTEL_EXPORTER_LABELSTUDIO_ANSWER_TAG", "response", "response"),
    "require_prediction": ("OTEL_EXPORTER_LABELSTUDIO_REQUIRE_PREDICTION", "false", False),
    "mode": ("OTEL_EXPORTER_LABELSTUDIO_MODE", "Chat", Mode.CHAT),
    "layout": ("OTEL_EXPORTER_LABELSTUDIO_LAYOUT", " Review ", Layout.REVIEW),
    "model_version": ("OTEL_EXPORTER_LABELSTUDIO_MODEL_VERSION", "{provider}/{model}", "{provider}/{model}"),
    "batch_size": ("OTEL_EXPORTER_LABELSTUDIO_BATCH_SIZE", "50", 50),
    "call_filter": ("OTEL_EXPORTER_LABELSTUDIO_CALL_FILTER", "operator:attrgetter", __import__("operator").attrgetter),
    "media_max_bytes": ("OTEL_EXPORTER_LABELSTUDIO_MEDIA_MAX_BYTES", "1000", 1000),
    "failed_calls": ("OTEL_EXPORTER_LABELSTUDIO_FAILED_CALLS", "True", True),
    "settle_s": ("OTEL_EXPORTER_LABELSTUDIO_SETTLE_S", "0.5", 0.5),
    "timeout_s": ("OTEL_EXPORTER_LABELSTUDIO_TIMEOUT_S", "10", 10.0),
    "import_timeout_s": ("OTEL_EXPORTER_LABELSTUDIO_IMPORT_TIMEOUT_S", "90", 90.0),
    "resend_wait_s": ("OTEL_EXPORTER_LABELSTUDIO_RESEND_WAIT_S", "0", 0.0),
    "recheck_wait_s": ("OTEL_EXPORTER_LABELSTUDIO_RECHECK_WAIT_S", "60", 60.0),
    "delete_duplicates": ("OTEL_EXPORTER_LABELSTUDIO_DELETE_DUPLICATES", "False", False),
    "max_new_projects": ("OTEL_EXPORTER_LABELSTUDIO_MAX_NEW_PROJECTS", "7", 7),
    "outbox": ("OTEL_EXPORTER_LABELSTUDIO_OUTBOX", "/var/spool/calls.db", "/var/spool/calls.db"),
    "outbox_max_calls": ("OTEL_EXPORTER_LABELSTUDIO_OUTBOX_MAX_CALLS", "5", 5),
    "outbox_max_bytes": ("OTEL_EXPORTER_LABELSTUDIO_OUTBOX_MAX_BYTES", "5000", 5000),
}
# Setting -> values that it cannot have
WRONG: dict[str, tuple[Any, ...]] = {
    "api_key": ("YOUR-API-KEY", "<your_api_key>", "changeme", "xxxxxxxx", "two words", "schlüssel", "line\nbreak", 5),
    "url": (
        "localhost:8080",
        "ftp://host",
        "http://",
        "http://host:99999",
        "http://host?x=1",
        "http://user:CANARY@host",
        5,
    ),
    "headers": (
        "CANARY",
        "X-Team=CANARY,CANARY",
        "X Team=CANARY",
        "X-Team=CANARY%0D%0AX-Admin: yes",
        "Content-Length=CANARY",
        "x-api-key=CANARY",
        {"X-Team": 5},
        [{"X-Team": "CANARY"}],
        5,
    ),
    "project_id": ("seven", "0", "-1", "1.5", True, 1.5),
    "project_name": ("ab", "x" * 51, "%Y" * 13, "{service} x", "{service.name x", "service.name} x", 5),
    "project_config": (
        "/no/such/file.xml",
        "~nobody-of-that-name/file.xml",
        "<View>",
        "<View></View>",
        '<View><Text name="a" value="$a"/></View>',
    ),
    "answer_tag": (5,),
    "require_prediction": ("perhaps", "0"),
    "mode": ("dialog", "", 5),
    "layout": ("page", "", 5),
    "model_version": ("{version}", "{", "{0}"),
    "batch_size": ("0", "many", True),
    "call_filter": (
        *("no.such.module:f", "operator:nothing", "operator:__doc__", "json", ":f", "operator:add", 5),
        lambda: None,
        lambda call, other: call,
    ),
    "media_max_bytes": ("-1", "much"),
    "failed_calls": ("yes", "0"),
    "settle_s": ("-1", "soon", "nan", "inf"),
    "timeout_s": ("0", "-1", "long"),
    "import_timeout_s": ("0", "-1", "long"),
    "resend_wait_s": ("-1", "nan"),
    "recheck_wait_s": ("-1", "inf"),
    "delete_duplicates": ("perhaps", "1"),
    "max_new_projects": ("0", "many"),
    "outbox": (5,),
    "outbox_max_calls": ("0", "none"),
    "outbox_max_bytes": ("0", "1 GB"),
}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("LABEL_STUDIO_", "OTEL_")):
            monkeypatch.delenv(name)


def resolved(**arguments: Any) -> Settings:
    return Settings.resolve({"api_key": "key", "url": "http://localhost:8080", **arguments})


def test_every_setting_has_an_example_here() -> None:
    """No setting is without these tests."""
    assert list(EXAMPLES) == list(WRONG) == [variable.name for variable in VARIABLES]


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_setting_is_read_from_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment sets what no argument does."""
    variable, text, value = EXAMPLES[name]
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    monkeypatch.setenv(variable, text)
    assert getattr(Settings.resolve(), name) == value


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_argument_beats_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a variable that is wrong does not matter then."""
    variable, text, value = EXAMPLES[name]
    monkeypatch.setenv(variable, "\n" if name == "api_key" else "")
    assert getattr(resolved(**{name: text}), name) == value
    assert getattr(resolved(**{name: value}), name) == value


def test_nothing_given_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler's defaults; None and an empty text are nothing."""
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_MODE", "")
    settings = resolved(mode=None, project_name="")
    assert settings.mode is Mode.PROMPT
    assert settings.project_name == "LangChain-%Y-%m-%d"
    assert (settings.project_id, settings.project_config, settings.outbox) == (None, None, None)


def test_with_a_layout_the_default_mode_is_auto() -> None:
    """Every call fits a layout; a mode that was given stays, and without a layout nothing changes."""
    assert resolved(layout="review").mode is Mode.AUTO
    assert resolved(layout="review", mode="chat").mode is Mode.CHAT
    assert resolved(layout="").mode is Mode.PROMPT
    assert Settings.resolve({"api_key": "key", "url": "http://h"}, fallbacks={"layout": "compare"}).mode is Mode.AUTO


def test_what_was_chosen_replaces_what_was_not() -> None:
    """A route's layout takes the place of the labeling configuration, and the reverse; the default mode follows."""
    assert resolved().replaced({"layout": "review"}).mode is Mode.AUTO
    assert resolved(mode="prompt").replaced({"layout": "review"}).mode is Mode.PROMPT
    with_layout = resolved(project_config=CONFIG).replaced({"layout": "review"})
    assert (with_layout.layout, with_layout.project_config, with_layout.mode) == (Layout.REVIEW, None, Mode.AUTO)
    with_config = resolved(layout="review").replaced({"project_config": CONFIG})
    assert (with_config.layout, with_config.project_config, with_config.mode) == (None, CONFIG.strip(), Mode.PROMPT)
    assert resolved(layout="review").replaced({"mode": "chat"}).replaced({"layout": "compare"}).mode is Mode.CHAT


def test_a_layout_and_a_labeling_configuration_are_one_too_many() -> None:
    """Nobody can tell which of them is meant."""
    with pytest.raises(ConfigError, match=r"project_config .* and layout .* give one of them"):
        resolved(layout="review", project_config=CONFIG)


def test_a_mode_that_is_the_default_is_the_same_as_one_that_is_given() -> None:
    """Exporters of equal settings share a pipeline, however the settings came about."""
    assert resolved(mode="prompt") == resolved()
    assert hash(resolved(mode="prompt")) == hash(resolved())


def test_an_address_that_was_assumed_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Label Studio's own default, said, so that nobody wonders where the calls went."""
    assert Settings.resolve({"api_key": "key"}).url == DEFAULT_URL
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "LABEL_STUDIO_URL" in record.getMessage()
    assert DEFAULT_URL in record.getMessage()


@pytest.mark.parametrize("key", [None, "", "  "])
def test_a_missing_key_is_an_error_that_says_where_to_find_one(key: str | None) -> None:
    """The page of Label Studio, the parameter and the variable."""
    with pytest.raises(ConfigError, match=r"Account & Settings.*api_key.*LABEL_STUDIO_API_KEY"):
        Settings.resolve({"api_key": key})


def test_without_a_server_neither_key_nor_address_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """What only converts needs none."""
    assert Settings.resolve(needs_server=False).api_key == ""
    assert caplog.records == []


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values if value]
)
def test_a_wrong_argument_is_an_error_that_names_it(name: str, value: Any) -> None:
    """The setting, what was given (never a key or a password), and something that helps."""
    with pytest.raises(ConfigError) as raised:
        resolved(**{name: value})
    message = str(raised.value)
    assert name in message
    assert "CANARY" not in message
    assert len(message) > len(name) + 30
    if name == "api_key":
        assert str(value) not in message


@pytest.mark.parametrize(
    ("name", "value"), [(name, v) for name, values in WRONG.items() for v in values if v and isinstance(v, str)]
)
def test_a_wrong_variable_is_an_error_that_names_it(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the environment is called by its variable's name."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    monkeypatch.setenv(EXAMPLES[name][0], value)
    with pytest.raises(ConfigError) as raised:
        Settings.resolve()
    assert EXAMPLES[name][0] in str(raised.value)
    assert "CANARY" not in str(raised.value)


def test_a_misspelt_setting_is_an_error() -> None:
    """Whoever writes it wonders otherwise why nothing changes."""
    with pytest.raises(ConfigError, match="projct"):
        resolved(projct="x")


def test_a_label_config_may_be_a_file(tmp_path: Path) -> None:
    """As an editor on Windows saves it, too."""
    file = tmp_path / "config.xml"
    file.write_text(CONFIG, encoding="utf-8-sig")
    assert resolved(project_config=str(file)).project_config == CONFIG.strip()


def test_the_title_is_formatted_and_stripped() -> None:
    """strftime's directives are filled in for the moment that is asked for."""
    at = datetime(2025, 1, 2)
    assert resolved(project_name=" Calls %Y-%m-%d ").project_title(at) == "Calls 2025-01-02"


def test_titles_of_3_to_50_characters_are_taken() -> None:
    """Both ends of what Label Studio allows."""
    for length in (3, 50):
        assert len(resolved(project_name="ä" * length).project_title()) == length


def test_the_titles_of_a_whole_year_are_looked_at() -> None:
    """What fits in May must not fail in September."""
    assert resolved(project_name="x" * 40 + " %B")
    with pytest.raises(ConfigError, match="September"):
        resolved(project_name="x" * 41 + " %B")


def test_a_title_is_not_looked_at_where_an_id_is_given() -> None:
    """It is not used."""
    assert resolved(project_id=5, project_name="x").project_id == 5


def test_the_key_is_in_no_repr() -> None:
    """Settings may be logged; headers hold a login."""
    assert "CANARY" not in repr(resolved(api_key="CANARY", headers="X-Login=CANARY"))


def test_a_personal_access_token_cannot_travel_beside_another_login() -> None:
    """Label Studio takes a legacy token only where another login has its header; said at start, with the way out."""
    token = "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.CANARY"
    with pytest.raises(
        ConfigError, match="beside another login Label Studio takes a legacy token as api_key"
    ) as raised:
        resolved(api_key=token, headers={"authorization": "Basic CANARY"})
    assert "CANARY" not in str(raised.value)
    assert resolved(api_key=token, headers={"Proxy-Authorization": "Bearer x"})
    assert resolved(api_key="legacy", headers={"Authorization": "Basic x"})


def test_headers_are_a_text_or_a_mapping_or_a_list() -> None:
    """In the environment as in OTEL_EXPORTER_OTLP_HEADERS, in YAML or TOML as a mapping or as OTLP exporters' are."""
    expected = (("X-Team", "a,b"),)
    for given in ("X-Team=a%2Cb,", {"X-Team": "a,b"}, [{"name": "X-Team", "value": "a,b"}], expected):
        assert resolved(headers=given).headers == expected


@dataclass
class Threshold:
    """A filter with a state: equal to others, and not hashable."""

    tokens: int

    def __call__(self, call: LLMCall) -> LLMCall | None:
        return call

    def select(self, call: LLMCall) -> LLMCall | None:
        return call


class Unfriendly:
    """A filter that refuses to be compared."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __call__(self, call: LLMCall) -> LLMCall | None:
        return call


@pytest.mark.parametrize("call_filter", [Threshold(1), Unfriendly(), len, partial(len), Threshold(1).select])
def test_any_callable_may_be_a_filter(call_filter: Any) -> None:
    """Settings are a key by which doors find each other's pipeline: of a filter counts which one it is."""
    settings = resolved(call_filter=call_filter)
    assert settings == resolved(call_filter=call_filter)
    assert hash(settings) == hash(resolved(call_filter=call_filter))
    assert settings != resolved(call_filter=Threshold(1))
    assert settings != resolved()
    assert settings != "settings"
    assert settings.without_project_id() == settings


def test_the_methods_of_one_object_are_one_filter() -> None:
    """Python makes another object of it each time; two doors with it are doors of one pipeline."""
    one, other = Threshold(1), Threshold(1)
    assert resolved(call_filter=one.select) == resolved(call_filter=one.select)
    assert resolved(call_filter=one.select) != resolved(call_filter=other.select)
    assert resolved(call_filter=one.select) != resolved(call_filter=one.__call__)


def test_every_other_setting_tells_settings_apart() -> None:
    """Two doors share a pipeline only where they mean the same."""
    other = resolved(api_key="other", url="https://other.example.com")
    for name, (_, text, value) in EXAMPLES.items():
        if name != "project_id":
            assert resolved(**{name: text}) != other, name
            assert resolved(**{name: text}) == resolved(**{name: value}), name


@pytest.mark.parametrize("off", ["off", " Off "])
def test_a_filter_can_be_switched_off(off: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By each source, for those that count for less."""
    assert resolved(call_filter=off) == resolved()
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_CALL_FILTER", "operator:attrgetter")
    assert resolved(call_filter="").call_filter is EXAMPLES["call_filter"][2]
    assert resolved(call_filter=off).call_filter is None
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_CALL_FILTER", "off")
    assert Settings.resolve(needs_server=False, fallbacks={"call_filter": len}).call_filter is None


def test_only_a_configuration_file_can_say_off_by_false(monkeypatch: pytest.MonkeyPatch) -> None:
    """YAML makes it of an `off` without quotes. In code it is what a condition left of a filter, and an error: no slip
    lets calls through unfiltered."""
    monkeypatch.setenv("OTEL_EXPORTER_LABELSTUDIO_CALL_FILTER", "operator:attrgetter")
    with pytest.raises(ConfigError, match="call_filter 'False': not a function"):
        resolved(call_filter=False)
    exporter = AutoConfiguredLabelStudioSpanExporter(**yaml.safe_load("{api_key: key, call_filter: off}"))
    assert exporter._pipeline is not None
    assert exporter._pipeline.settings.call_filter is None
    exporter.shutdown()


def test_a_filters_module_that_fails_is_a_configuration_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it raises while it is imported; without what it says."""
    (tmp_path / "failing_filter.py").write_text("raise RuntimeError('CANARY')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"failing_filter cannot be imported \(RuntimeError\)") as raised:
        resolved(call_filter="failing_filter:redact")
    assert "CANARY" not in str(raised.value)
