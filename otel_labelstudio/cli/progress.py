"""How far a command is, on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress, ProgressColumn


def shown_progress(*columns: ProgressColumn) -> Progress:
    """Bars that a terminal shows while the command runs; a log, or the mail of a cron job, gets none."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
