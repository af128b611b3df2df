"""The Compose file: valid by the published schema, its commands work as processes, its variables are known."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft7Validator

from otel_labelstudio.demo.environment import installed_environment
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.labeling import Labeling
from tests.deploy.containers import DEPLOY, Container, Stage
from tests.deploy.schemas import compose_schema
from tests.ports import steady_port

FOLDER = DEPLOY / "compose"
TEXT = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
FILE = yaml.safe_load(TEXT)
TOKEN = "a-token-of-the-test"


def container(service: str, given: dict[str, str]) -> Container:
    """What the file says of a service, with the variables of .env filled in."""
    said = FILE["services"][service]
    filled = {
        name: re.sub(r"\$\{(\w+)(?::\?[^}]*)?\}", lambda found: given[found.group(1)], str(value))
        for name, value in said["environment"].items()
    }
    return Container(tuple(said["command"]), filled)


def test_it_is_valid() -> None:
    """By the schema of Compose files, as Compose's own library carries it."""
    assert [
        f"{error.json_path}: {error.message}" for error in Draft7Validator(compose_schema()).iter_errors(FILE)
    ] == []


def test_nothing_that_it_names_is_missing() -> None:
    """Files and folders of the checkout, volumes, secrets; every port is this machine's alone."""
    services: dict[str, dict[str, Any]] = FILE["services"]
    build = services["serve"]["build"]
    assert (FOLDER / build["context"] / build["dockerfile"]).is_file()
    for service in services.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in FILE["volumes"] or (FOLDER / source).is_dir()
        assert set(service.get("secrets", ())) <= set(FILE["secrets"])
        assert set(service.get("depends_on", ())) <= set(services)
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_make_env_draws_all_that_is_asked_for(tmp_path: Path) -> None:
    """Each variable of the file, each time other ones, for the owner's eyes; what is there is kept."""
    drawn = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        script = shutil.copy(FOLDER / "make-env.sh", tmp_path / name)
        for _ in range(2):
            subprocess.run([script], check=True, capture_output=True)
            drawn.append((tmp_path / name / ".env").read_text(encoding="utf-8"))
        assert (tmp_path / name / ".env").stat().st_mode & 0o777 == 0o600
    assert (drawn[0], drawn[2]) == (drawn[1], drawn[3])
    values = [dict(line.split("=", 1) for line in text.splitlines()) for text in (drawn[0], drawn[2])]
    assert set(values[0]) == set(re.findall(r"\$\{(\w+)", TEXT)) | {FILE["secrets"]["tokens"]["environment"]}
    secret = set(values[0]) - {"LABEL_STUDIO_USERNAME"}
    assert all(values[0][name] != values[1][name] and len(values[0][name]) == 40 for name in secret)


def test_label_studio_reads_the_variables() -> None:
    """Each of them stands in the code of the Label Studio whose image is named: a misspelt one would do nothing."""
    image = FILE["services"]["label-studio"]["image"]
    environment = installed_environment()
    (package,) = environment.directory.glob("venv/lib/python*/site-packages/label_studio")
    assert image.endswith(f":{_version_beside(package)}")
    code = "".join(
        file.read_text(encoding="utf-8") for file in (package / "core/settings/base.py", package / "server.py")
    )
    for name in FILE["services"]["label-studio"]["environment"]:
        assert f"'{name}'" in code or f"'{name.removeprefix('LABEL_STUDIO_')}'" in code, name


def _version_beside(package: Path) -> str:
    (metadata,) = package.parent.glob("label_studio-*.dist-info")
    return metadata.name.removeprefix("label_studio-").removesuffix(".dist-info")


def test_calls_come_from_the_collector_to_label_studio(
    otelcol: Path, tmp_path: Path, label_studio: EmbeddedLabelStudio
) -> None:
    """Its commands and variables, as processes."""
    (tmp_path / "tokens").write_text(f"{TOKEN}\n", encoding="utf-8")
    http = f"127.0.0.1:{steady_port()}"
    places = {
        "http://label-studio:8080": label_studio.url,
        "http://serve:4318": f"http://{http}",
        "/var/lib/otel-labelstudio": str(tmp_path),
        "/run/secrets": str(tmp_path),
        "/var/lib/otelcol": str(tmp_path / "queue"),
        "0.0.0.0:4318": http,
        "0.0.0.0:4317": "127.0.0.1:0",
    }
    given = {"LABEL_STUDIO_API_KEY": label_studio.api_key, "OTEL_LABELSTUDIO_TOKEN": TOKEN}
    stage = Stage(otelcol, tmp_path, Labeling(label_studio.url, label_studio.api_key), places)
    stage.check_calls_arrive(container("serve", given), container("collector", given))
