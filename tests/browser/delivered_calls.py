"""Calls of every kind, delivered to a real Label Studio as the exporter delivers what it has read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from otel_labelstudio.calls import (
    LLMCall,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolCallResponsePart,
    Usage,
)
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.outbox.serialization import key_of
from otel_labelstudio.pipeline import Pipeline
from otel_labelstudio.settings import Settings
from tests.browser.traced_calls import Sent
from tests.delivery.labeling import Labeling
from tests.delivery.telemetry import chat

FACTS: dict[str, Any] = {"service_name": "shop", "usage": Usage(input_tokens=1234, output_tokens=321)}

MARKDOWN = """\
## Comparison of the two plans

Here is a **short** comparison; see [the full table](https://example.com/plans).

| Plan | Price | Users | Support |
|:-----|------:|:-----:|---------|
| Basic | 9 EUR | 1 | e-mail |
| Team | 49 EUR | 10 | *chat*, `24/7` |

1. First, export your data:
   - from the **settings** page
   - or with the API:

```python
def export(account: str, *, since: date) -> list[dict]:
    \"\"\"All of it.\"\"\"
    return [r for r in api.pages(account) if r["at"] >= since]
```

> Note: exports are kept for 7 days.
"""


def said(role: str, text: str) -> Message:
    """A message of one text."""
    return Message(role, (TextPart(text),))


def markdown_call() -> LLMCall:
    """A question and an answer with headings, a table and code."""
    return chat("Compare the plans, and show how to export:", MARKDOWN, **FACTS)


def long_call(turns: int = 50) -> LLMCall:
    """A support dialogue of so many turns, the last of which is a question."""
    questions = "Where is my order HB-20418? I have waited for two weeks now, and nobody has told me anything. "
    answers = "It waits for the helmet, which is out of stock. The shop expects it on Thursday; it leaves on Friday. "
    spoken = ((questions, answers)[n % 2] * 4 + f"This is turn {n + 1}." for n in range(turns - 1))
    earlier = tuple(said(("user", "assistant")[n % 2], text) for n, text in enumerate(spoken))
    return chat(
        system_instructions=(TextPart("You are the support assistant of Harbor Bikes. Be brief."),),
        input_messages=(*earlier, said("user", "LAST QUESTION: can I cancel the lights alone?")),
        output_messages=(said("assistant", "LAST ANSWER: yes, I have cancelled the lights. " * 4),),
        **FACTS,
    )


def agent_call() -> LLMCall:
    """Tool calls with their results, reasoning, and an answer that ends in a tool call."""
    lines = [{"sku": "HELM-TR-GRY", "quantity": 1}]
    policy = "An order that has not shipped can be cancelled at no cost."
    found = [{"id": number, "score": 0.9, "text": policy} for number in range(4)]
    return chat(
        system_instructions=(TextPart("You are an agent with tools. Use them before you answer."),),
        tool_definitions=tuple({"name": name, "parameters": {"order_id": "string"}} for name in ("search", "cancel")),
        input_messages=(
            said("user", "Cancel my order HB-20418, it is late."),
            Message("assistant", (ToolCallPart("search", {"query": "cancel an order"}, "c1"),)),
            Message("tool", (ToolCallResponsePart(found, "c1"),)),
            Message("assistant", (ToolCallPart("cancel", {"order_id": "HB-20418", "lines": lines}, "c2"),)),
            Message("tool", (ToolCallResponsePart('{"error": "conflict", "status": "picking"}', "c2"),)),
        ),
        output_messages=(
            Message(
                "assistant",
                (
                    ReasoningPart("The order is being picked. I pass it on."),
                    TextPart("I tried to cancel **HB-20418**, but it is being picked right now."),
                    ToolCallPart("escalate", {"order_id": "HB-20418", "reason": "other"}),
                ),
                finish_reason="tool_calls",
            ),
        ),
        **FACTS,
    )


def choices_call(*texts: str) -> LLMCall:
    """A question with several answers."""
    outputs = tuple(Message("assistant", (TextPart(text),), finish_reason="stop") for text in texts)
    return chat("A slogan for a shop that builds touring bikes, please.", output_messages=outputs, **FACTS)


def deliver(server: EmbeddedLabelStudio, calls: Mapping[str, LLMCall], *, title: str, **settings: str) -> Sent:
    """Deliver the calls, and wait until each is a task with its prediction."""
    pipeline = Pipeline(
        Settings.resolve({"api_key": server.api_key, "url": server.url, "project_name": title, **settings})
    )
    pipeline.accept_calls(calls.values())
    assert pipeline.flush(240), pipeline.telemetry.counts()
    assert pipeline.close(60), pipeline.telemetry.counts()
    assert pipeline.telemetry.counts()["tasks.delivered"] == len(calls), pipeline.telemetry.counts()
    labeling = Labeling(server.url, server.api_key)
    project_id = labeling.project_of(title)
    task_ids = {task["data"]["call_id"]: task["id"] for task in labeling.tasks(project_id)}
    return Sent(server, project_id, {name: task_ids[key_of(call)] for name, call in calls.items()})
