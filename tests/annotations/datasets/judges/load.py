"""A dataset's folder as `datasets` loads it; runs in an environment of its own. Arguments: folder, cache, row."""

from __future__ import annotations

import json
import sys

import datasets


def main() -> None:
    folder, cache, row = sys.argv[1], sys.argv[2], int(sys.argv[3])
    datasets.disable_progress_bars()
    default = datasets.load_dataset(folder, cache_dir=cache)
    found = {"version": datasets.__version__, "default": sorted(default["train"].column_names), "kinds": {}}
    for kind in datasets.get_dataset_config_names(folder):
        loaded = datasets.load_dataset(folder, kind, cache_dir=cache)
        found["kinds"][kind] = {
            split: {
                "rows": len(part),
                "first": part[0],
                "row": part[min(row, len(part) - 1)],
                "streamed": sum(1 for _ in datasets.load_dataset(folder, kind, split=split, streaming=True)),
            }
            for split, part in loaded.items()
        }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
