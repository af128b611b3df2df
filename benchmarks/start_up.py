"""What a start of an application pays: time and memory of imports, each in fresh processes, in turns. Linux only.

python benchmarks/start_up.py [--rounds N]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from statistics import median

_CASES = {
    "python alone": "pass",
    "import otel_labelstudio": "import otel_labelstudio",
    "opentelemetry.sdk.trace.export": "import opentelemetry.sdk.trace.export",
    "... and the exporter, made": (
        "import opentelemetry.sdk.trace.export\n"
        "from otel_labelstudio import LabelStudioSpanExporter\n"
        "LabelStudioSpanExporter(api_key='x', url='http://127.0.0.1:9')"
    ),
    "... and its first delivery's imports": (
        "import opentelemetry.sdk.trace.export\n"
        "from otel_labelstudio.delivery.label_studio.connection import Connection\n"
        "from otel_labelstudio.delivery.label_studio.limits import Allowance\n"
        "Connection('http://127.0.0.1:9', 'x', 1, Allowance())"
    ),
    "... and Label Studio's whole SDK": (
        "import opentelemetry.sdk.trace.export\n"
        "from label_studio_sdk.client import LabelStudio\n"
        "LabelStudio(api_key='x', base_url='http://127.0.0.1:9')"
    ),
    "... and LangChain's handler": (
        "import warnings; warnings.simplefilter('ignore')\n"
        "import opentelemetry.sdk.trace.export\n"
        "import langchain_community.callbacks.labelstudio_callback\n"
        "from label_studio_sdk import Client  # as it does in its constructor, which then asks the server"
    ),
}
_SDK = "opentelemetry.sdk.trace.export"

# Standard output: seconds and bytes. Not getrusage's peak, which on Linux starts with that of the parent
_SCRIPT = """
import os, time
begin = time.perf_counter()
{statements}
seconds = time.perf_counter() - begin
with open("/proc/self/statm") as statm:
    print(seconds, int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one start: milliseconds until the statements were done, and MiB of resident memory then."""

    time_ms: float
    memory_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    costs: dict[str, list[Cost]] = defaultdict(list)
    for number in range(rounds + 1):
        for name, statements in _CASES.items():
            cost = _measured(statements)
            if number:  # the first round fills the file cache and writes bytecode
                costs[name].append(cost)
    _print({name: _median(found) for name, found in costs.items()}, rounds)


def _measured(statements: str) -> Cost:
    command = [sys.executable, "-c", _SCRIPT.format(statements=statements)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return Cost(float(output[0]) * 1e3, float(output[1]) / 2**20)


def _median(costs: list[Cost]) -> Cost:
    return Cost(median(cost.time_ms for cost in costs), median(cost.memory_mib for cost in costs))


def _print(costs: dict[str, Cost], rounds: int) -> None:
    sdk, bare = costs[_SDK], costs["python alone"]
    print(f"Medians of {rounds} rounds; memory beyond Python's own, ratios to {_SDK}\n")
    print(f"{'':40}{'ms':>8}{'ratio':>8}{'MiB':>8}{'ratio':>8}")
    for name, cost in costs.items():
        time_ratio = cost.time_ms / sdk.time_ms
        memory, memory_ratio = (
            cost.memory_mib - bare.memory_mib,
            (cost.memory_mib - bare.memory_mib) / (sdk.memory_mib - bare.memory_mib),
        )
        print(f"{name:40}{cost.time_ms:8.1f}{time_ratio:8.2f}{memory:8.1f}{memory_ratio:8.2f}")


if __name__ == "__main__":
    main()
