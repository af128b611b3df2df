"""Layouts: a labeling configuration, and the data that it needs.

``<layout>.xml`` is the configuration, ``<layout>.html`` what labelers are told, ``style.css`` what all of them share of
their ``<Style>``, `data` the variables that they use. A project that was made with a layout is known by those
variables, in whatever configuration they stand: people change theirs, and the setting may be gone.
"""

from __future__ import annotations

from enum import Enum
from importlib import resources

# Where in a configuration the shared style belongs
_STYLE = "/* style.css */"


class Layout(str, Enum):
    """What the page of a new project is for."""

    REVIEW = "review"
    COMPARE = "compare"
    AGENT = "agent"


def layout_label_config(layout: Layout) -> str:
    """The labeling configuration of a new project with this layout."""
    return _read(f"{layout.value}.xml").replace(_STYLE, _read("style.css").strip())


def layout_instructions(layout: Layout) -> str:
    """What labelers are told (HTML) in a new project with this layout."""
    return _read(f"{layout.value}.html")


def _read(name: str) -> str:
    return (resources.files("otel_labelstudio.tasks") / "layouts" / name).read_text(encoding="utf-8")
