"""The image of deploy/Containerfile, built and run without a container engine: buildah in a chroot, as root.

No registry of images is asked. The base image is a Debian with its own Python 3.13 in place of python:3.13-slim.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.receiver.serving import Process

REPOSITORY = Path(__file__).parents[2]
CONTAINERFILE = REPOSITORY / "deploy" / "Containerfile"
_DEBIAN = "trixie"
_IMAGE = "otel-labelstudio"


class ContainerImage:
    """``made_in`` is a directory that is thrown away afterwards."""

    def __init__(self, made_in: Path) -> None:
        self._made_in = made_in
        self._buildah = [
            "buildah",
            f"--root={made_in / 'storage'}",
            f"--runroot={made_in / 'run'}",
            "--storage-driver=vfs",
        ]

    def build(self) -> None:
        """The base image, and on it the Containerfile's."""
        (base,) = (line.split()[1] for line in CONTAINERFILE.read_text().splitlines() if line.startswith("FROM"))
        tree = self._made_in / "tree"
        _run("debootstrap", "--variant=minbase", "--include=ca-certificates,python3-venv", _DEBIAN, str(tree))
        # As in the real one, python and pip are in /usr/local and take packages for all
        _run("chroot", str(tree), "python3", "-m", "venv", "/usr/local")
        (self._made_in / "Containerfile").write_text(
            "FROM scratch\nADD tree /\nENV PATH=/usr/local/bin:/usr/sbin:/usr/bin\n"
        )
        self._build(base, str(self._made_in))
        shutil.rmtree(tree)
        # What the machine's package index is known by
        certificates = "--volume=/etc/ssl/certs:/etc/ssl/certs:ro"
        self._build(_IMAGE, f"--file={CONTAINERFILE}", certificates, str(REPOSITORY))

    def config(self) -> dict[str, Any]:
        """What the image says of itself, as the OCI's image specification names it."""
        said = _run(*self._buildah, "inspect", "--type=image", _IMAGE)
        config: dict[str, Any] = json.loads(said)["OCIv1"]["config"]
        return config

    @contextmanager
    def container(self, environment: Mapping[str, str], mounts: Mapping[Path, str]) -> Iterator[Process]:
        """A container's process: the image's entry point, as the image's user, on the machine's network."""
        name = _run(*self._buildah, "from", "--pull-never", _IMAGE).strip()
        given = [f"--env={key}={value}" for key, value in environment.items()]
        given += [f"--volume={source}:{target}:ro" for source, target in mounts.items()]
        command = [*self._buildah, "run", "--isolation=chroot", *given, name, "--", *self.config()["Entrypoint"]]
        process = Process(command)
        try:
            yield process
        finally:
            if process.process.poll() is None:
                os.kill(_innermost(process.process.pid), signal.SIGKILL)
            process.kill()

    def stop(self, container: Process) -> int:
        """Send the image's stop signal to what runs inside, as an engine does; the exit status."""
        os.kill(_innermost(container.process.pid), signal.Signals[self.config()["StopSignal"]])
        return container.exit_status()

    def _build(self, tag: str, *arguments: str) -> None:
        _run(*self._buildah, "build", "--isolation=chroot", "--pull-never", f"--tag={tag}", *arguments)


@contextmanager
def built_image() -> Iterator[ContainerImage]:
    """A gigabyte in a temporary directory, for as long as it is used."""
    with tempfile.TemporaryDirectory() as directory:
        image = ContainerImage(Path(directory))
        image.build()
        yield image


def _innermost(pid: int) -> int:
    """The last of the processes that started each other, of which ``pid`` is the first."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text(encoding="ascii").split()]
    return _innermost(children[-1]) if children else pid


def _run(*command: str) -> str:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500, check=False, env=environment)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout
