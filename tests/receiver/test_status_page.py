"""The status page: who may look, what it shows, what can be done there, and that it stays small."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from otel_labelstudio.delivery.results import Result
from otel_labelstudio.delivery.sink import Terms
from otel_labelstudio.destinations.destination import Destination
from otel_labelstudio.dialects import SkipReason
from otel_labelstudio.errors import PausedDeliveryError
from otel_labelstudio.outbox.entry import OutboxEntry
from otel_labelstudio.receiver.page.html import POLICY, SKIPPED
from otel_labelstudio.spans.from_otlp import spans_from_protobuf
from otel_labelstudio.testing import RecordingSink
from tests.delivery.pipelines import until
from tests.outbox.calls import in_trouble
from tests.receiver.requests_made import ids, traces
from tests.receiver.serving import Receiver, post
from tests.tasks.hostile_text import PAYLOADS

CANARY = "CANARY-4711"
WHY = "Label Studio says 401; check the API key"
DEADLINE_S = 240.0


def shown(receiver: Receiver, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """What is answered; a busy machine's disk may be too late for it, and answers the next time."""
    end = time.monotonic() + DEADLINE_S
    while (answer := post(f"{receiver.http}/{path}", b"", method="GET", **headers))[0] == 503:
        assert time.monotonic() < end, answer
        time.sleep(0.1)
    return answer


def page(receiver: Receiver, **headers: str) -> str:
    """The page's HTML."""
    status, _, body = shown(receiver, "status", **headers)
    assert status == 200
    return body.decode()


