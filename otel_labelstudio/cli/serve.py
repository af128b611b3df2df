"""Receive OTLP, for applications in any language and for Collectors, and deliver its LLM calls to Label Studio.

OTLP over gRPC and HTTP (protobuf and JSON), traces and logs. A request is answered with success when it is on the
disk: what is answered is delivered, once, whatever happens to this process. Flags beat the environment, the environment
beats the file that --config names; that file alone has routes. Needs otel-labelstudio[receiver].

SIGTERM ends it with exit status 0.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from otel_labelstudio.cli.settings import add_flags, add_setting_arguments, settings_from
from otel_labelstudio.delivery.progress import ProgressLog
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.printable import logger
from otel_labelstudio.settings import VARIABLES

_logger = logger(__name__)

DEFAULT_OUTBOX = "~/.local/state/otel-labelstudio/outbox.db"
# A receiver holds what arrives while Label Studio is down; its outbox is a file
DEFAULTS = {"outbox": DEFAULT_OUTBOX, "outbox_max_calls": 100_000, "outbox_max_bytes": 2 * 2**30}
# A thread that reads must not keep the event loop from answering for long; Python's default is 5 ms
_SWITCH_INTERVAL_S = 0.0005
_PROGRESS_EVERY_S = 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from otel_labelstudio.receiver.settings import VARIABLES as RECEIVER_VARIABLES

    parser.add_argument("--config", metavar="FILE", help="TOML file: receiver, labelstudio, and routes")
    add_flags(parser, "receiver", RECEIVER_VARIABLES)
    add_setting_arguments(parser, (variable.name for variable in VARIABLES), DEFAULTS)


def run(options: argparse.Namespace) -> int:
    try:
        import uvloop

        from otel_labelstudio.receiver import server
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is missing: pip install 'otel-labelstudio[receiver]'") from None
    from otel_labelstudio.pipeline import Pipeline
    from otel_labelstudio.receiver.config_file import ConfigFile
    from otel_labelstudio.receiver.logs import write_log
    from otel_labelstudio.receiver.metrics import export_metrics
    from otel_labelstudio.receiver.settings import VARIABLES as RECEIVER_VARIABLES
    from otel_labelstudio.receiver.settings import ReceiverSettings

    file = ConfigFile.read(options.config)
    receiver = ReceiverSettings.resolve({v.name: getattr(options, v.name) for v in RECEIVER_VARIABLES}, file.receiver)
    settings = settings_from(options, fallbacks={**DEFAULTS, **file.labelstudio})
    routes = file.resolved_routes(settings)
    write_log(receiver.log_format, is_verbose=options.verbose)
    export_metrics()
    if settings.outbox is not None:
        _make_folder(Path(settings.outbox).parent)
    pipeline = Pipeline(settings, routes=routes, is_all_or_nothing=True)
    pipeline.joins_log_records = True
    _logger.info("Calls go to %s by way of %s.", settings.url, settings.outbox)

    progress = ProgressLog(pipeline.progress)

    async def serve() -> None:
        serving = server.ReceiverServer(receiver, pipeline)
        serving.heed_signals()
        logging_progress = asyncio.create_task(_log_progress(progress))
        try:
            await serving.serve()
        finally:
            logging_progress.cancel()

    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    try:
        uvloop.run(serve())
    finally:
        pipeline.close(receiver.stop_timeout_s)
        progress.log_what_moved()
    return 0


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or "cannot be made"
        raise ConfigError(f"outbox: there is no directory {folder} ({why}); make it, or name another file.") from None


async def _log_progress(progress: ProgressLog) -> None:
    """Once a minute, on a thread: the outbox may be waiting for the disk."""
    while True:
        await asyncio.sleep(_PROGRESS_EVERY_S)
        await asyncio.to_thread(progress.log_what_moved)
