"""A call or a request that a real Label Studio, or what stands before it, does not take: the others pass."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.spans.from_sdk import span_from_sdk
from otel_labelstudio.spans.model import Span
from otel_labelstudio.tasks.binding import Mode, default_label_config
from tests.delivery.faults import HTML, Exchange, Fault, FaultyServer, after_forwarding, answers, forwarded
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines, until
from tests.delivery.telemetry import chat, trace_chat
from tests.delivery.test_faults import delivered
from tests.delivery.test_projects import messages

ALWAYS = float("inf")
PHRASE = "DROP TABLE users"


def where(is_bad: Callable[[bytes], bool], fault: Fault) -> Fault:
    """Only requests with such a body go wrong."""
    return lambda exchange: (fault if is_bad(exchange.body) else forwarded)(exchange)


def until_delivered(pipeline: Pipeline, count: int) -> None:
    until(lambda: pipeline.telemetry.counts().get("tasks.delivered") == count)


@pytest.mark.parametrize("status", [403, 401], ids=str)
def test_a_firewall_that_takes_offence_at_one_prompt_costs_that_call_alone(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """It answers with a page of its own: forty innocent calls are delivered, and the one becomes a dead letter."""
    title = fresh_title("Firewall")
    faulty.plan(where(lambda body: PHRASE.encode() in body, answers(status, HTML)), None, ALWAYS)
    pipeline = pipelines(url=faulty.url, project_name=title, settle_s=3600)
    pipeline.accept_calls([chat(PHRASE if i == 20 else "Hello?", f"{i:02}") for i in range(41)])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == [f"{i:02}" for i in range(41) if i != 20]
    (letter,) = pipeline.dead_letters()
    assert "firewall, refused an import of 1 task into project" in letter.reason
    assert f"HTTP status {status}" in letter.reason
    assert pipeline.progress().paused == ()
    assert PHRASE not in caplog.text


def test_a_proxy_that_asks_for_its_own_login_pauses_and_loses_nothing(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Its 401 says nothing of our key: one line names the proxy. Once it lets us through, all is delivered."""
    title = fresh_title("Login")
    faulty.plan(answers(401, HTML, WWW_Authenticate='Basic realm="intranet"'), None, ALWAYS)
    pipeline = pipelines(url=faulty.url, project_name=title, settle_s=3600)
    pipeline.accept_calls([chat(answer=str(i)) for i in range(5)])
    assert not pipeline.flush(1)
    until(lambda: pipeline.progress().paused)
    assert pipeline.progress().paused == (f'project "{title}"',)
    (line,) = messages(caplog, logging.ERROR)
    assert "a proxy in front of Label Studio asks for its own login" in line
    assert "api_key" not in line
    faulty._plans.clear()
    assert pipeline.flush(240)
    assert delivered(labeling, title) == [str(i) for i in range(5)]
    assert pipeline.dead_letters() == []


@pytest.mark.parametrize("in_doubt", [1, 5], ids=["one", "a whole batch"])
def test_while_look_ups_fail_what_is_not_in_doubt_is_delivered(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, in_doubt: int
) -> None:
    """The outcome of some calls is unknown, and cannot be asked for: thirty innocent ones behind them go by, whose
    predictions stand beside the answer to their import. Those in doubt are found once look-ups work again."""
    title = fresh_title("Look-ups")
    faulty.plan(after_forwarding(answers(500)))
    pipeline = pipelines(url=faulty.url, project_name=title, batch_size=5, settle_s=0.2)
    faulty.plan(forwarded, "tasks")  # the newest task, before the import
    faulty.plan(answers(500), "tasks", ALWAYS)
    pipeline.accept_calls([chat(answer=f"in doubt {i}") for i in range(in_doubt)])
    until(lambda: pipeline.telemetry.counts().get("deliveries.failed[UnknownOutcomeError]"))
    pipeline.accept_calls([chat(answer=f"{i:02}") for i in range(30)])
    until_delivered(pipeline, 30)
    faulty._plans.clear()
    assert pipeline.flush(240)
    doubtful = [f"in doubt {i}" for i in range(in_doubt)]
    assert delivered(labeling, title) == sorted([f"{i:02}" for i in range(30)] + doubtful)
    assert pipeline.dead_letters() == []


