"""The Markdown pages of the repository, and the blocks of code in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "[!.]*/README.md")
    for path in REPOSITORY.glob(pattern)
    if path.name != "CHANGELOG.md"
)


@dataclass(frozen=True)
class CodeBlock:
    """A block of code: where it stands, its language as the page says it, and its text."""

    page: str
    line: int
    language: str
    text: str

    @property
    def first_line(self) -> str:
        return self.text.splitlines()[0]

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def code_blocks() -> Iterator[CodeBlock]:
    """Those of all pages, fenced or indented."""
    for path in PAGES:
        page = path.relative_to(REPOSITORY).as_posix()
        for token in MarkdownIt().parse(path.read_text(encoding="utf-8")):
            if token.type in ("fence", "code_block"):
                line = (token.map or [0])[0] + 1
                yield CodeBlock(page, line, token.info.strip(), token.content)
