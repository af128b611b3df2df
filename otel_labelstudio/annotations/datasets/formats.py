"""The formats of rows: a file each, with ``NAME``, ``row`` and ``features``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from otel_labelstudio.annotations.datasets import calls, openai, trl
from otel_labelstudio.annotations.datasets.example import Example
from otel_labelstudio.annotations.datasets.features import Feature
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind


@dataclass(frozen=True, slots=True)
class Format:
    """``row`` writes an example or raises `RowLeftOutError`; ``features`` are the columns of its rows, of which
    those of tools are there only where some row has tools."""

    name: str
    row: Callable[[Example, DatasetOptions], dict[str, Any]]
    features: Callable[[Kind, DatasetOptions], list[Feature]]


FORMATS = {one.NAME: Format(one.NAME, one.row, one.features) for one in (trl, openai, calls)}
