"""The command ``otel-labelstudio``: one module a command, each with ``add_arguments`` and ``run``.

``run`` is given the options, and in them ``usage_error``, which ends the command for an option that does not apply.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import shtab

from otel_labelstudio import __version__
from otel_labelstudio.cli.examples import EXAMPLES
from otel_labelstudio.errors import LabelStudioExportError
from otel_labelstudio.printable import printable

COMMANDS = ("demo", "check", "serve", "convert", "send", "outbox", "dataset", "feedback", "report")

# What an argument is called in the help, and what shells complete it with
_COMPLETED = {
    **dict.fromkeys(("FILE", "INPUT", "OUT", "XML|FILE"), shtab.FILE),
    **dict.fromkeys(("FOLDER", "OUT_DIR"), shtab.DIRECTORY),
}


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    root = argparse.ArgumentParser(
        prog="otel-labelstudio",
        description="Traced LLM calls to Label Studio tasks.",
        epilog="otel-labelstudio COMMAND --help says more, with examples. Exit status: 0 success, 1 a failure that is "
        "explained on standard error, 2 a wrong command line.",
    )
    root.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    shtab.add_argument_to(root, help="print a script that completes this command in your shell, see the README")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        _add_command(commands, name)
    return root


def _add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str) -> None:
    module = importlib.import_module(f"otel_labelstudio.cli.{name}")
    purpose = (module.__doc__ or "").strip()
    examples = "\n".join(f"  otel-labelstudio {name} {example}".rstrip() for example in EXAMPLES.get(name, ()))
    command = commands.add_parser(
        name,
        help=purpose.splitlines()[0],
        description=purpose,
        epilog=f"examples:\n{examples}" if examples else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "-v", "--verbose", action="store_true", help="log what happens, such as each request to Label Studio"
    )
    module.add_arguments(command)
    for action in command._actions:
        if action.metavar in _COMPLETED:
            action.complete = _COMPLETED[action.metavar]  # type: ignore[attr-defined]
    command.set_defaults(run=module.run, usage_error=command.error)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status. 1 is a failure that was explained on standard error, 2 a wrong command line."""
    options = parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO if options.verbose else logging.WARNING, format="%(message)s", stream=sys.stderr
    )
    try:
        status: int = options.run(options)
    except LabelStudioExportError as error:
        print(printable(f"otel-labelstudio: {error}"), file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe has seen enough
        _write_to_nobody()
        return 1
    except KeyboardInterrupt:
        return 130
    return status


def _write_to_nobody() -> None:
    """At its end Python writes what is left in its buffers; that nobody reads it is neither a word nor a status."""
    sys.stderr.close()
    with suppress(OSError, ValueError):  # an output that is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
