"""Builds the documentation's site into build/docs/html: ``make docs``.

Warnings are errors, and so is a page that would load anything from another address. Nothing is fetched: neither now
nor by a browser that shows the pages.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import mermaidx
import tomllib
from pages import REPOSITORY, SITE, Links, pages

BUILD = REPOSITORY / "build" / "docs"
SOURCE, HTML = BUILD / "source", BUILD / "html"

_MERMAID = re.compile(r"^```mermaid\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# Where the navigation has room for pages that it does not name
_FURTHER_PAGES = "<!-- further pages -->"
# What a browser loads by itself, other than by a click
_LOADED = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=\"(?:https?:)?//[^\"]+\"[^>]*>")
_ADDRESS_ONLY = 'rel="canonical"'


class LoadsFromElsewhereError(Exception):
    """A built page would make a browser ask another server for something."""


def main() -> int:
    """Build the site; the exit status."""
    shutil.rmtree(BUILD, ignore_errors=True)
    write_source()
    sphinx = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--jobs", "auto"]
    status = subprocess.run([*sphinx, "--conf-dir", str(SITE), str(SOURCE), str(HTML)], check=False).returncode
    if status == 0:
        check_that_nothing_is_loaded_from_elsewhere()
        print(f"The site is in {HTML.relative_to(REPOSITORY)}: open index.html")
    return status


def write_source() -> None:
    """Copy the pages and pictures to one directory, as Sphinx reads them."""
    shutil.copytree(REPOSITORY / "docs" / "images", SOURCE / "images")
    known = pages()
    for page, name in known.items():
        links = Links(page, known, repository_url())
        text = with_diagrams(links.rewritten(page.read_text(encoding="utf-8")), name)
        (SOURCE / name).write_text(text, encoding="utf-8")
    add_further_pages(SOURCE / "index.md", sorted(known.values()))


def repository_url() -> str:
    """The repository's address, or an empty text where none is known yet."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    url: str = settings["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository-url"]
    return url


def with_diagrams(text: str, page: str) -> str:
    """The text with each Mermaid block drawn: a picture for light pages and one for dark ones."""
    return _MERMAID.sub(lambda block: _drawn(block[1], f"{page.removesuffix('.md')}-{block.start()}"), text)


def _drawn(diagram: str, name: str) -> str:
    pictures = []
    for shade, theme in (("light", "neutral"), ("dark", "dark")):
        drawing = mermaidx.render(diagram, theme=theme).svg()
        (SOURCE / "images" / f"{name}-{shade}.svg").write_text(drawing, encoding="utf-8")
        pictures.append(f"```{{image}} images/{name}-{shade}.svg\n:class: only-{shade}\n:alt: diagram\n```")
    return "\n\n".join(pictures)


def add_further_pages(index: Path, names: list[str]) -> None:
    """Put every page that the navigation does not name where it has room for them."""
    navigation = index.read_text(encoding="utf-8")
    named = {"index", *re.findall(r"^(?:.*<)?([\w-]+)>?$", navigation, re.MULTILINE)}
    further = [page for page in (name.removesuffix(".md") for name in names) if page not in named]
    index.write_text(navigation.replace(_FURTHER_PAGES, "\n".join(further)), encoding="utf-8")


def check_that_nothing_is_loaded_from_elsewhere() -> None:
    """Raise an error for a page that is not complete by itself."""
    for page in sorted(HTML.rglob("*.html")):
        for tag in _LOADED.findall(page.read_text(encoding="utf-8")):
            if _ADDRESS_ONLY not in tag:
                raise LoadsFromElsewhereError(f"{page.relative_to(HTML)}: {tag}")


if __name__ == "__main__":
    sys.exit(main())
