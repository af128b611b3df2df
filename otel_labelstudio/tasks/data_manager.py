"""The list of tasks that people see first: which columns it shows, and which it hides.

Label Studio's own list begins with the prompt as raw JSON and has a column for everything. A view that is there before
anybody opens the project takes its place; columns that are hidden can still be filtered and sorted by.
"""

from __future__ import annotations

from typing import Any

from otel_labelstudio.tasks.binding import Binding

# Of the facts in a task's data: what tells one call from another
_SHOWN = (
    "preview",
    "model",
    "service",
    "started_at",
    "latency_ms",
    "input_tokens",
    "output_tokens",
    "finish_reason",
    "incomplete",
    "error_type",
)
_HIDDEN_FACTS = ("provider", "operation", "conversation_id", "run_id", "trace_id", "span_id", "call_id")
# Label Studio's own columns; how far a task is, and by whom, stay
_STATE = ("total_annotations", "cancelled_annotations", "annotators")
_HIDDEN_OF_LABEL_STUDIO = (
    "id",
    "inner_id",
    "completed_at",
    "total_predictions",
    "annotations_results",
    "annotations_ids",
    "predictions_score",
    "predictions_model_versions",
    "predictions_results",
    "file_upload",
    "storage_filename",
    "created_at",
    "updated_at",
    "updated_by",
    "avg_lead_time",
    "draft_exists",
)
_WIDTHS = {"preview": 480, "model": 150, "service": 130, "started_at": 190}


def data_manager_view(binding: Binding) -> dict[str, Any]:
    """The view of a new project, as ``POST /api/dm/views/`` takes it below ``data``."""
    own = (binding.data_key, *(variable.name.partition("[")[0] for variable in binding.variables))
    of_config = [name for name in dict.fromkeys(own) if name not in _SHOWN]
    hidden = [f"tasks:{name}" for name in _HIDDEN_OF_LABEL_STUDIO]
    hidden += [f"tasks:data.{name}" for name in dict.fromkeys((*of_config, *_HIDDEN_FACTS))]
    beside_a_task = [f"tasks:data.{name}" for name in _SHOWN if name != "preview"]
    return {
        "title": "Calls",
        "type": "list",
        "target": "tasks",
        "hiddenColumns": {
            "explore": hidden,
            # While a task is open, its neighbours are a narrow list
            "labeling": hidden + beside_a_task + [f"tasks:{name}" for name in _STATE if name != "total_annotations"],
        },
        "columnsWidth": {f"tasks:data.{name}": width for name, width in _WIDTHS.items()},
    }
