"""Project titles of what a span's attributes say."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_labelstudio.routing import Router
from otel_labelstudio.settings import Settings
from otel_labelstudio.spans.model import Span
from otel_labelstudio.titles import TITLE_MAX_LENGTH, TITLE_MIN_LENGTH, title, title_pattern

AT = datetime(2025, 1, 2)
CONTROLS = [*map(chr, (*range(32), *range(0x7F, 0xA0))), "\u2028", "\u2029", "\u202e", "\u2066", "\ud800"]


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_a_title_holds_no_control_character(control: str) -> None:
    """From an attribute or from the template itself: a project of that title could not be made or not be read."""
    for made in (
        title("{service.name} calls", AT, {"service.name": f"a{control}b"}),
        title("{service.name} calls", AT, {"service.name": ["x", f"a{control}b"]}),
        title(f"Calls a{control}b", AT, {}) if control not in "\x00\ud800" else "",
    ):
        assert control not in made


@given(st.text(st.characters(exclude_categories=())))
def test_every_attribute_gives_a_title_that_label_studio_takes(value: str) -> None:
    """Whatever it is, and the same title each time; one line of a length that is allowed."""
    made = title("{service.name}", AT, {"service.name": value})
    assert TITLE_MIN_LENGTH <= len(made) <= TITLE_MAX_LENGTH
    assert made == made.strip() == title("{service.name}", AT, {"service.name": value})
    assert len(made.splitlines()) == 1
    made.encode()


def test_what_differs_in_a_control_character_alone_is_not_the_clean_name() -> None:
    """A sender cannot write into another one's project by a name that only looks like its name."""
    assert title("{service.name}", AT, {"service.name": "sh\x00op"}) == "sh\ufffdop"
    assert title("{service.name}", AT, {"service.name": "shop"}) == "shop"


def test_a_name_of_spaces_is_no_name() -> None:
    """It is called as one that is missing."""
    assert title("{service.name} x", AT, {"service.name": " \t\n"}) == "unknown x"


def test_a_mended_title_is_not_said_to_be_cut(caplog: pytest.LogCaptureFixture) -> None:
    """Only one that is; and what is said holds no control character."""
    router = Router(Settings.resolve({"project_name": "{service.name}"}, needs_server=False))

    def destination(name: str) -> str | None:
        return router.destination(Span(trace_id="", span_id="", resource={"service.name": name}), AT).title

    assert destination("a\x1b[31mb") == "a\ufffd[31mb"
    assert caplog.messages == []
    destination("\x1b" * 60)
    assert ["is cut" in message for message in caplog.messages] == [True]
    assert caplog.text.replace("\n", "").isprintable()


def test_long_names_are_not_kept() -> None:
    """A service may be called anything; of its name, no more than the title stays in memory."""
    router = Router(Settings.resolve({"project_name": "{service.name}"}, needs_server=False))
    for number in range(300):
        name = f"{number}" + "x" * 10_000
        router.destination(Span(trace_id="", span_id="", resource={"service.name": name}), AT)
    assert router._rendered.cache_info().currsize == 0
    router.destination(Span(trace_id="", span_id="", resource={"service.name": "shop"}), AT)
    assert router._rendered.cache_info().currsize == 1


@pytest.mark.parametrize("template", ["Calls %Y-%m-%d", "{service.name} %H%%", "100%% of {service.name}, {a.b}", "%d"])
@pytest.mark.parametrize("service", ["shop", "a very long name of a service, which is cut where it is too long", ""])
def test_a_templates_titles_are_known_by_their_pattern(template: str, service: str) -> None:
    """Those of other days and services too, but no other title."""
    pattern = title_pattern(template)
    assert pattern is not None
    assert pattern.fullmatch(title(template, AT, {"service.name": service}))
    assert not pattern.fullmatch("Another" if template != "%d" else "")


def test_a_title_that_never_changes_has_no_pattern() -> None:
    """Braces that name no attribute, and a doubled percent sign, stand for themselves."""
    assert title_pattern("Support {tier} 100%% sure") is None
