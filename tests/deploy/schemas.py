"""The published schemas of Compose files and of Kubernetes' objects, out of the packages that carry them: Compose's own
library for Go, and a validator for Kubernetes in Python, of which the schemas alone are read."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from tests.cached import cached
from tests.missing import missing

_COMPOSE = "github.com/compose-spec/compose-go/v2@v2.9.0"
_KUBERNETES = "kubernetes-validate==1.37.0"
# The oldest that is supported when this is written, and the newest
KUBERNETES_VERSIONS = ("1.34.0", "1.37.0")
_TIMEOUT_S = 600


def compose_schema() -> dict[str, Any]:
    """That of Compose files."""
    if shutil.which("go") is None:
        missing("Go, which fetches the schema of Compose files,")

    def install(directory: Path) -> None:
        fetched = subprocess.run(
            ["go", "mod", "download", "-json", _COMPOSE], capture_output=True, check=True, timeout=_TIMEOUT_S
        )
        shutil.copy(Path(json.loads(fetched.stdout)["Dir"]) / "schema" / "compose-spec.json", directory)

    directory = _fetched("compose-schema", _COMPOSE, install)
    schema: dict[str, Any] = json.loads((directory / "compose-spec.json").read_text(encoding="utf-8"))
    return schema


def errors_of_kubernetes(version: str, thing: Mapping[str, Any]) -> list[str]:
    """What the strict schema of its kind has against an object; a field that nobody knows is an error."""
    with zipfile.ZipFile(next(_kubernetes_package().glob("*.whl"))) as package:
        prefix = f"kubernetes_validate/kubernetes-json-schema/v{version}-local-strict/"

        def schema_named(uri: str) -> Resource[Any]:
            return Resource.from_contents(json.loads(package.read(prefix + Path(uri).name)), DRAFT7)

        group, _, api_version = thing["apiVersion"].rpartition("/")
        name = "-".join(part for part in (thing["kind"].lower(), group.partition(".")[0], api_version) if part)
        registry: Registry[Any] = Registry(retrieve=schema_named)  # type: ignore[call-arg]
        validator = Draft202012Validator({"$ref": f"{name}.json"}, registry=registry)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(thing)]


def _kubernetes_package() -> Path:
    def install(directory: Path) -> None:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*pip, f"--dest={directory}", _KUBERNETES], check=True, timeout=_TIMEOUT_S)

    return _fetched("kubernetes-schemas", _KUBERNETES, install)


def _fetched(name: str, what: str, install: Any) -> Path:
    try:
        return cached(name, what.encode(), install)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        missing(f"a package index that has {what}")
