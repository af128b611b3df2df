"""Writes a new dataset over an earlier one again and again, and dies at each step of it in turn; run as a program.

Argument: a directory. Prints a line for each step: the step's number and which dataset stands there, or what is wrong.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from otel_labelstudio.annotations.datasets import DatasetOptions, write_dataset
from tests.annotations.datasets.garden import accepted, answering

_STEPS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "ctypes.dlsym")
_MOST = 500


def dataset(directory: Path, answer: str) -> None:
    write_dataset([accepted(answering(1, answer))], directory, DatasetOptions(train_share=1))


def dies_at(step: int, act: Callable[[], None]) -> bool:
    """Whether a child process that acts dies at this step; False where it comes to its end before."""
    child = os.fork()
    if child == 0:
        seen = 0

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            is_reading = event == "open" and len(arguments) > 2 and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
            if event in _STEPS and not is_reading:
                seen += 1
                if seen == step:
                    os._exit(9)

        sys.addaudithook(count)
        act()
        os._exit(0)
    return os.waitpid(child, 0)[1] != 0


def found(directory: Path) -> str:
    """Which dataset there is: all of its files of one run."""
    texts = {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in directory.rglob("*")
        if path.is_file()
    }
    if sorted(texts) != ["README.md", "provenance.jsonl", "sft/train.jsonl"]:
        return f"not whole: {sorted(texts)}"
    return "new" if "new answer" in texts["sft/train.jsonl"] else "earlier"


def main() -> None:
    for step in range(1, _MOST):
        directory = Path(sys.argv[1]) / str(step) / "shop"
        dataset(directory, "earlier answer")
        died = dies_at(step, lambda at=directory: dataset(at, "new answer"))  # type: ignore[misc]
        print(step, found(directory))
        dataset(directory, "new answer")
        if found(directory) != "new":
            print(step, "the next run did not write")
        if not died:
            return


if __name__ == "__main__":
    main()
