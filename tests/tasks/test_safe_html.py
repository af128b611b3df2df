"""A call as HTML: it can be read, nothing of it is lost, and nothing of it does anything."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from otel_labelstudio.calls import (
    BlobPart,
    LLMCall,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
    UriPart,
)
from otel_labelstudio.tasks import safe_html
from otel_labelstudio.tasks.markup import Html
from otel_labelstudio.tasks.safe_html import answer_html, choices_html, dialogue_html, request_html, steps_html
from otel_labelstudio.tasks.sanitize import sanitize
from tests.delivery.telemetry import chat, completion
from tests.tasks.calls_strategy import calls
from tests.tasks.hostile_text import MARKUP, PAYLOADS, hostile_call
from tests.tasks.parsed_html import Page

# Written down here anew: what a page may hold
TAGS = {
    *("blockquote", "br", "code", "details", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "object"),
    *("ol", "p", "pre", "s", "span", "strong", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
IMAGES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0" + bytes(40),
    "image/gif": b"GIF89a" + bytes(40),
    "image/webp": b"RIFF\x00\x00\x00\x00WEBP" + bytes(40),
}


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def asked(*parts: Part, role: str = "user", **fields: Any) -> LLMCall:
    return chat(input_messages=(Message(role, parts),), **fields)


def pages(call: LLMCall) -> list[str]:
    """Everything that a layout shows of a call as HTML."""
    return [dialogue_html(call), request_html(call), answer_html(call), *choices_html(call), *steps_html(call)]


def assert_inert(html: str) -> None:
    """Closed elements of the harmless kind, with classes of ours; an object holds an image that is inline."""
    page = Page.of(html)
    assert (page.open_tags, page.unexpected) == ([], [])
    for element in page.elements:
        assert element.tag in TAGS
        allowed = {"object": {"class", "type", "data"}, "ol": {"class", "start"}}.get(element.tag, {"class"})
        assert element.attributes.keys() <= allowed
        assert all(name.startswith("osl-") for name in element.attributes.get("class", "").split())
        data = element.attributes.get("data")
        assert data is None or re.fullmatch(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*", data)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_hostile_text_is_inert_in_every_field(payload: str) -> None:
    """Whatever a model, a user or a tool wrote, and wherever it stands."""
    call = hostile_call(payload)
    for html in pages(call):
        assert_inert(html)


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
def test_escaping_alone_makes_hostile_text_inert(payload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first wall holds without the second."""
    monkeypatch.setattr(safe_html, "sanitize", str)
    call = hostile_call(payload)
    for html in pages(call):
        assert_inert(html)


@pytest.mark.parametrize("payload", MARKUP.values(), ids=MARKUP)
def test_the_sanitizer_alone_makes_markup_inert(payload: str) -> None:
    """The second wall holds where the first one does not: the payload itself, and where an attribute's value ends."""
    for html in (payload, f"<div>{payload}</div>", f'<td class="{payload}">', f'<object data="{payload}">'):
        assert_inert(sanitize(Html(html.replace("\x00", "").replace("\ud800", ""))))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(calls())
def test_every_call_is_inert_and_can_be_stored(call: LLMCall) -> None:
    """Also one of surrogates, of NUL and of values that are nested deep."""
    for html in pages(call):
        assert_inert(html)
        assert "\x00" not in html
        html.encode()


@pytest.mark.parametrize("payload", ["<b>x</b> &lt; &amp; \"quoted\" 'so'", "a\n    b\n\n\nc", "1 < 2 > 0"])
def test_code_stands_as_it_was_written(payload: str) -> None:
    """Markup, quotes, entities and spaces in code are seen, not obeyed."""
    assert f"{payload}\n" in Page.of(dialogue_html(asked(TextPart(f"```\n{payload}\n```")))).text
    assert payload in Page.of(dialogue_html(completion(payload))).text
    assert payload in Page.of(dialogue_html(asked(ToolCallResponsePart(payload), role="tool"))).text


