"""The exporting process is killed, and requests go wrong, while people label, draft, skip, copy, move and delete."""

from __future__ import annotations

import json
import os
import random
import time
from collections import defaultdict
from pathlib import Path

import pytest

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.tasks.binding import Mode, default_label_config
from otel_labelstudio.tasks.build import CALL_ID
from tests.delivery.faults import (
    Exchange,
    FaultyServer,
    after_forwarding,
    answers,
    forwarded,
    reset,
    without_predictions,
)
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import until
from tests.exactly_once.application import POINTS, RESEND_WAIT_S
from tests.exactly_once.audit import accepted_calls, left_to_do
from tests.exactly_once.conftest import Applications
from tests.exactly_once.people_at_work import PeopleAtWork
from tests.exactly_once.test_servers import late_commit

SECONDS = float(os.environ.get("EXACTLY_ONCE_PEOPLE_S", "8"))
SEED = int(os.environ.get("EXACTLY_ONCE_PEOPLE_SEED", "11"))
_NUMBERS = 10_000
_RECHECK_WAIT_S = 4.0
# Longer than the exporter waits before it sends again, and so long before it looks again that people find both
_STORED_TWICE_S = RESEND_WAIT_S + 0.4
_FAULTS = (
    *(reset, after_forwarding(reset), answers(500), after_forwarding(answers(500)), answers(429, Retry_After="1")),
    *(without_predictions, late_commit(1.0), late_commit(_STORED_TWICE_S)),
)


@pytest.mark.slow
@pytest.mark.timeout(1800 + 4 * SECONDS)
def test_nothing_that_a_person_touched_is_deleted_and_no_call_is_lost(
    server: EmbeddedLabelStudio, labeling: Labeling, faulty: FaultyServer, applications: Applications, tmp_path: Path
) -> None:
    """Of what we stored twice, the younger task goes, unless somebody has had to do with it by the last look. In the
    end each call stands there once, with its prediction, but for what a person copied, edited, moved or deleted."""
    print(f"EXACTLY_ONCE_PEOPLE_SEED={SEED}")
    rng = random.Random(SEED)
    outbox, title = tmp_path / "calls.outbox", fresh_title("People")
    project_id = labeling.make_project(title, default_label_config(Mode.CHAT))
    other_id = labeling.make_project(fresh_title("Elsewhere"), default_label_config(Mode.CHAT))
    people = PeopleAtWork(labeling, project_id, other_id, rng)
    behind = Labeling(faulty.url, server.api_key)
    ends_at = time.monotonic() + SECONDS

    too_late: set[str] = set()

    def perhaps(exchange: Exchange) -> None:
        watch_commit(exchange, too_late)
        if faulty.count("projects/import") <= 6 or not people.deletions:
            late_commit(_STORED_TWICE_S)(exchange)
        else:
            goes_wrong = time.monotonic() < ends_at and rng.random() < 0.35
            (rng.choice(_FAULTS) if goes_wrong else forwarded)(exchange)

    faulty.plan(people.watch, "tasks", times=float("inf"))
    for kind in ("projects/import", "projects/import/predictions"):
        faulty.plan(perhaps, kind, times=float("inf"))
    kills = 0
    with people.working():
        # On a busy machine people may have been quicker with all that was stored twice
        while time.monotonic() < ends_at + (0 if people.deletions else 30 * SECONDS):
            point = f"{POINTS[kills % len(POINTS)]}:{rng.randint(1, 2)}"
            options = ("--calls", 40, "--linger-s", 90, "--die", point, "--recheck-wait-s", _RECHECK_WAIT_S)
            applications.start(behind, outbox, title, kills * _NUMBERS, *options).wait(240)
            kills += 1
        # What is left is delivered and rechecked while people go on
        first = kills * _NUMBERS
        last = ("--calls", 20, "--linger-s", 10**6, "--recheck-wait-s", _RECHECK_WAIT_S)
        applications.start(behind, outbox, title, first, *last)
        until(lambda: sum(number >= first for number in applications.said()) == 20)
        until(lambda: left_to_do(outbox) == 0, 600 + SECONDS)
    accepted = set(accepted_calls(outbox))
    print(f"{len(accepted)} calls, {kills} kills, {dict(people.acts)}, {len(people.deletions)} tasks deleted by us")
    assert people.acts
    assert people.deletions
    assert people.wrong_deletions == []
    assert_all_work_is_there(labeling, people)
    print(f"{len(too_late)} calls in requests that were carried out after the recheck")
    assert_each_call_stands_there(labeling, (project_id, other_id), people, accepted, too_late)


def watch_commit(exchange: Exchange, too_late: set[str]) -> None:
    """Note the calls of a request that Label Studio carries out so late that the recheck may have been before."""
    began_at, forward = time.monotonic(), exchange.forward

    def timed() -> tuple[int, dict[str, str], bytes]:
        answer = forward()
        if time.monotonic() - began_at > _RECHECK_WAIT_S and exchange.kind == "projects/import":
            too_late.update(task["data"][CALL_ID] for task in json.loads(exchange.body))
        return answer

    exchange.forward = timed  # type: ignore[method-assign]


def assert_all_work_is_there(labeling: Labeling, people: PeopleAtWork) -> None:
    """Each annotation, draft and copy that nobody deleted."""
    for task_id, made in people.work.items():
        task = labeling.request("GET", f"/api/tasks/{task_id}/")
        there = {(kind, item["id"]) for kind in ("annotations", "drafts") for item in task[kind]}
        assert set(made) <= there, task_id
    for task_id in people.copies:
        labeling.request("GET", f"/api/tasks/{task_id}/")


def assert_each_call_stands_there(
    labeling: Labeling, projects: tuple[int, int], people: PeopleAtWork, accepted: set[str], too_late: set[str]
) -> None:
    """Lost: none; twice: none that nobody touched; without prediction: none."""
    tasks, moved = map(labeling.tasks, projects)
    stored = defaultdict(list)
    for task in tasks:
        if task["id"] not in people.copies:
            stored[task["data"][CALL_ID]].append(task)
    lost = accepted - stored.keys() - {task["data"][CALL_ID] for task in moved} - people.removed_calls
    untouched = {
        call_id: [task for task in found if task["id"] not in people.touched] for call_id, found in stored.items()
    }
    explained = too_late | people.perhaps_copied
    twice = {call_id: len(found) for call_id, found in untouched.items() if len(found) > 1 and call_id not in explained}
    kept = people.removed_calls  # moved before its prediction could be counted, for example
    bare = {call_id for call_id, found in stored.items() if not any(task["predictions"] for task in found)} - kept
    print(f"lost {len(lost)}, twice {len(twice)}, without prediction {len(bare)}")
    assert (lost, twice, bare) == (set(), {}, set())
    assert stored.keys() <= accepted
