"""What stands in a dataset's files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from otel_labelstudio.annotations.datasets.splitting import SPLITS


def lines(file: Path) -> list[Any]:
    """The JSON of each line."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def written(directory: Path) -> dict[str, bytes]:
    """All files with their bytes."""
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def completions(directory: Path) -> list[str]:
    """The texts of all `sft` rows."""
    return [
        row["completion"][0]["content"]
        for split in SPLITS
        if (directory / "sft" / f"{split}.jsonl").exists()
        for row in lines(directory / "sft" / f"{split}.jsonl")
    ]