def test_markdown_is_rendered() -> None:
    """Headings, emphasis, lists, tables with their alignment, code; line breaks are kept."""
    source = "# Plans\none\ntwo **bold** *em* ~~s~~ `code`\n\n3. a\n4. b\n\n|x|y|\n|:-:|-:|\n|1|2|\n\n> quote\n\n---"
    html = answer_html(chat("Q", source))
    for expected in (
        "<h1>Plans</h1>",
        "one<br>",
        "<strong>bold</strong> <em>em</em> <s>s</s> <code>code</code>",
        '<ol start="3">',
        '<td class="osl-center">1</td>',
        '<td class="osl-right">2</td>',
        "<blockquote>",
        "<hr>",
    ):
        assert expected in html


def test_a_link_is_its_text_and_address() -> None:
    """The address can be read and copied; where it is the text, it stands there once."""
    text = Page.of(
        answer_html(chat("Q", "[docs](https://example.com/a?b=1&c=2) <https://example.com> [x](ftp://y)"))
    ).text
    assert "docs (https://example.com/a?b=1&c=2) https://example.com x (ftp://y)" in text


def test_an_image_of_the_net_is_named() -> None:
    """By its description and address; nothing is loaded."""
    page = Page.of(answer_html(chat("Q", "![a plan](https://example.com/d.png)")))
    assert "[image: a plan https://example.com/d.png]" in page.text
    assert page.having("osl-image") == []


@pytest.mark.parametrize("mime_type", IMAGES)
def test_an_inline_image_is_shown(mime_type: str) -> None:
    """Of four types; as a part with base64 in lines, as a part with a data URI, and in Markdown."""
    data = encoded(IMAGES[mime_type])
    uri = f"data:{mime_type};base64,{data}"
    parts = BlobPart("image", f"{data[:20]}\n{data[20:]}", mime_type), UriPart("image", uri), TextPart(f"![x]({uri})")
    page = Page.of(dialogue_html(asked(*parts)))
    assert [element.attributes for element in page.having("osl-image")] == [
        {"class": "osl-image", "type": mime_type, "data": uri}
    ] * 3


@pytest.mark.parametrize(
    "part",
    [
        BlobPart("image", encoded(b"<svg onload=alert(1)>" + bytes(40)), "image/svg+xml"),
        BlobPart("image", encoded(b"<svg onload=alert(1)>" + bytes(40)), "image/png"),
        BlobPart("image", encoded(b"RIFF\x00\x00\x00\x00AVI " + bytes(40)), "image/webp"),
        BlobPart("image", encoded(PNG) + "A", "image/png"),
        BlobPart("image", encoded(PNG) + '"><script>', "image/png"),
        BlobPart("image", "", "image/png"),
        BlobPart("image", encoded(PNG), None),
        UriPart("image", f"data:image/png;charset=x;base64,{encoded(PNG)}"),
        UriPart("image", f"DATA:image/png;base64,{encoded(PNG)}#x"),
        UriPart("image", "https://example.com/x.png"),
    ],
    ids=["svg", "svg called png", "avi called webp", "damaged", "markup", "empty", "untyped", "odd", "fragment", "net"],
)
def test_anything_else_is_no_image(part: Part) -> None:
    """What is said to be an image and begins as something else, is not whole, or stands at an address is named."""
    page = Page.of(dialogue_html(asked(part)))
    assert page.having("osl-image") == []
    assert "[image" in page.text


def test_what_is_rarely_read_is_folded() -> None:
    """Instructions, tools, reasoning, long results; each title says how long it is and how it begins."""
    call = chat(
        system_instructions=(TextPart("You are brief."),),
        tool_definitions=({"function": {"name": "look_up"}}, {"name": "cancel"}),
        input_messages=(
            Message("user", (TextPart("Where?"),)),
            Message("assistant", (ReasoningPart("I look it up."), ToolCallPart("look_up", {"id": "A-1"}, "c1"))),
            Message("tool", (ToolCallResponsePart("short", "c1"), ToolCallResponsePart({"found": "x" * 400}, "c2"))),
        ),
    )
    page = Page.of(dialogue_html(call))
    assert len(page.having("osl-fold")) == 4
    assert all(element.tag == "details" and "open" not in element.attributes for element in page.having("osl-fold"))
    for title in (
        "system prompt · 14 characters You are brief.",
        "tools · 2 look_up, cancel",
        "reasoning · 13 characters I look it up.",
        '◂ result · 417 characters { "found": "xxx',
    ):
        assert title in page.text


def test_arguments_are_a_table_and_results_name_their_tool() -> None:
    """A nested argument and a result of JSON stand on several lines, as does JSON that came as text."""
    call = chat(
        input_messages=(
            Message("assistant", (ToolCallPart("cancel", {"order": "HB-1", "lines": [{"sku": 7}]}, "c1"),)),
            Message("tool", (ToolCallResponsePart({"status": "late"}, "c1"),)),
            Message("tool", (ToolCallResponsePart('{"status": "é"}'),), name="other"),
        )
    )
    html = dialogue_html(call)
    assert "<tr><th>order</th><td><pre>HB-1</pre></td></tr>" in html
    text = Page.of(html).text
    assert 'lines[\n  {\n    "sku": 7\n  }\n]' in text
    assert '◂ cancel{\n  "status": "late"\n}' in text
    assert '◂ other{\n  "status": "é"\n}' in text


def test_all_but_the_last_eight_turns_are_folded() -> None:
    """Of fifty, the last eight are open, and all are there in their order."""
    turns = tuple(Message(("user", "assistant")[n % 2], (TextPart(f"turn {n}."),)) for n in range(50))
    html = dialogue_html(chat(input_messages=turns))
    folded, _, opened = html.partition("</details>")
    assert "42 earlier turns" in folded
    assert re.findall(r"turn (\d+)\.", folded) == [str(n) for n in range(42)]
    assert re.findall(r"turn (\d+)\.", opened) == [str(n) for n in range(42, 50)]


def test_each_of_several_choices_has_its_number() -> None:
    """In one page, and in a page each."""
    outputs = tuple(Message("assistant", (TextPart(text),)) for text in ("a", "b", ""))
    call = chat("Q", output_messages=outputs)
    shown = [text.strip() for text in Page.of(answer_html(call)).texts if text.strip()]
    assert shown == ["answer 1", "a", "answer 2", "b", "answer 3", "[empty]"]
    assert [Page.of(html).texts[0] for html in choices_html(call)] == ["answer 1", "answer 2", "answer 3"]


def test_what_is_missing_is_said() -> None:
    """No input, no answer, part of it."""
    call = chat(input_messages=(), output_messages=(), incomplete=("the stream broke off",))
    assert "Incomplete: the stream broke off" in Page.of(dialogue_html(call)).text
    assert "[The input of this call is not in its telemetry.]" in Page.of(dialogue_html(call)).text
    assert "[empty]" in Page.of(answer_html(call)).text


@pytest.mark.parametrize(
    "source",
    ["[" * 20_000, "|" * 100 + "\n" + "|-" * 100 + "\n" + "|\n" * 5_000, "x" * 20_001],
    ids=["brackets", "table", "long"],
)
def test_text_that_would_keep_the_parser_busy_stands_as_it_was_written(source: str) -> None:
    """A model's answer cannot hold up the thread that delivers."""
    html = answer_html(chat("Q", source))
    assert 'class="osl-plain"' in html
    assert source in Page.of(html).text


@pytest.mark.parametrize("part", [TextPart, ReasoningPart])
@pytest.mark.parametrize(
    "page",
    [dialogue_html, lambda call: "".join(steps_html(call)), answer_html],
    ids=["dialogue", "steps", "answer"],
)
def test_what_is_rendered_for_a_page_is_bounded(
    part: type[TextPart | ReasoningPart], page: Callable[[LLMCall], str]
) -> None:
    """However many messages there are, of whatever parts: the others stand as they were written."""
    few, many = (tuple(Message("assistant", (part("*much* " * 2_500),)) for _ in range(n)) for n in (2, 40))
    pages = [
        page(chat("Q", input_messages=(Message("user", (TextPart("Q"),)), *said), output_messages=said))
        for said in (few, many)
    ]
    assert pages[0].count("<em>") >= 2 * 2_500
    assert pages[1].count("<em>") * len("*much* ") <= 200_000


def test_a_very_long_text_is_cut() -> None:
    """The page says by how much; the task's meta has the whole."""
    text = Page.of(answer_html(chat("Q", "x" * 100_500))).text
    assert text.endswith("x\n[500 more characters]")
    assert text.count("x") == 100_000
