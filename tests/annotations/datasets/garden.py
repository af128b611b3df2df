"""A garden shop's assistant with a tool: calls, and tasks of them that people worked on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otel_labelstudio.annotations.judging import judge
from otel_labelstudio.annotations.records import AnnotatedTask, Annotation, AnswerOrigin, JudgedCall, Prediction
from otel_labelstudio.calls import LLMCall, Message, Part, TextPart, ToolCallPart, ToolCallResponsePart
from otel_labelstudio.tasks.build import answers_digest
from otel_labelstudio.tasks.render import answers
from tests.annotations.annotated import OURS, annotation, box, task

SYSTEM = "You are a helpful assistant of a garden shop."
QUESTION = "Do you have roses?"
ANSWER = "Yes, four roses are in stock."
STOCK: dict[str, Any] = {
    "type": "function",
    "name": "stock",
    "description": "How many of an article are there",
    "parameters": {
        "type": "object",
        "properties": {"article": {"type": "string"}, "shop": {"type": "integer"}},
        "required": ["article"],
    },
}
ASK_STOCK = ToolCallPart("stock", {"article": "rose", "shop": 3}, "call_1")
IN_STOCK = ToolCallResponsePart({"count": 4}, "call_1")


def text(role: str, content: str, **fields: Any) -> Message:
    """A message of one text."""
    return Message(role, (TextPart(content),), **fields)


def assistant(*parts: Part) -> Message:
    """An answer of the model's."""
    return Message("assistant", parts, finish_reason="stop")


def call(number: int = 1, **fields: Any) -> LLMCall:
    """A chat in which the shop's assistant asks for the stock; ``number`` makes it another call."""
    made: dict[str, Any] = {
        "trace_id": f"{number:032x}",
        "span_id": f"{number:016x}",
        "start_time_unix_nano": number * 1_000_000_000,
        "end_time_unix_nano": number * 1_000_000_000 + 1,
        "dialect": "genai",
        "operation": "chat",
        "request_model": "gpt-4o-mini",
        "system_instructions": (TextPart(SYSTEM),),
        "input_messages": (text("user", QUESTION),),
        "output_messages": (assistant(ASK_STOCK),),
        "tool_definitions": (STOCK,),
    }
    return LLMCall(**{**made, **fields})


def answering(number: int = 2, *answers_given: str, **fields: Any) -> LLMCall:
    """The next call, with the tool's result."""
    inputs = (text("user", QUESTION), assistant(ASK_STOCK), Message("tool", (IN_STOCK,)))
    outputs = tuple(text("assistant", given) for given in answers_given or (ANSWER,))
    return call(number, **{"input_messages": inputs, "output_messages": outputs, **fields})


def worked_on(of: LLMCall, *annotations: Annotation, number: int = 1, **fields: Any) -> AnnotatedTask:
    """A task of ours with annotations, with the texts that were sent with it."""
    texts = answers(of)
    sent: dict[str, Any] = {
        "id": number,
        "call_id": f"call-{of.span_id}",
        "origin": AnswerOrigin("response", "dialogue", answers_digest(texts)),
        "predictions": (Prediction(OURS, "gpt-4o-mini", (box(*texts, origin=None),)),),
    }
    return task(of, *annotations, **{**sent, **fields})


def accepted(of: LLMCall, number: int = 1) -> JudgedCall:
    """A call whose answers a person submitted as they were."""
    return judged(worked_on(of, annotation(box(*answers(of))), number=number))


def edited(of: LLMCall, *texts: str, number: int = 1) -> JudgedCall:
    """A call whose answers a person changed."""
    return judged(worked_on(of, annotation(box(*texts, origin="prediction-changed")), number=number))


def judged(of: AnnotatedTask) -> JudgedCall:
    """What people did with a task's call."""
    found = judge(of)
    assert isinstance(found, JudgedCall)
    return found


def plain(number: int, **fields: Any) -> LLMCall:
    """A call with a prompt and an answer of its own, without tools."""
    question = (text("user", f"Question {number}?"),)
    made = {"tool_definitions": (), "system_instructions": (), "input_messages": question, **fields}
    return answering(number, f"Answer {number}.", **made)


def many(numbers: Iterable[int], **fields: Any) -> list[JudgedCall]:
    """Plain calls whose answers were accepted, one for each number."""
    return [accepted(plain(number, **fields), number) for number in numbers]
