"""To which projects earlier runs of `send` have sent, by server and destination: a project that was renamed since is
found by its id, and what is in it is not sent again.

That is kept in an outbox file of its own, in which nothing waits. Where the settings name an application's outbox, what
that remembers counts as well, if it has the present format: a recording may hold what the application has delivered.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from otel_labelstudio.errors import LabelStudioExportError
from otel_labelstudio.outbox import Outbox
from otel_labelstudio.outbox.opening import format_of_file
from otel_labelstudio.outbox.schema import FORMAT_VERSION
from otel_labelstudio.printable import printable
from otel_labelstudio.settings import Settings

PATH = "~/.local/state/otel-labelstudio/sent.db"


class SentBefore:
    """For the server of the settings. A file that cannot be used is a line on standard error, and remembers nothing."""

    def __init__(self, settings: Settings) -> None:
        self._server = f"{settings.url} "
        self._path = Path(os.path.expanduser(PATH))
        self._known: set[tuple[str, int]] = set()
        self._has_failed = False
        with self._usable(), self._opened() as outbox:
            self._known = {
                (destination.removeprefix(self._server), project_id)
                for destination, project_id in outbox.sent_to.all()
                if destination.startswith(self._server)
            }
        self._of_application = _of_application(settings.outbox)

    def all(self) -> set[tuple[str, int]]:
        """Destinations, each with the id of a project to which calls of it were sent."""
        return self._known | self._of_application

    def remember(self, sent: Collection[tuple[str, int]]) -> None:
        """These too, from now on."""
        news = set(sent) - self._known
        self._known |= news
        if news:
            with self._usable(), self._opened() as outbox:
                for destination, project_id in news:
                    outbox.sent_to.note(f"{self._server}{destination}", project_id)

    @contextmanager
    def _opened(self) -> Iterator[Outbox]:
        if not self._path.is_absolute():
            raise OSError(errno.ENOENT, "there is no home directory")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(self._path) as outbox:
            yield outbox

    @contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except (LabelStudioExportError, OSError) as error:
            why = error if isinstance(error, LabelStudioExportError) else error.strerror or type(error).__name__
            line = f"otel-labelstudio: {self._path} cannot be used, and a renamed project will not be found ({why})"
            if not self._has_failed:
                print(printable(line), file=sys.stderr)
            self._has_failed = True


@contextmanager
def _opened(path: Path, *, is_read_only: bool = False) -> Iterator[Outbox]:
    outbox = Outbox(str(path), max_calls=1, max_bytes=1, is_read_only=is_read_only)
    try:
        yield outbox
    finally:
        outbox.close()


def _of_application(path: str | None) -> set[tuple[str, int]]:
    """Nothing where its format is older: all of it would have to be read into memory."""
    with suppress(LabelStudioExportError):
        if path is not None and os.path.isfile(path) and format_of_file(path) == FORMAT_VERSION:
            with _opened(Path(path), is_read_only=True) as outbox:
                return outbox.sent_to.all()
    return set()
