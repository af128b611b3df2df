"""How long a process takes to end where its last calls cannot be delivered, and what it says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.faults import FaultyServer, late
from tests.delivery.labeling import Labeling, fresh_title
from tests.last_seconds.conftest import Arrivals
from tests.last_seconds.processes import TITLE, environment, started, until_exit_s
from tests.last_seconds.recipes import WORK, recipe
from tests.ports import steady_port

# Far from the minutes that there are for it (`be_patient`); what a busy machine needs for its imports is in it
WITHIN_S = 100.0
SCRIPT = f"{recipe('tracing.py')}\n{WORK}\nimport time\ntrace_number(1)\nprint(time.time())"
NO_TEXT_AREA = (
    '<View><Text name="t" value="$prompt"/><Choices name="c" toName="t"><Choice value="good"/></Choices></View>'
)


def made_without_text_area(labeling: Labeling) -> str:
    title = fresh_title("No TextArea")
    labeling.make_project(title, NO_TEXT_AREA)
    return title


@pytest.fixture
def trouble(
    request: pytest.FixtureRequest, label_studio: EmbeddedLabelStudio, labeling: Labeling
) -> Iterator[dict[str, str]]:
    """The environment of a process for which Label Studio is of no use, in the way that is named."""
    with FaultyServer(label_studio.url) as hanging:
        hanging.plan(late(60), None, times=float("inf"))
        ways: dict[str, Callable[[], dict[str, str]]] = {
            "connection refused": lambda: {"LABEL_STUDIO_URL": f"http://127.0.0.1:{steady_port()}"},
            "no answer": lambda: {"LABEL_STUDIO_URL": hanging.url, "OTEL_EXPORTER_LABELSTUDIO_TIMEOUT_S": "3"},
            "wrong key": lambda: {"LABEL_STUDIO_API_KEY": "0" * 40},
            "no project": lambda: {"LABEL_STUDIO_PROJECT_ID": "999999"},
            "no TextArea": lambda: {TITLE: made_without_text_area(labeling)},
        }
        yield environment(label_studio, **ways[request.param]())


@pytest.mark.parametrize(
    "trouble", ["connection refused", "no answer", "wrong key", "no project", "no TextArea"], indirect=True
)
def test_where_nothing_can_be_delivered_a_process_ends_soon(
    trouble: dict[str, str], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The call is tried once; then the process ends, and one line says that it is lost and what would have kept it."""
    with started(["-c", SCRIPT], tmp_path, trouble) as application:
        took_s = until_exit_s(application)
        print(f"{request.node.callspec.id}: {took_s:.1f} s")
        assert took_s < WITHIN_S
        assert application.log.count("Lost at the shutdown: 1 call ") == 1
        assert "outbox=" in application.log


@pytest.mark.parametrize("trouble", ["connection refused", "no TextArea"], indirect=True)
def test_what_is_in_a_file_stays_there(trouble: dict[str, str], tmp_path: Path) -> None:
    """The process ends as soon, and the line names the file."""
    outbox = str(tmp_path / "calls.outbox")
    with started(["-c", SCRIPT], tmp_path, {**trouble, "OTEL_EXPORTER_LABELSTUDIO_OUTBOX": outbox}) as application:
        assert until_exit_s(application) < WITHIN_S
        assert application.log.count(f"The outbox {outbox} keeps 1 call ") == 1
        assert "Lost at the shutdown" not in application.log


def test_a_script_that_delivers_ends_without_a_word(
    variables: dict[str, str], arrivals: Arrivals, tmp_path: Path
) -> None:
    """What the others are measured by."""
    with started(["-c", SCRIPT], tmp_path, variables) as application:
        print(f"delivered: {until_exit_s(application):.1f} s")
        assert application.log == ""
    assert arrivals.numbers() == [1]
