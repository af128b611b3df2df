"""What is installed is what the repository holds."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def test_the_wheel_holds_everything(tmp_path: Path) -> None:
    """The labeling configurations, the type marker and the entry points are in it, and nothing of the tests is."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(REPOSITORY),
    ]
    subprocess.run(command, check=True, timeout=240)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        listed = archive.read(entry_points).decode()
    modules = {p.relative_to(REPOSITORY).as_posix() for p in (REPOSITORY / "otel_labelstudio").rglob("*.py")}
    data = {f"otel_labelstudio/{name}" for name in ("py.typed", "tasks/configs/chat.xml", "tasks/configs/prompt.xml")}
    layouts = ("style.css", *(f"{name}.{kind}" for name in ("review", "compare", "agent") for kind in ("xml", "html")))
    data |= {f"otel_labelstudio/tasks/layouts/{name}" for name in layouts}
    assert modules | data <= names
    assert not any(name.startswith(("tests/", "benchmarks/", "docs/")) for name in names)
    assert "otel-labelstudio = otel_labelstudio.cli:main" in listed
    assert "[opentelemetry_traces_exporter]" in listed
    assert "[opentelemetry_logs_exporter]" in listed