def record(receiver: Receiver) -> dict[str, Any]:
    """The same as JSON, as it is a second later at the latest."""
    status, headers, body = shown(receiver, "status?format=json")
    assert (status, headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = json.loads(body)
    return found


def wait_for(receiver: Receiver, **outbox: Any) -> dict[str, Any]:
    """The status once the outbox stands so."""
    end = time.monotonic() + DEADLINE_S
    while True:
        found = record(receiver)
        if {name: found["outbox"][name] for name in outbox} == outbox:
            return found
        assert time.monotonic() < end, found["outbox"]
        time.sleep(0.1)


def send(receiver: Receiver, *questions: str, **arguments: Any) -> list[str]:
    """Spans with these questions; their ids."""
    request = traces(*questions, **arguments)
    assert post(f"{receiver.http}/v1/traces", request.SerializeToString())[0] == 200
    assert receiver.read()
    return ids(request)


def token_in(text: str) -> str:
    """That of the page's form."""
    (token,) = re.findall(r'name="token" value="([^"]+)"', text)
    return str(token)


def bury(receiver: Receiver, *reasons: str) -> None:
    """Calls that nobody could deliver become dead letters."""
    outbox, end = receiver.pipeline._outbox, time.monotonic() + DEADLINE_S
    while True:
        with outbox.transaction():  # nobody takes them meanwhile
            with outbox.database.reading() as db:
                waiting = [seq for (seq,) in db.execute("SELECT seq FROM readings WHERE state = 'pending'")]
            if len(waiting) == len(reasons):
                outbox.dead_letters.bury(zip(waiting, reasons, strict=True))
                return
        assert time.monotonic() < end
        time.sleep(0.05)


class RefusingSink(RecordingSink):
    """Refuses the key until it is mended."""

    is_mended = False

    def deliver(self, destination: str, entries: Sequence[OutboxEntry], terms: Terms) -> Iterator[Result]:
        if not self.is_mended:
            raise PausedDeliveryError(WHY)
        return super().deliver(destination, entries, terms)


@pytest.fixture
def sink() -> RefusingSink:
    return RefusingSink()


@pytest.fixture
def stuck(outbox: Path, sink: RefusingSink) -> Iterator[Receiver]:
    """A receiver whose Label Studio refuses the key; pages on ``https://listed.example`` may send to it."""
    with Receiver(outbox, sink=sink, cors_origins="https://listed.example") as receiver:
        yield receiver


def test_what_arrives_by_service_and_dialect(receiver: Receiver) -> None:
    """With what of it gave no call and why, and the switch that would change it; no text of a call."""
    receiver.delivered(send(receiver, f"{CANARY}?", "Two?", service="shop", others=3))
    bare = traces("x", service="bare")
    del bare.resource_spans[0].scope_spans[0].spans[0].attributes[3:]
    assert post(f"{receiver.http}/v1/traces", bare.SerializeToString())[0] == 200
    assert receiver.flush()
    until(lambda: record(receiver)["skipped"] == {"not_genai": 3, "content_not_captured": 1})
    found = wait_for(receiver, delivered_last_minute=2, waiting=0)
    sources = {(source["service"], source["dialect"]): source for source in found["sources"]}
    assert sources["shop", "genai"]["received"] == 2
    assert sources["shop", "genai"]["skipped"] == 0
    assert (sources["bare", "genai"]["received"], sources["bare", "genai"]["skipped"]) == (1, 1)
    assert found["hints"][0]["reason"] == "content_not_captured"
    shown = page(receiver)
    assert all(text in shown for text in ("shop", "genai", found["hints"][0]["text"].split("'")[0], "All is well"))
    assert CANARY not in shown + json.dumps(found)


def test_a_paused_destination_with_the_reason(stuck: Receiver) -> None:
    """By its project's title, with what to check, and how much waits for how long."""
    send(stuck, "One?", service="shop")
    found = wait_for(stuck, paused_count=1)
    assert found["outbox"]["paused"][0]["reason"] == WHY
    assert found["outbox"]["waiting"] == 1
    assert found["outbox"]["oldest_age_s"] >= 0
    shown = page(stuck)
    assert WHY in shown
    assert "Delivery to 1 destination is paused" in shown


def test_dead_letters_are_retried(stuck: Receiver, sink: RefusingSink) -> None:
    """With the token of the page's form: they wait again, and are delivered."""
    span_ids = send(stuck, "One?")
    wait_for(stuck, paused_count=1)
    bury(stuck, "refused for its size")
    found = wait_for(stuck, waiting=0)
    assert [letter["reason"] for letter in found["outbox"]["dead_letters"]] == ["refused for its size"]
    shown = page(stuck)
    assert "refused for its size" in shown
    sink.is_mended = True
    form = f"token={token_in(shown)}".encode()
    status, headers, _ = post(f"{stuck.http}/status/retry", form, Origin=stuck.http)
    assert (status, headers["location"]) == (303, "../status")
    assert stuck.delivered(span_ids)
    wait_for(stuck, dead_letters=[], paused_count=0)
    assert "refused for its size" not in page(stuck)


def test_forged_requests_are_refused(stuck: Receiver) -> None:
    """Without the token, with a wrong one, and with the right one from another page, even one that may send."""
    send(stuck, "One?")
    wait_for(stuck, paused_count=1)
    bury(stuck, "refused")
    wait_for(stuck, waiting=0)
    right = f"token={token_in(page(stuck))}".encode()
    for form in (b"", b"token=", b"token=wrong", b"token=%FF%FF", b"&" * 4000, b"x" * 5000):
        assert post(f"{stuck.http}/status/retry", form)[0] in (403, 413)
    for origin in ("https://evil.example", "null", "https://listed.example", f"{stuck.http}.evil.example"):
        assert post(f"{stuck.http}/status/retry", right, Origin=origin)[0] == 403
    assert post(f"{stuck.http}/status/retry", right, Host="evil.example")[0] == 403
    assert stuck.pipeline.dead_letters()


@pytest.mark.parametrize("origin", ["https://listed.example", "https://evil.example"])
def test_other_pages_cannot_look(stuck: Receiver, origin: str) -> None:
    """Neither those that may send: they would see how others fare."""
    assert post(f"{stuck.http}/status", b"", method="GET", Origin=origin)[0] == 403


def basic(text: str) -> str:
    return f"Basic {base64.b64encode(text.encode()).decode()}"


@pytest.mark.parametrize(
    ("kind", "authorization", "expected"),
    [
        ("bearer_tokens", None, 401),
        ("bearer_tokens", "Bearer wrong", 401),
        ("bearer_tokens", basic("me:wrong"), 401),
        ("bearer_tokens", basic("right"), 401),
        ("bearer_tokens", basic("right:"), 401),
        ("bearer_tokens", "Basic !", 401),
        ("bearer_tokens", "Bearer right", 200),
        ("bearer_tokens", basic("me:right"), 200),
        ("bearer_tokens", basic(":right"), 200),
        ("basic_auth", None, 401),
        ("basic_auth", basic("me:right"), 401),
        ("basic_auth", basic("right:right"), 200),
    ],
    ids=str,
)
def test_who_may_look(tmp_path: Path, kind: str, authorization: str | None, expected: int) -> None:
    """Who may send, and a browser with a token as the password; a browser is asked for it."""
    (tmp_path / "secrets").write_text("right\n" if kind == "bearer_tokens" else "right:right\n", encoding="utf-8")
    headers = {} if authorization is None else {"Authorization": authorization}
    settings: dict[str, Any] = {kind: str(tmp_path / "secrets")}
    with Receiver(tmp_path / "outbox.db", **settings) as receiver:
        for query in ("", "?format=json"):
            status, answer, body = post(f"{receiver.http}/status{query}", b"", method="GET", **headers)
            assert status == expected
            assert (b"Delivers to" in body or b"taken_at" in body) == (expected == 200)
            assert answer.get("www-authenticate", "").startswith("Basic ") == (expected == 401)
        assert post(f"{receiver.http}/status/retry", b"token=x", **headers)[0] == (401 if expected == 401 else 403)
        sent = post(f"{receiver.http}/v1/traces", b"", **headers)[0]
        assert sent == (200 if authorization in ("Bearer right", basic("right:right")) else 401)


def test_the_head(receiver: Receiver) -> None:
    """Nothing may run, be loaded or be kept; HEAD has no body, other methods are refused, JSON may be asked for."""
    status, headers, body = post(f"{receiver.http}/status", b"", method="GET")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert headers["content-security-policy"] == POLICY
    assert POLICY.startswith("default-src 'none';")
    assert "unsafe" not in POLICY
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert "access-control-allow-origin" not in headers
    assert b"<script" not in body
    assert post(f"{receiver.http}/status", b"", method="HEAD")[2] == b""
    assert post(f"{receiver.http}/status", b"")[:1] == (405,)
    assert post(f"{receiver.http}/status/retry", b"", method="GET")[1]["allow"] == "POST"
    as_json = post(f"{receiver.http}/status", b"", method="GET", Accept="application/json")
    assert as_json[1]["content-type"] == "application/json"


def test_thousands_of_everything(stuck: Receiver) -> None:
    """The page stays small, says how many there are, and is there at once."""
    outbox = stuck.pipeline._outbox
    with outbox.transaction():
        for number in range(5_000):
            name = Destination(title=f"Project {number}").dumps()
            in_trouble(outbox, name, f"{WHY} {'x' * 1000}")
    send(stuck, *(f"{number}?" for number in range(200)))
    bury(stuck, *("refused " + "y" * 1000 for _ in range(200)))
    request = traces()
    for number in range(2000):
        request.MergeFrom(traces("x", service=f"service {number}"))
    stuck.pipeline.accept_spans(spans_from_protobuf(request.SerializeToString()))
    found = wait_for(stuck, paused_count=5_001)
    shown = page(stuck)
    assert max(len(shown), len(json.dumps(found))) < 150_000
    assert "of 5,0" in shown
    assert found["source_count"] == 1000


def test_hostile_names_stay_text(stuck: Receiver) -> None:
    """Service names, titles, reasons: markup comes out escaped, and control characters as what they are."""
    for text in PAYLOADS.values():
        send(stuck, "x", service=text.encode("utf-8", "replace").decode())
    with stuck.pipeline._outbox.transaction():
        for text in PAYLOADS.values():
            destination = Destination(title=text).dumps()
            in_trouble(stuck.pipeline._outbox, destination, text)
    wait_for(stuck, paused_count=len(PAYLOADS) + 1)
    shown = page(stuck)
    tags = set(re.findall(r"<(\w+)", shown))
    known = (
        "html head meta title link style body header h1 h2 p a main dl div dt dd small table thead tbody tr th td ul li"
    )
    assert tags <= set(known.split()) | {"form", "input", "button"}
    assert "\u202e" not in shown
    assert "&lt;script&gt;" in shown


def test_every_reason_has_a_meaning() -> None:
    """Whatever a span is skipped for."""
    assert set(SKIPPED) == {reason.value for reason in SkipReason}
