"""The documentation's site (`make docs` builds it), the README on the package's page, and the list of stable names."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import otel_labelstudio

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
URL = "https://git.example.com/team/otel-labelstudio"

sys.path += [str(REPOSITORY / "docs" / "site"), str(REPOSITORY)]

from pages import BrokenLinkError, Links, pages  # noqa: E402

from hatch_build import for_the_packages_page  # noqa: E402 - neither is part of the package

RELATIVE_LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")


def rewritten(text: str, *, page: str = "docs/delivery.md", url: str = "") -> str:
    return Links(REPOSITORY / page, pages(), url).rewritten(text)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[a](configuration.md#modes)", "[a](configuration.md#modes)"),
        ("[a](../collector-config/README.md#kafka)", "[a](collector-config.md#kafka)"),
        ("[a](../README.md)", "[a](start.md)"),
        ("![a](images/chat.png)", "![a](images/chat.png)"),
        ("[a](https://example.com)", "[a](https://example.com)"),
        ("[`a`](../otel_labelstudio/pipeline.py)", "`a`"),
        ("```\n[a](nowhere.md)\n```", "```\n[a](nowhere.md)\n```"),
    ],
)
def test_links_lead_to_the_pages_of_the_site(link: str, expected: str) -> None:
    """To a page, a heading or a picture of it; a file that is no page keeps its name only; code is left as it is."""
    assert rewritten(link) == expected


def test_links_lead_to_the_repository_where_its_address_is_known() -> None:
    """A file that is no page of the site is shown by the repository."""
    assert rewritten("[a](../deploy/Containerfile)", url=URL) == f"[a]({URL}/blob/main/deploy/Containerfile)"


def test_a_link_to_nothing_ends_the_build() -> None:
    """The error names the page and the link."""
    with pytest.raises(BrokenLinkError, match=r"docs/delivery\.md links to gone\.md"):
        rewritten("[a](gone.md)")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_page_has_a_name_of_its_own_and_whole_links(page: Path) -> None:
    """No two files are one page, and no link of any of them is broken."""
    assert list(pages().values()).count(pages()[page]) == 1
    rewritten(page.read_text(encoding="utf-8"), page=str(page.relative_to(REPOSITORY)))


def test_the_packages_page_has_no_link_that_leads_nowhere() -> None:
    """Without the repository's address the links into it are text, with it they are whole; all else is as it was."""
    without = for_the_packages_page(README, "")
    assert not RELATIVE_LINK.search(without)
    assert "![" not in without
    whole = for_the_packages_page(README, URL)
    assert not RELATIVE_LINK.search(whole)
    assert whole.replace(f"{URL}/blob/main/", "").replace(f"{URL}/raw/main/", "") == README


def test_the_list_of_stable_names_is_that_of_the_package() -> None:
    """docs/versioning.md promises what the package exports, no less and no more."""
    page = (REPOSITORY / "docs" / "versioning.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- `(\w+)`$", page.split("<!-- public names")[1], re.MULTILINE)
    assert listed == [name for name in sorted(otel_labelstudio.__all__) if name != "__version__"]
