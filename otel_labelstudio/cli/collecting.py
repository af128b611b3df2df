"""Where annotations come from, as flags: what the commands of the way back share.

A command's ``add_arguments`` calls `add_collecting_arguments`; its ``run`` goes::

    with opened_source(options) as source:
        for batch in collect(source, since=since_of(options, watermarks), watermarks=watermarks):
            ...

where the watermarks are those of the last batch of each project that the last run took in, by the project's id.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from otel_labelstudio.annotations.collecting import ExportFile, LabelStudioSource, Since, Source
from otel_labelstudio.annotations.times import utc
from otel_labelstudio.cli.settings import SERVER, add_setting_arguments, settings_from
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.servers import server_of
from otel_labelstudio.settings import Settings

_EVERYTHING = "all"


def add_collecting_arguments(
    parser: argparse.ArgumentParser,
    settings: tuple[str, ...] = SERVER,
    *,
    since: str = "since the last run, if any",
) -> None:
    """``--project-id``, ``--project-name``, ``--input``, ``--since``, and the settings, by default which server;
    ``since`` says what is read without that flag."""
    group = parser.add_argument_group("annotations", "of projects, or of a file; the API key is LABEL_STUDIO_API_KEY")
    group.add_argument(
        "--project-id", dest="project_ids", type=int, action="append", default=[], metavar="ID", help="may be repeated"
    )
    group.add_argument(
        "--project-name",
        dest="project_names",
        action="append",
        default=[],
        metavar="NAME",
        help="exact title, of all projects that have it, or one as the exporter takes it, such as Support %%Y-%%m-%%d, "
        "of those of all days; may be repeated",
    )
    group.add_argument("--input", metavar="FILE", help="an export of Label Studio as JSON, or a task a line; no server")
    group.add_argument(
        "--since",
        type=_since,
        metavar="TIME",
        help=f"what changed since then: a date or time (ISO 8601, UTC unless it has a zone), or all; default: {since}",
    )
    add_setting_arguments(parser, settings)


@contextmanager
def opened_source(options: argparse.Namespace) -> Iterator[Source]:
    """The source that the flags name; raises `ConfigError`."""
    if options.input:
        if options.project_ids or options.project_names:
            raise ConfigError("--input takes all tasks of a file: leave out --project-id and --project-name")
        yield ExportFile(options.input)
        return
    settings = settings_from(options)
    server = server_of(settings)
    try:
        yield LabelStudioSource(server, *_projects(options, settings))
    finally:
        server.close()


def since_of(options: argparse.Namespace, watermarks: Since = None) -> Since:
    """From when on: what ``--since`` says, else the watermarks of the last run, by project."""
    if options.since is None:
        return watermarks
    return None if options.since == _EVERYTHING else options.since


def _projects(options: argparse.Namespace, settings: Settings) -> tuple[list[int], list[str]]:
    """By ids and by titles; where no flag names any, the environment's project."""
    if options.project_ids or options.project_names:
        return options.project_ids, options.project_names
    if settings.project_id is not None:
        return [settings.project_id], []
    raise ConfigError("name the projects: --project-id or --project-name, each as often as need be, or --input")


def _since(value: str) -> datetime | str:
    if value == _EVERYTHING:
        return value
    try:
        return utc(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{value!r} is no date or time (ISO 8601)") from None
