"""A PostgreSQL server of the tests' own, from Debian's package: unprivileged, on loopback, with a data directory of its
own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import steady_port

_USER = "labelstudio"
_OPTIONS = "-c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off"


def installed() -> Path | None:
    """The directory of the server's programs, where Debian puts them or on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def postgresql(programs: Path) -> Iterator[dict[str, str]]:
    """A running server; yields the variables by which Label Studio uses it."""
    directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
    port = steady_port()
    run = _Unprivileged(directory)
    try:
        run(programs / "initdb", "-D", directory / "data", "-U", _USER, "--auth=trust", "--encoding=UTF8", "--no-sync")
        options = f"{_OPTIONS} -c port={port} -c unix_socket_directories={directory}"
        run(programs / "pg_ctl", "-D", directory / "data", "-l", directory / "log", "-o", options, "-w", "start")
        try:
            yield {
                "DJANGO_DB": "postgresql",
                "POSTGRE_HOST": "127.0.0.1",
                "POSTGRE_PORT": str(port),
                "POSTGRE_USER": _USER,
                "POSTGRE_PASSWORD": "",
                "POSTGRE_NAME": "postgres",
            }
        finally:
            run(programs / "pg_ctl", "-D", directory / "data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class _Unprivileged:
    """Runs programs of PostgreSQL, which refuses to run as root: there as Debian's user for it."""

    def __init__(self, directory: Path) -> None:
        self._user = pwd.getpwnam("postgres").pw_name if os.geteuid() == 0 else None
        self._directory = directory
        if self._user:
            shutil.chown(directory, self._user)

    def __call__(self, *command: object) -> None:
        with (self._directory / "commands.log").open("ab") as log:
            subprocess.run(
                [*map(str, command)], check=True, user=self._user, stdout=log, stderr=log, cwd=self._directory
            )
