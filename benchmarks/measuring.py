"""What a stage of the pipe does and costs: how much gets through, and the processor time and memory of its processes.

Linux only. A stage is measured by itself: what comes before it has ended, and what it gets lies ready.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_POLL_S = 0.05


@dataclass(frozen=True)
class Figure:
    """One measurement: items a second, and milliseconds of processor time an item, by process."""

    per_s: float
    cpu_ms: Mapping[str, float]


@dataclass
class Figures:
    """All measurements of a run, by stage in the order in which they first came, the processes' most memory, and what
    a call takes on each disk."""

    found: dict[str, list[Figure]] = field(default_factory=lambda: defaultdict(list))
    memory_mib: dict[str, float] = field(default_factory=dict)
    stored_bytes: dict[str, float] = field(default_factory=dict)

    def measure(self, stage: str, pids: Mapping[str, int], work: Callable[[], tuple[float, float]]) -> None:
        """``work`` returns how many items came through, and in how many seconds."""
        before = {name: cpu_s(pid) for name, pid in pids.items()}
        items, seconds = work()
        used = {name: cpu_s(pid) - before[name] for name, pid in pids.items()}
        if not items:
            raise SystemExit(f"{stage}: nothing came through")
        self.found[stage].append(Figure(items / seconds, {name: 1000 * taken / items for name, taken in used.items()}))
        for name, pid in pids.items():
            self.memory_mib[name] = max(self.memory_mib.get(name, 0), peak_mib(pid))

    def table(self) -> str:
        """In Markdown: medians, with the lowest and the highest rate."""
        lines = ["| stage | a second, median (lowest, highest) | ms of CPU each |", "|---|---|---|"]
        for stage, figures in self.found.items():
            rates = [figure.per_s for figure in figures]
            shown = f"{median(rates):,.0f} ({min(rates):,.0f}, {max(rates):,.0f})"
            used = [f"{name} {median(figure.cpu_ms[name] for figure in figures):.3f}" for name in figures[0].cpu_ms]
            lines.append(f"| {stage} | {shown} | {', '.join(used)} |")
        memory = ", ".join(f"{name} {mib:,.0f}" for name, mib in self.memory_mib.items())
        stored = ", ".join(f"{name} {size:,.0f}" for name, size in self.stored_bytes.items())
        return "\n".join([*lines, "", f"MiB at the most: {memory}", f"Bytes a call: {stored}"])


def wait_until_it_grows(count: Callable[[], float], most_s: float = 60.0) -> None:
    """What a stage does once, when it begins, is not what it does for each item."""
    before, end = count(), time.monotonic() + most_s
    while count() == before:
        if time.monotonic() > end:
            raise SystemExit("nothing comes through")
        time.sleep(_POLL_S)


def counted(count: Callable[[], float], most_s: float, whole: float) -> tuple[float, float]:
    """How much a counter grows, and in which time: until it is ``whole``, or for some seconds."""
    first = last = count()
    began = ended = time.monotonic()
    while last < whole and ended < began + most_s:
        time.sleep(_POLL_S)
        last, ended = count(), time.monotonic()
    return last - first, max(ended - began, _POLL_S)


def bytes_below(*paths: Path) -> int:
    """What files, and all files in directories, take of the disk."""
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
    return sum(file.stat().st_blocks * 512 for file in files if file.is_file())


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process and its children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(int(ticks) for ticks in fields[11:15]) / _TICKS_A_SECOND
    return own + sum(cpu_s(child) for child in _children(pid))


def peak_mib(pid: int) -> float:
    """The most resident memory of a process and its children so far, as if they had it at one time."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024 + sum(peak_mib(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