def test_a_process_that_starts_while_look_ups_fail_delivers(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """It cannot know the newest task before its first import, and imports all the same."""
    title = fresh_title("No look-ups")
    labeling.make_project(title, default_label_config(Mode.CHAT))
    faulty.plan(answers(500), "tasks", ALWAYS)
    pipeline = pipelines(url=faulty.url, project_name=title, settle_s=0.2)
    pipeline.accept_calls([chat(answer=f"{i:02}") for i in range(30)])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == [f"{i:02}" for i in range(30)]


def test_while_predictions_cannot_be_counted_other_calls_go_by(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """A whole batch is stored without its predictions, and look-ups fail: it waits, and what comes later does not."""
    title = fresh_title("No counts")

    def lose_predictions(exchange: Exchange) -> None:
        exchange.body = exchange.body.replace(b'"predictions"', b'"no_predictions"')
        forwarded(exchange)

    faulty.plan(lose_predictions)
    pipeline = pipelines(url=faulty.url, project_name=title, batch_size=5, settle_s=0.2)
    faulty.plan(forwarded, "tasks")
    faulty.plan(answers(500), "tasks", ALWAYS)
    pipeline.accept_calls([chat(answer=f"lost {i}") for i in range(5)])
    until(lambda: faulty.count("projects/import") == 1)
    pipeline.accept_calls([chat(answer=f"{i:02}") for i in range(30)])
    until_delivered(pipeline, 30)
    faulty._plans.clear()
    assert pipeline.flush(240)
    assert delivered(labeling, title) == sorted([f"{i:02}" for i in range(30)] + [f"lost {i}" for i in range(5)])


@pytest.mark.parametrize("others", [0, 12], ids=["alone", "among others"])
def test_a_call_that_is_too_large_for_the_server_is_a_dead_letter_at_last(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, others: int
) -> None:
    """The server answers 500 to it, not 413: it is given up once others have passed, or a trial import has."""
    title = fresh_title("Too large")
    faulty.plan(where(lambda body: len(body) > 300_000, answers(500, HTML)), times=ALWAYS)
    pipeline = pipelines(url=faulty.url, project_name=title, settle_s=3600)
    pipeline.accept_calls([chat(answer=f"{i:02}") for i in range(others)] + [chat("x" * 300_000, "huge")])
    assert pipeline.flush(240)
    assert delivered(labeling, title) == [f"{i:02}" for i in range(others)]
    (letter,) = pipeline.dead_letters()
    assert "HTTP status 500" in letter.reason


@pytest.mark.parametrize("is_before", [True, False], ids=["before it is stored", "before it is answered"])
def test_a_text_area_that_is_renamed_during_an_import(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer, is_before: bool
) -> None:
    """Each answer stands under the name that the labeling interface has then."""
    title, config = fresh_title("Renamed"), default_label_config(Mode.CHAT)
    project_id = labeling.make_project(title, config)

    def rename(exchange: Exchange) -> None:
        answer = None if is_before else exchange.forward()
        labeling.change_project(project_id, label_config=config.replace('name="response"', 'name="reply"'))
        exchange.answer(*(answer or exchange.forward()))

    pipeline = pipelines(url=faulty.url, project_name=title, settle_s=0.2)
    pipeline.accept_calls([chat(answer="before")])
    until_delivered(pipeline, 1)
    faulty.plan(rename)
    pipeline.accept_calls([chat(answer=f"during {i}") for i in range(3)])
    until_delivered(pipeline, 4)
    pipeline.accept_calls([chat(answer="after")])
    assert pipeline.flush(240)
    shown = [
        region["value"]["text"]
        for task in labeling.tasks(project_id)
        for prediction in task["predictions"]
        for region in prediction["result"]
        if region["from_name"] == "reply"
    ]
    assert sorted(shown) == [["after"], ["during 0"], ["during 1"], ["during 2"]]
    assert pipeline.dead_letters() == []


def span_of(service: str, answer: str) -> Span:
    """An LLM call of a service."""
    finished = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(finished))
    trace_chat(provider.get_tracer("shop"), "Hello?", [answer])
    (span,) = finished.get_finished_spans()
    return span_from_sdk(span)


def test_a_call_of_a_known_title_overtakes_sixty_new_ones(
    pipelines: Pipelines, labeling: Labeling, faulty: FaultyServer
) -> None:
    """One request names a project with each call: an innocent call that comes later is settled while some of them are
    delivered, and then goes before the rest."""
    known = fresh_title("known")
    pipeline = pipelines(url=faulty.url, project_name="{service.name}")
    pipeline.accept_spans([span_of(known, "first")])
    assert pipeline.flush(240)
    pipeline.accept_spans([span_of(fresh_title("new"), "x") for _ in range(60)])
    before = faulty.count("projects/import")
    until(lambda: faulty.count("projects/import") > before)
    pipeline.accept_spans([span_of(known, "innocent")])
    before = faulty.count("projects/import")
    until(lambda: "innocent" in delivered(labeling, known))
    imports = [exchange for exchange in list(faulty.seen) if exchange.kind == "projects/import"]
    (position,) = [i for i, exchange in enumerate(imports) if b"innocent" in exchange.body]
    assert position - before < 15
