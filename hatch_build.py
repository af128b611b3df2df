"""The README as the package's page shows it, where links into the repository lead nowhere, and the project's URLs.

With the repository's address (``repository-url`` in pyproject.toml) links become links to it, and pictures are loaded
from there. Without an address, the text of a link stays without the link, pictures are left out, and there are no URLs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_INTO_THE_REPOSITORY = re.compile(r"(!?)\[((?:[^][]|\[[^]]*\])*)\]\((?!https?:|mailto:|#)([^)\s]+)\)")


# What stands under "Project links", below the repository's address
_URLS = {
    "Repository": "",
    "Documentation": "/tree/main/docs",
    "Changelog": "/blob/main/CHANGELOG.md",
    "Issues": "/issues",
}


class ReadmeHook(MetadataHookInterface):
    """Hatchling calls it for each package that it builds."""

    def update(self, metadata: dict[str, Any]) -> None:
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        url = self.config["repository-url"]
        metadata["readme"] = {"content-type": "text/markdown", "text": for_the_packages_page(readme, url)}
        metadata["urls"] = {name: f"{url}{path}" for name, path in _URLS.items()} if url else {}


def for_the_packages_page(readme: str, repository_url: str) -> str:
    """The README without relative links."""

    def link(found: re.Match[str]) -> str:
        mark, label, path = found.groups()
        if not repository_url:
            return "" if mark else label
        return f"{mark}[{label}]({repository_url}/{'raw' if mark else 'blob'}/main/{path})"

    return _INTO_THE_REPOSITORY.sub(link, readme)
