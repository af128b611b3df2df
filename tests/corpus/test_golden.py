"""A few tasks with their calls whole, as a person has reviewed them; README.md says how to write them anew."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from otel_labelstudio import read_calls
from otel_labelstudio.outbox.serialization import key_of
from otel_labelstudio.tasks.binding import Mode, binding_from_label_config, default_label_config
from otel_labelstudio.tasks.build import build_task

GOLDEN = Path(__file__).parent / "golden"

# Each shows a form of its own
SCENARIOS = (
    "anthropic-sdk-native-2.12.0/x_anthropic_thinking",  # reasoning
    "azure-ai-inference-1.0.0b9/c_tools",  # an event a message, on the span
    "google-adk-1.14.1/c_agent_tools",  # a vendor's own request and response
    "handwritten-structured/evaluation_structured",  # structured values
    "langfuse-openai/e_n2",  # choices
    "mixC-langchain/a_completion",  # a legacy completion that two instrumentations saw
    "off-genai-openai-1.3b0-event_only/x_anthropic_tools",  # the conventions' details event
    "off-openai-v2-2.4b0-nooptin-true/d_stream_abandoned",  # an event a message, as log records; a broken stream
    "oi-langchain-0.1.80-limits/l_long",  # attributes cut at a length
    "oi-openai-0.1.66/i_completion_2prompts_n2",  # prompts with choices of their own
    "openlit-1.45.0-langchain/h_async",  # log records whose span never came
    "pydantic-ai-2.68.0-v6/b_agent_instructions_history",  # a variant of the conventions
    "tl-langchain-0.40.14/c_tools_parallel",  # flat numbered keys
    "tl-langchain-0.62.4/l_anthropic",  # the current conventions, one call after another
    "vercel-ai-5/g_image",  # media; a wrapper and its inner span
)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_recording_gives_the_reviewed_tasks(scenario: str, corpus: Path) -> None:
    """Every field of every task, and of the call in its meta, is as it was when a person looked at it."""
    paths = sorted((corpus / scenario).glob("*.pb"))
    assert paths, "no such recording"
    binding = binding_from_label_config(default_label_config(Mode.AUTO))
    tasks = [build_task(call, binding, call_id=key_of(call)).to_dict() for call in read_calls(paths)]
    file = GOLDEN / f"{scenario.replace('/', '--')}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        file.write_text(json.dumps(tasks, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert tasks == json.loads(file.read_text(encoding="utf-8"))


def test_no_golden_file_is_left_over() -> None:
    """Each golden file belongs to a scenario that is still tested."""
    assert {file.stem for file in GOLDEN.glob("*.json")} == {name.replace("/", "--") for name in SCENARIOS}
