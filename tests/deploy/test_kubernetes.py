"""The Kubernetes manifests: valid by the published schemas, consistent, and their commands work as processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from tests.delivery.labeling import Labeling
from tests.deploy.containers import DEPLOY, Container, Stage, image
from tests.deploy.schemas import KUBERNETES_VERSIONS, errors_of_kubernetes
from tests.ports import steady_port

THINGS: list[dict[str, Any]] = list(
    yaml.safe_load_all((DEPLOY / "kubernetes" / "otel-labelstudio.yaml").read_text(encoding="utf-8"))
)
SETS = {thing["metadata"]["name"]: thing for thing in THINGS if thing["kind"] == "StatefulSet"}
SERVE, COLLECTOR = "otel-labelstudio", "otel-labelstudio-collector"
TOKEN = "a-token-of-the-test"


def pod(name: str) -> dict[str, Any]:
    """A set's template."""
    found: dict[str, Any] = SETS[name]["spec"]["template"]["spec"]
    return found


def container(name: str, secrets: dict[str, str]) -> Container:
    """What the set says of its only container."""
    (said,) = pod(name)["containers"]
    environment = {
        one["name"]: one["value"] if "value" in one else secrets[one["valueFrom"]["secretKeyRef"]["key"]]
        for one in said["env"]
    }
    return Container(tuple(said["args"]), environment)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_they_are_valid(version: str) -> None:
    """By the strict schemas of two versions of Kubernetes; a field that is misspelt would be none."""
    errors = {f"{thing['kind']} {thing['metadata']['name']}": errors_of_kubernetes(version, thing) for thing in THINGS}
    assert {name: found for name, found in errors.items() if found} == {}
    assert errors_of_kubernetes(version, {**THINGS[1], "spec": {"prots": []}})


@pytest.mark.parametrize("name", SETS)
def test_names_fit_each_other(name: str) -> None:
    """Services find their pods and ports, mounts their volumes, probes their ports; one pod, that is not root."""
    thing, template = SETS[name], SETS[name]["spec"]["template"]
    (service,) = [one for one in THINGS if one["kind"] == "Service" and one["metadata"]["name"] == name]
    labels = template["metadata"]["labels"]
    assert service["spec"]["selector"] == thing["spec"]["selector"]["matchLabels"] == labels
    assert thing["spec"]["serviceName"] == name
    (said,) = template["spec"]["containers"]
    ports = {port["name"] for port in said["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    assert {said[probe]["httpGet"]["port"] for probe in ("readinessProbe", "livenessProbe")} <= ports
    volumes = {one["name"] for one in template["spec"]["volumes"]}
    volumes |= {one["metadata"]["name"] for one in thing["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in said["volumeMounts"]} == volumes
    assert thing["spec"]["replicas"] == 1
    assert template["spec"]["securityContext"]["runAsNonRoot"]
    assert said["securityContext"]["readOnlyRootFilesystem"]


def test_the_image_finds_what_it_looks_for() -> None:
    """Its outbox on the volume, its tokens in the secret."""
    (said,) = pod(SERVE)["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in said["volumeMounts"]}
    environment = image().environment
    assert environment["OTEL_EXPORTER_LABELSTUDIO_OUTBOX"].startswith(mounts["calls"] + "/")
    assert environment["OTEL_LABELSTUDIO_RECEIVER_BEARER_TOKENS"] == mounts["tokens"] + "/tokens"


def test_calls_come_from_the_collector_to_label_studio(
    otelcol: Path, tmp_path: Path, label_studio: EmbeddedLabelStudio
) -> None:
    """Its commands, variables and configuration, as processes."""
    (configuration,) = [thing["data"]["receiver.toml"] for thing in THINGS if thing["kind"] == "ConfigMap"]
    label_studio_url = "http://label-studio.default.svc.cluster.local:8080"
    assert label_studio_url in configuration
    moved = configuration.replace(label_studio_url, label_studio.url)
    (tmp_path / "receiver.toml").write_text(moved, encoding="utf-8")
    (tmp_path / "tokens").write_text(f"{TOKEN}\n", encoding="utf-8")
    http = f"127.0.0.1:{steady_port()}"
    places = {
        "http://otel-labelstudio:4318": f"http://{http}",
        "/etc/otel-labelstudio": str(tmp_path),
        "/var/lib/otel-labelstudio": str(tmp_path),
        "/run/secrets": str(tmp_path),
        "/var/lib/otelcol": str(tmp_path / "queue"),
        "0.0.0.0:4318": http,
        "0.0.0.0:4317": "127.0.0.1:0",
    }
    secrets = {"api-key": label_studio.api_key, "token": TOKEN}
    stage = Stage(otelcol, tmp_path, Labeling(label_studio.url, label_studio.api_key), places)
    stage.check_calls_arrive(container(SERVE, secrets), container(COLLECTOR, secrets))
