"""Plots as SVG to stand in the page, drawn by matplotlib: axes, ticks and text are what it does best, its SVG needs no
script, and it is kept up.

Colours are placeholders that become variables of the page's style, so that a plot follows light, dark and paper. Texts
stay texts (they can be searched and copied), and none is read as matplotlib's markup.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from math import floor
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from otel_labelstudio.annotations.report.records import Breakdown, Difference, Distribution, Interval

# Colours that matplotlib writes, and the page's variables that stand for them
_VARIABLES = {"#010101": "--text", "#020202": "--faint", "#030303": "--accent", "#040404": "--line"}
_TEXT, _FAINT, _ACCENT, _LINE = _VARIABLES
# Any: the names that matplotlib knows are a type of each version
_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _TEXT,
    "axes.labelcolor": _FAINT,
    "axes.edgecolor": _LINE,
    "xtick.color": _FAINT,
    "ytick.color": _TEXT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": _LINE,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
}
_WIDTH, _ROW, _MARGIN = 7.4, 0.3, 0.55
_LONGEST_LABEL = 38
_MOST_ROWS = 15
_TENTHS = 10


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    value: float
    interval: Interval | None


def unchanged(breakdown: Breakdown) -> Markup | None:
    """The share of answers that stayed as they were, a group a row; None where fewer than two can be compared."""
    rows = [
        _Row(group.name, group.unchanged.value, group.unchanged.interval)
        for group in breakdown.groups
        if group.unchanged.value is not None and group.unchanged.interval is not None
    ]
    if len(rows) < 2:
        return None
    with _styled():
        figure, axes = _intervals(rows[:_MOST_ROWS], f"Left unchanged, by {breakdown.field}, with 95 % intervals")
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        return _svg(figure)


def changes(differences: Sequence[Difference]) -> Markup | None:
    """The differences of shares between two periods, with zero in the middle; None where no interval is known."""
    rows = [_Row(d.figure, d.value, d.interval) for d in differences if d.is_share and d.interval]
    if not rows:
        return None
    with _styled():
        figure, axes = _intervals(rows[:_MOST_ROWS], "Difference in percentage points, with 95 % intervals")
        furthest = max(max(abs(row.interval.low), abs(row.interval.high)) for row in rows if row.interval) * 1.1
        axes.set_xlim(-furthest, furthest)
        axes.axvline(0, color=_FAINT, linewidth=1)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value * 100:+.0f}" if value else "0")
        return _svg(figure)


def histogram(found: Distribution, label: str) -> Markup:
    """How many calls have which value of a scale; a call between two values stands at the upper one."""
    heights: Counter[int] = Counter()
    for value, calls in found.counts:
        heights[floor(value + 0.5)] += calls
    with _styled():
        figure, axes = _bars(list(heights), list(heights.values()), 0.8, label)
        if found.max_value:
            axes.set_xlim(0.4, found.max_value + 0.6)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return _svg(figure)


def edit_sizes(found: Distribution, label: str) -> Markup:
    """How many calls had so much of their answers changed, in tenths."""
    heights = [0] * _TENTHS
    for value, calls in found.counts:
        heights[min(int(value * _TENTHS), _TENTHS - 1)] += calls
    with _styled():
        figure, axes = _bars([(i + 0.5) / _TENTHS for i in range(_TENTHS)], heights, 0.9 / _TENTHS, label)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        return _svg(figure)


def _bars(places: Sequence[float], heights: Sequence[int], width: float, label: str) -> tuple[Figure, Axes]:
    figure, axes = _figure(1.9, 3.6)
    axes.bar(places, heights, width=width, color=_ACCENT)
    axes.set_title(_shortened(label), loc="left", fontsize=10, color=_FAINT)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.grid(axis="y")
    axes.grid(visible=False, axis="x")
    return figure, axes


def _intervals(rows: Sequence[_Row], title: str) -> tuple[Figure, Axes]:
    figure, axes = _figure(_MARGIN + 0.2 + _ROW * len(rows), _WIDTH)
    for position, row in enumerate(rows):
        if row.interval:
            axes.hlines(position, row.interval.low, row.interval.high, color=_ACCENT, linewidth=2)
        axes.plot(row.value, position, "o", color=_ACCENT, markersize=7)
    axes.set_yticks(range(len(rows)), [_shortened(row.label) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_title(_shortened(title, 90), loc="left", fontsize=10, color=_FAINT)
    return figure, axes


def _figure(height: float, width: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _styled() -> AbstractContextManager[None]:
    return mpl.rc_context(_STYLE)


def _svg(figure: Figure) -> Markup:
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    output = StringIO()
    with warnings.catch_warnings():
        # A script that the font at hand lacks is measured wrong, and shown by the browser's fonts
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(output, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    svg = output.getvalue()
    return Markup(_with_variables(_with_own_ids(svg[svg.index("<svg") :])))  # noqa: S704


def _with_own_ids(svg: str) -> str:
    """Ids that no other plot of the page has, and that are the same at each run."""
    names = dict.fromkeys(re.findall(r'\bid="([^"]+)"', svg))
    prefix = sha256(re.sub(r"[pm][0-9a-f]{10}", "", svg).encode("utf-8", "replace")).hexdigest()[:8]
    own = {name: f"p{prefix}-{number}" for number, name in enumerate(names)}
    return re.sub(r'(\bid="|"#|url\(#)([\w.-]+)', lambda found: found[1] + own.get(found[2], found[2]), svg)


def _with_variables(svg: str) -> str:
    for color, variable in _VARIABLES.items():
        svg = svg.replace(color, f"var({variable})")
    return svg


def _shortened(label: str, longest: int = _LONGEST_LABEL) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in label).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"
