"""Label Studio and a traced LangChain application, both on this machine: from calls to tasks to training data.

A scripted labeler works through the tasks, unless you label them yourself (--label). Then a dataset for fine-tuning and
a report are written to a new directory demo-labels-..., which stays.

At the first start Label Studio is installed into an environment of its own in the user's cache directory. It listens
on loopback only. Without OPENAI_API_KEY a stand-in on loopback answers the application; with it, OpenAI's API does.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from otel_labelstudio.demo.errors import DemoError
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.demo.labeler import label_project
from otel_labelstudio.demo.results import DATASET, REPORT, new_directory, write_results
from otel_labelstudio.demo.showing import PAGES, Shown, show
from otel_labelstudio.printable import counted

_NEEDED = ("langchain", "langchain_openai", "opentelemetry.instrumentation.langchain", "krippendorff", "matplotlib")
_POLL_S = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``otel-labelstudio demo``."""
    names = [page.name for page in PAGES]
    parser.add_argument("--only", choices=names, help="only this page (default: all, each in a project of its own)")
    parser.add_argument("--port", metavar="NUMBER", type=_port, help="Label Studio's port (default: a free one)")
    parser.add_argument(
        "--data-dir",
        metavar="FOLDER",
        type=Path,
        help="keep Label Studio's data here (default: delete them at the end)",
    )
    parser.add_argument(
        "--label", action="store_true", help="label yourself: wait for it before the dataset and the report are written"
    )
    parser.add_argument(
        "--output", metavar="FOLDER", type=Path, default=Path(), help="where demo-labels-... is made (default: here)"
    )
    parser.add_argument("--once", action="store_true", help="end when all is written, instead of staying until Ctrl-C")


def run(arguments: argparse.Namespace) -> int:
    """The demo, from the installation to Ctrl-C."""
    _ensure_extra()
    try:
        _demonstrate(arguments)
    except BrokenPipeError:  # of the output, by which `main` ends without a word
        raise
    except OSError as error:  # no space, no permission, a file where a directory is needed
        raise DemoError(str(error)) from error
    return 0


def _demonstrate(arguments: argparse.Namespace) -> None:
    with _ended_by_sigterm(), EmbeddedLabelStudio(arguments.data_dir, arguments.port) as server:
        shown = [show(server, page) for page in PAGES if arguments.only in (None, page.name)]
        _print_projects(server, shown)
        _come_back(server, [one for one in shown if one.page.has_layout or arguments.label], arguments)
        if not arguments.once:
            _stay(server)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r} is no TCP port")
    return int(text)


def _ensure_extra() -> None:
    for module in _NEEDED:
        if not _is_installed(module):
            raise DemoError(f"{module} is missing: install the demo with pip install 'otel-labelstudio[demo]'")


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a package above it
        return False


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """A SIGTERM ends the demo as Ctrl-C does: with all that it started."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_projects(server: EmbeddedLabelStudio, shown: list[Shown]) -> None:
    print(f"\nLabel Studio  {server.url}\nLogin         {server.username}\nPassword      {server.password}")
    print(f"API key       {server.api_key}\n")
    for one in shown:
        print(f"{one.title}: {counted(one.task_count, 'task')}  {server.url}/projects/{one.project_id}/data")
    if earlier := sum(one.earlier_count for one in shown):
        print(f"\n{earlier} of these tasks are of an earlier demo: {server.data_dir} had its data.")
        print("To begin anew, delete that folder, or name another one with --data-dir.")
    sys.stdout.flush()


def _come_back(server: EmbeddedLabelStudio, projects: list[Shown], arguments: argparse.Namespace) -> None:
    """The way from labels to a dataset and a report; there is none where nobody labels anything."""
    if not projects:
        return
    if not arguments.label:
        count = sum(label_project(server, project.project_id) for project in projects)
        print(f"\n{_labeled(count)}; label yourself with --label.", flush=True)
    elif not _is_labeled():
        _say_how_to_come_back(server, projects, arguments)
        return
    directory = new_directory(arguments.output)
    write_results(server, projects, directory)
    print(f"Dataset       {directory / DATASET}\nReport        {directory / REPORT}", flush=True)


def _labeled(count: int) -> str:
    if count:
        return f"A scripted labeler has worked on {counted(count, 'task')}"
    return "The scripted labeler left these projects alone, as there are labels in them"


def _is_labeled() -> bool:
    """Once somebody has pressed Enter; False where nobody can."""
    print("\nLabel some tasks of these projects, then press Enter here: ", end="", flush=True)
    return bool(sys.stdin.readline())


def _say_how_to_come_back(server: EmbeddedLabelStudio, projects: list[Shown], arguments: argparse.Namespace) -> None:
    """What Enter would have done, for a demo without a terminal."""
    if arguments.once:
        raise DemoError(
            "nobody can press Enter, as standard input has ended: run demo --label in a terminal, or without --once"
        )
    ids = " ".join(f"--project-id {project.project_id}" for project in projects)
    print(
        "\nNobody can press Enter here, as standard input has ended. Label some tasks in the browser, then run:"
        f"\n  export LABEL_STUDIO_URL={server.url} LABEL_STUDIO_API_KEY={server.api_key}"
        f"\n  otel-labelstudio dataset {DATASET} {ids}"
        f"\n  otel-labelstudio report {REPORT} {ids}",
        flush=True,
    )


def _stay(server: EmbeddedLabelStudio) -> None:
    try:
        print(f"\nCtrl-C stops Label Studio; its data in {server.data_dir} {_fate(server)}.", flush=True)
        while server.process.poll() is None:
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return
    raise DemoError(f"Label Studio ended by itself with status {server.process.returncode}; see {server.log}")


def _fate(server: EmbeddedLabelStudio) -> str:
    return "are then deleted (keep them with --data-dir)" if server.is_passing else "stay"
