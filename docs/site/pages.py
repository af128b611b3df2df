"""Which files of the repository are pages of the site, and where their links lead.

The pages are written to be read in the repository. To be pages of the site they are copied into one directory, with
each link changed to what it means there: to another page, to the file in the repository where its address is known,
else to nothing. A link to a file that does not exist ends the build.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SITE = Path(__file__).parent

_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?)\[((?:[^][]|\[[^]]*\])*)\]\(([^)\s]+)\)")
_ELSEWHERE = ("https://", "http://", "mailto:", "#")


class BrokenLinkError(Exception):
    """A page links to a file that does not exist."""


def pages() -> dict[Path, str]:
    """The files that are pages, each with its name in the site."""
    readmes = {path: f"{path.parent.name}.md" for path in sorted(REPOSITORY.glob("[!.]*/README.md"))}
    named = {REPOSITORY / "README.md": "start.md"}
    for name in ("CHANGELOG.md", "CONTRIBUTING.md"):
        named[REPOSITORY / name] = name.lower()
    written = [*sorted((REPOSITORY / "docs").glob("*.md")), *sorted(SITE.glob("*.md"))]
    return {**named, **readmes, **{path: path.name for path in written}}


@dataclass(frozen=True)
class Links:
    """Where links of one page lead in the site."""

    page: Path
    pages: Mapping[Path, str]
    repository_url: str

    def rewritten(self, text: str) -> str:
        """The page's text with its links changed; code is left as it is."""
        return outside_of_code(text, lambda prose: _LINK.sub(self._link, prose))

    def _link(self, link: re.Match[str]) -> str:
        mark, label, address = link.groups()
        if address.startswith(_ELSEWHERE):
            return link[0]
        target = self._target(address)
        return f"{mark}[{label}]({target})" if target else label

    def _target(self, address: str) -> str:
        path, _, anchor = address.partition("#")
        file = Path(os.path.normpath(self.page.parent / path))
        if not file.exists():
            raise BrokenLinkError(f"{self.page.relative_to(REPOSITORY)} links to {address}, which does not exist")
        page = self.pages.get(file, self.pages.get(file / "README.md"))
        if page is not None:
            return f"{page}#{anchor}" if anchor else page
        if file.is_relative_to(REPOSITORY / "docs/images"):
            return f"images/{file.name}"
        return f"{self.repository_url}/blob/main/{file.relative_to(REPOSITORY)}" if self.repository_url else ""


def outside_of_code(text: str, change: Callable[[str], str]) -> str:
    """The text, changed where it is not a fenced block."""
    return "".join(part if is_code else change(part) for is_code, part in _parts(text))


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    end = 0
    for block in _FENCED.finditer(text):
        yield False, text[end : block.start()]
        yield True, block[0]
        end = block.end()
    yield False, text[end:]
