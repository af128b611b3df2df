"""What the handler refuses, the exporter refuses, and says so."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel, FakeListLLM
from langchain_core.runnables import RunnableConfig

from otel_labelstudio import ConfigError, LabelStudioSpanExporter
from tests.delivery.pipelines import until
from tests.parity.sides import Sides, new_title

_WITHOUT_TEXT_AREA = '<View><Text name="prompt" value="$prompt"/><Rating name="rating" toName="prompt"/></View>'


def _chat(config: RunnableConfig | None = None) -> None:
    FakeListChatModel(responses=["Fine."]).invoke("How are you?", config)


def _completion(config: RunnableConfig | None = None) -> None:
    FakeListLLM(responses=["Fine."]).invoke("How are you?", config)


def _wait_until_paused(exporter: LabelStudioSpanExporter, caplog: pytest.LogCaptureFixture) -> None:
    """The first delivery has failed for a reason that a person must mend; no more is tried."""
    until(lambda: " is paused: " in caplog.text)
    assert exporter.counts["deliveries.failed[PausedDeliveryError]"] == 1
    exporter.shutdown(timeout_millis=0)


@pytest.mark.parametrize(
    ("mode", "misfit", "found", "needed"),
    [("prompt", _chat, "Text", "Paragraphs"), ("chat", _completion, "Paragraphs", "Text")],
    ids=["chat into Text", "completion into Paragraphs"],
)
def test_a_call_that_does_not_fit_the_project(
    mode: str, misfit: Any, found: str, needed: str, sides: Sides, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither side stores it; both name the project, the tag found and the tag needed, and the application goes on."""
    title = new_title("misfit")
    with sides.handler(project_name=title, mode=mode) as handler:
        misfit({"callbacks": [handler]})
        assert f'ValueError(\'\\nLabel Studio project "{title}" has an input type <{found}>' in caplog.text
    assert sides.shown(title) == []

    caplog.clear()
    with sides.exporter(project_name=title, mode=mode) as exporter:
        misfit()
        assert exporter.force_flush(240_000)
        [letter] = exporter.dead_letters
        until(lambda: exporter.counts.get("tasks.rejected[refused]") == 1)
    assert sides.shown(title) == []
    [error] = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    for text in (error, letter.reason):
        assert title in text
        assert f"<{found}>" in text
        assert f"<{needed}>" in text
    assert f'mode="{"chat" if needed == "Paragraphs" else "prompt"}"' in error


class _Failing(FakeListChatModel):
    def _call(self, *_: Any, **__: Any) -> str:
        raise RuntimeError("overloaded")


def test_failed_calls_become_no_tasks(sides: Sides) -> None:
    """Neither side has anything to label in a call that failed; a stream that the user broke off is one of them."""
    title = new_title("failed")
    with sides.handler(project_name=title, mode="chat") as handler, pytest.raises(RuntimeError):
        _Failing(responses=[""]).invoke("How are you?", {"callbacks": [handler]})
    with sides.exporter(project_name=title, mode="chat") as exporter:
        with pytest.raises(RuntimeError):
            _Failing(responses=[""]).invoke("How are you?")
        stream = FakeListChatModel(responses=["Fine, thank you."]).stream("How are you?")
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert exporter.force_flush(240_000)
        assert exporter.counts == {"spans.received": 2, "spans.skipped[failed]": 2}
    assert sides.shown(title) == []


def test_a_project_without_a_text_area(sides: Sides, caplog: pytest.LogCaptureFixture) -> None:
    """The handler refuses to be made, the exporter to deliver; both say where to add a TextArea."""
    title = new_title("no answers")
    sides.create_project(title, _WITHOUT_TEXT_AREA)
    with pytest.raises(ValueError, match=r"does not have a TextArea tag(.|\n)*Labeling Interface"):
        sides.handler(project_name=title).__enter__()
    with sides.exporter(project_name=title, settle_s=0.0) as exporter:
        _completion()
        _wait_until_paused(exporter, caplog)
    assert sides.shown(title) == []
    assert f'"{title}"' in caplog.text
    assert "TextArea" in caplog.text
    assert "Settings > Labeling Interface" in caplog.text


def test_a_config_without_a_text_area(sides: Sides) -> None:
    """Both refuse it when they are made, we without having made a project for it."""
    title = new_title("no answers")
    with pytest.raises(ConfigError, match="TextArea"):
        sides.exporter(project_name=title, project_config=_WITHOUT_TEXT_AREA).__enter__()
    assert sides.projects(title) == []
    with pytest.raises(ValueError, match="does not have a TextArea tag"):
        sides.handler(project_name=title, project_config=_WITHOUT_TEXT_AREA).__enter__()


def test_no_key(sides: Sides) -> None:
    """Both refuse to be made without an API key, and say where one is found."""
    for side, error in ((sides.handler, ValueError), (sides.exporter, ConfigError)):
        with pytest.raises(error, match=r"Account & Settings(.|\n)*LABEL_STUDIO_API_KEY"):
            side(api_key=None).__enter__()


def test_an_unknown_mode(sides: Sides) -> None:
    """Both refuse to be made with a mode that there is none of."""
    for side, error in ((sides.handler, ValueError), (sides.exporter, ConfigError)):
        with pytest.raises(error, match="dialogue"):
            side(mode="dialogue").__enter__()


def test_an_id_of_no_project(sides: Sides, caplog: pytest.LogCaptureFixture) -> None:
    """Both fail: the handler when it is made, the exporter, which must not ask a server then, at its first delivery."""
    with pytest.raises(Exception, match="404"):
        sides.handler(project_id=10**9).__enter__()
    with sides.exporter(project_id=10**9, settle_s=0.0) as exporter:
        _completion()
        _wait_until_paused(exporter, caplog)
    assert "project_id" in caplog.text


def test_a_wrong_key(sides: Sides, caplog: pytest.LogCaptureFixture) -> None:
    """Both fail where the server refuses the key, and nothing of it stands in our log."""
    key = "0" * 40
    with pytest.raises(Exception, match="401"):
        sides.handler(api_key=key).__enter__()
    caplog.clear()
    with sides.exporter(api_key=key, settle_s=0.0) as exporter:
        _completion()
        _wait_until_paused(exporter, caplog)
    assert "LABEL_STUDIO_API_KEY" in caplog.text
    assert key not in caplog.text
