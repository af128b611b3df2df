"""What deploy/ holds does what it is for: the image is built and run, the systemd unit looked through by systemd."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.delivery.pipelines import until
from tests.missing import missing
from tests.receiver.container_image import built_image
from tests.receiver.requests_made import traces
from tests.receiver.serving import post

REPOSITORY = Path(__file__).parents[2]
UNIT = REPOSITORY / "deploy" / "otel-labelstudio.service"
# 1.5 of 10: what is left is the network, which a receiver needs
MOST_EXPOSURE = 20


def need(*programs: str) -> None:
    """Programs without which the test cannot be run."""
    for program in programs:
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            missing(program)


@pytest.mark.slow
def test_the_container_image(tmp_path: Path) -> None:
    """It is built as it stands; run as its user, it asks for the tokens, stores, and ends with 0 on its stop signal."""
    need("buildah", "debootstrap", "chroot", "unshare")
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], check=False).returncode != 0:
        pytest.skip("building in a chroot takes root, and the right to mount")
    (tmp_path / "tokens").write_text("right\n", encoding="utf-8")
    environment = {
        "LABEL_STUDIO_URL": "http://127.0.0.1:9",
        "LABEL_STUDIO_API_KEY": "key",
        "OTEL_LABELSTUDIO_RECEIVER_GRPC": "0.0.0.0:0",
        "OTEL_LABELSTUDIO_RECEIVER_HTTP": "0.0.0.0:0",
        "OTEL_LABELSTUDIO_RECEIVER_STOP_TIMEOUT_S": "1",
    }
    body = traces("In a container?").SerializeToString()
    with built_image() as image:
        assert image.config()["User"].isdigit()
        with image.container(environment, {tmp_path / "tokens": "/run/secrets/tokens"}) as container:
            url = container.http.replace("0.0.0.0", "127.0.0.1")
            assert post(f"{url}/v1/traces", body)[0] == 401
            assert post(f"{url}/v1/traces", body, Authorization="Bearer right")[0] == 200
            until(lambda: post(f"{url}/readyz", b"", method="GET")[0] == 200)  # the disk has just taken the image
            assert image.stop(container) == 0
            assert "The outbox /var/lib/otel-labelstudio/outbox.db keeps 1 call " in str(container.log)


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """It has no word to say against it, once the command is there."""
    need("systemd-analyze")
    command = Path(sys.executable).with_name("otel-labelstudio")
    unit = tmp_path / UNIT.name
    unit.write_text(
        UNIT.read_text(encoding="utf-8").replace("/opt/otel-labelstudio/bin/otel-labelstudio", str(command))
    )
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


def test_the_unit_is_locked_up() -> None:
    """By systemd's own measure of what a service could do to its machine."""
    need("systemd-analyze")
    analyzed = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert analyzed.returncode == 0, analyzed.stdout
