"""What a person or a model wrote in Markdown, as HTML of which nothing loads, links or runs.

HTML in it stays text. A link is its text with the address after it; an image is named by its address, unless it is
inline and of a type that `inline_images` knows. Imported with the first task that needs it.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from otel_labelstudio.tasks.inline_images import image_of_uri
from otel_labelstudio.tasks.markup import Html, element, text

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import OptionsDict

# Beyond these Markdown is shown as it was written. The parser takes some 10 ms for a page of 1,000 words, but looks for
# the end of each bracket in all of the text, and fills every row of a table up to the width of the first
_MAX_LENGTH = 20_000
_MAX_BRACKETS = 500
_MAX_CELLS = 5_000
_ALIGNMENTS = {"text-align:center": "osl-center", "text-align:right": "osl-right"}


def markdown(source: str) -> Html:
    """The Markdown as HTML; what is very long, or built to keep a parser busy, as it was written."""
    if _is_costly(source):
        return plain(source)
    return element("div", Html(_renderer().render(source)), css="osl-md")


def plain(source: str) -> Html:
    """The text as it was written, line by line."""
    return element("div", text(source), css="osl-plain")


def _is_costly(source: str) -> bool:
    lines = source.splitlines()
    cells = len(lines) * max((line.count("|") for line in lines), default=0)
    return len(source) > _MAX_LENGTH or source.count("[") > _MAX_BRACKETS or cells > _MAX_CELLS


@cache
def _renderer() -> MarkdownIt:
    from markdown_it import MarkdownIt

    renderer = MarkdownIt("js-default", {"html": False, "breaks": True})
    for rule in (link_open, link_close, image, fence, th_open, td_open):
        renderer.add_render_rule(rule.__name__, rule)
    return renderer


# Each has the name of the token that it renders, and markdown-it's own parameters


def link_open(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    """Nothing: what follows is the link's text."""
    env.setdefault("addresses", []).append(str(tokens[index].attrGet("href") or ""))
    return ""


def link_close(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    """The link's address, after its text; not where they are the same."""
    address = env["addresses"].pop()
    is_same = tokens[index - 1].type == "text" and tokens[index - 1].content == address
    return "" if is_same else element("span", text(f" ({address})"), css="osl-dim")


def image(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: MutableMapping[str, Any]
) -> str:
    """An image that is inline; of any other its description and address."""
    address = str(tokens[index].attrGet("src") or "")
    label = f"[image: {tokens[index].content} {address[:500]}]"
    return image_of_uri(address, label) or text(label)


def fence(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: MutableMapping[str, Any]
) -> str:
    """Code, without the class by which others color it."""
    return element("pre", element("code", text(tokens[index].content)))


def th_open(
    _renderer: RendererHTML, tokens: Sequence[Token], index: int, _options: OptionsDict, _env: MutableMapping[str, Any]
) -> str:
    """A table's cell, aligned by a class in the place of a style."""
    css = _ALIGNMENTS.get(str(tokens[index].attrGet("style")), "")
    return f'<{tokens[index].tag} class="{css}">' if css else f"<{tokens[index].tag}>"


def td_open(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: MutableMapping[str, Any]
) -> str:
    """The same."""
    return th_open(renderer, tokens, index, options, env)
