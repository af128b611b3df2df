"""What a notebook or a job imports."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module


def test_every_public_name_can_be_imported() -> None:
    """``__all__`` is sorted, and each of its lazy names is what it says, whatever was imported before it."""
    package = import_module("otel_labelstudio.annotations")
    assert package.__all__ == sorted(package.__all__)
    assert all(getattr(package, name).__name__ == name for name in package.__all__)


def test_the_exporter_does_not_import_it() -> None:
    """Nobody who sends calls pays for the way back."""
    code = "import sys, otel_labelstudio as o; o.LabelStudioSpanExporter; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "otel_labelstudio.exporter" in loaded
    assert not [name for name in loaded if name.startswith("otel_labelstudio.annotations")]
