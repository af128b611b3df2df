"""The card of a dataset: how `datasets` loads it, and for people what is in it and what is not.

The columns' types stand in it because no inference finds them: see `features`. Nothing in it depends on the time, on
paths or on who labeled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from otel_labelstudio.annotations.datasets.features import Feature
from otel_labelstudio.annotations.datasets.formats import FORMATS
from otel_labelstudio.annotations.datasets.left_out import LeftOut
from otel_labelstudio.annotations.datasets.options import DatasetOptions, Kind
from otel_labelstudio.annotations.datasets.output import MARK

# Columns that are not there where no row of the file has tools
_OF_TOOLS = ("tools", "parallel_tool_calls")


@dataclass(frozen=True, slots=True)
class Contents:
    """What a dataset holds: rows by kind and split, where there are any, and how often what was left out why."""

    rows: Mapping[Kind, Mapping[str, int]] = field(default_factory=dict)
    with_tools: frozenset[Kind] = frozenset()
    reasons: Mapping[tuple[str, LeftOut], int] = field(default_factory=dict)


def card(contents: Contents, options: DatasetOptions) -> str:
    """The text of ``README.md``."""
    return "---\n" + "".join(_yaml(contents, options)) + "---\n\n" + "\n".join(_text(contents, options)) + "\n"


def _yaml(contents: Contents, options: DatasetOptions) -> Iterator[str]:
    kinds = [kind for kind in options.kinds if contents.rows.get(kind)]
    if not kinds:
        return
    yield "configs:\n"
    for kind in kinds:
        yield f"- config_name: {kind.value}\n"
        yield "  default: true\n" if kind is kinds[0] else ""
        yield "  data_files:\n"
        for split in contents.rows[kind]:
            yield f"  - split: {split}\n    path: {kind.value}/{split}.jsonl\n"
    yield "dataset_info:\n"
    for kind in kinds:
        yield f"- config_name: {kind.value}\n  features:\n"
        yield from (feature.yaml() for feature in _features(kind, contents, options))


def _features(kind: Kind, contents: Contents, options: DatasetOptions) -> list[Feature]:
    has_tools = kind in contents.with_tools
    features = FORMATS[options.format].features(kind, options)
    return [one for one in features if has_tools or one.name not in _OF_TOOLS]


def _text(contents: Contents, options: DatasetOptions) -> Iterator[str]:
    yield f"{MARK}\n"
    yield "# Labeled LLM calls\n"
    yield "What people made of the answers of language models in Label Studio, one row a line. `provenance.jsonl` has a"
    yield "line for each row: the call, the task, the annotations and what was done.\n"
    yield from _table(("rows", "file"), [(n, f"`{kind.value}/{split}.jsonl`") for kind, split, n in _files(contents)])
    yield "Left out, an answer for each kind of row, an annotation or a task for all of them:\n"
    left_out = [(n, kind or "all", reason.meaning) for (kind, reason), n in contents.reasons.items()]
    yield from _table(("count", "kind", "reason"), left_out)
    yield f"Written by otel-labelstudio {version('otel-labelstudio')}:\n"
    yield f"    {' '.join(('otel-labelstudio dataset', *options.flags()))}"


def _files(contents: Contents) -> Iterator[tuple[Kind, str, int]]:
    for kind, splits in contents.rows.items():
        yield from ((kind, split, count) for split, count in splits.items())


def _table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> Iterator[str]:
    if not rows:
        yield "nothing\n"
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(str(cell) for cell in row)} |" for row in rows)
    yield ""
