"""What of the application's calls would come to Label Studio."""

from __future__ import annotations

import pytest
from support_bot import answer

from otel_labelstudio.testing import InMemoryLabelStudioExporter


@pytest.mark.parametrize("question", ["What is the capital of France?", "And its largest city?"])
def test_the_question_becomes_a_task(label_studio: InMemoryLabelStudioExporter, question: str) -> None:
    """With the dialogue, and the answer pre-filled."""
    assert answer(question) == "Paris."
    (task,) = label_studio.tasks
    assert [turn["role"] for turn in task["data"]["prompt"]] == ["system", "user"]
    assert task["data"]["prompt"][1]["content"] == question
    assert task["predictions"][0]["result"][0]["value"]["text"] == ["Paris."]


def test_the_system_prompt_is_in_the_call(label_studio: InMemoryLabelStudioExporter) -> None:
    """A call has all that the instrumentation has told of it."""
    answer("Who are you?")
    (call,) = label_studio.calls
    assert call.is_chat
    assert [part.type for part in call.system_instructions] == ["text"]
    assert "one word" in str(call.system_instructions[0])
