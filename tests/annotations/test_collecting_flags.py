"""The flags by which the commands of the way back are told where annotations come from."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from otel_labelstudio.annotations.collecting import ExportFile, LabelStudioSource
from otel_labelstudio.cli.collecting import add_collecting_arguments, opened_source, since_of
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.errors import ConfigError
from tests.delivery.labeling import Labeling, fresh_title


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_collecting_arguments(parser)
    return parser.parse_args(arguments)


def test_a_file_needs_no_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor a key; of which projects it is, it says itself."""
    monkeypatch.delenv("LABEL_STUDIO_API_KEY", raising=False)
    with opened_source(parsed("--input", str(tmp_path / "export.json"))) as source:
        assert isinstance(source, ExportFile)
    with (
        pytest.raises(ConfigError, match="leave out --project-id"),
        opened_source(parsed("--input", "x", "--project-id", "1")),
    ):
        pass


def test_projects_by_id_and_by_title(
    label_studio: EmbeddedLabelStudio, labeling: Labeling, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several of both; without any, the environment's id, else an error that says what to do."""
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", label_studio.api_key)
    monkeypatch.setenv("LABEL_STUDIO_URL", label_studio.url)
    titles = [fresh_title("flags"), fresh_title("flags")]
    first, second = (labeling.make_project(title) for title in titles)
    with opened_source(parsed("--project-id", str(second), "--project-name", titles[0])) as source:
        assert isinstance(source, LabelStudioSource)
        assert [project.id for project in source.projects()] == [second, first]
    with pytest.raises(ConfigError, match="name the projects"), opened_source(parsed()):
        pass
    monkeypatch.setenv("LABEL_STUDIO_PROJECT_ID", str(first))
    with opened_source(parsed()) as source:
        assert isinstance(source, LabelStudioSource)
        assert [project.title for project in source.projects()] == [titles[0]]


@pytest.fixture
def far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine in Tokyo."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_from_utc")
def test_since(capsys: pytest.CaptureFixture[str]) -> None:
    """A time beats the last run's watermarks, and so does ``all``; one without a zone is in UTC, wherever the machine
    stands."""
    watermarks = {1: datetime(2026, 11, 1, tzinfo=timezone.utc)}
    assert since_of(parsed(), watermarks) == watermarks
    assert since_of(parsed()) is None
    assert since_of(parsed("--since", "all"), watermarks) is None
    assert since_of(parsed("--since", "2026-11-26T10:00:00Z"), watermarks) == datetime(
        2026, 11, 26, 10, tzinfo=timezone.utc
    )
    assert since_of(parsed("--since", "2026-11-26")) == datetime(2026, 11, 26, tzinfo=timezone.utc)
    with pytest.raises(SystemExit):
        parsed("--since", "yesterday")
    assert "'yesterday' is no date or time (ISO 8601)" in capsys.readouterr().err
