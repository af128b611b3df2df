"""The command ``otel-labelstudio``: one module a command, each with ``add_arguments`` and ``run``."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence

from otel_labelstudio import __version__
from otel_labelstudio.errors import LabelStudioExportError
from otel_labelstudio.printable import printable

COMMANDS = ("demo", "check", "serve", "convert", "send", "outbox")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    root = argparse.ArgumentParser(prog="otel-labelstudio", description="Traced LLM calls to Label Studio tasks.")
    root.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"otel_labelstudio.cli.{name}")
        purpose = (module.__doc__ or "").strip()
        command = commands.add_parser(
            name,
            help=purpose.splitlines()[0],
            description=purpose,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return root


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status. 1 is a failure that was explained on standard error, 2 a wrong command line."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    options = parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except LabelStudioExportError as error:
        print(printable(f"otel-labelstudio: {error}"), file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130
    return status
