"""Values that Label Studio cannot hold: sent to a real one as tasks, and readable again."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from otel_labelstudio.calls import LLMCall, TextPart, ToolCallPart
from otel_labelstudio.demo.label_studio import EmbeddedLabelStudio
from otel_labelstudio.tasks.mend import mend, mend_text
from tests.delivery.labeling import Labeling, fresh_title
from tests.delivery.pipelines import Pipelines
from tests.delivery.telemetry import chat


def nested(depth: int) -> Any:
    value: Any = "core"
    for _ in range(depth):
        value = [value]
    return value


# What it is -> a value, and what is left of it in the task
ODD: dict[str, tuple[Any, Any]] = {
    "NUL": ("a\x00b", "a\ufffdb"),
    "lone surrogate": ("a\ud800b", "a\ufffdb"),
    "lone low surrogate": ("\udc00", "\ufffd"),
    "pair of surrogates": ("\ud83d\ude00", "😀"),
    "as a key": ({"\ud800": 1, "a\x00": {"\udfff": 2}}, {"\ufffd": 1, "a\ufffd": {"\ufffd": 2}}),
    "two keys that are mended alike": (dict(zip("\ud800\udfff\ufffd", (1, 2, 3), strict=True)), None),
    "NaN": (math.nan, "nan"),
    "infinity": ([math.inf, -math.inf], ["inf", "-inf"]),
    "30 digits": (10**30, 10**30),
    "nested 900 deep": (nested(900), None),
    "a number for a key": ({1: "x"}, {"1": "x"}),
    "a megabyte": ("x" * 2**20, "x" * 2**20),
    "markup": ("<script>alert(1)</script> $prompt {{x}} %s", "<script>alert(1)</script> $prompt {{x}} %s"),
    "addresses": ("s3://bucket/key", "s3://bucket/key"),
    "line ends": ("a\r\nb\u2028c\x85\x1b[0m\u202e", "a\r\nb\u2028c\x85\x1b[0m\u202e"),
}


@pytest.mark.parametrize(("value", "mended"), [pair for pair in ODD.values() if pair[1] is not None])
def test_what_cannot_be_stored_is_replaced(value: Any, mended: Any) -> None:
    """By what says that something was there."""
    assert mend(value) == mended


def test_two_names_that_are_mended_alike_stay_two() -> None:
    """No value is lost for its name."""
    mended = mend(ODD["two keys that are mended alike"][0])
    assert sorted(mended.values()) == [1, 2, 3]


def test_what_is_nested_too_deep_is_written_as_text() -> None:
    """The inner part stays readable, as JSON."""
    mended = mend(nested(500))
    depth = 0
    while isinstance(mended, list):
        mended, depth = mended[0], depth + 1
    assert depth < 100
    assert json.loads(mended) == nested(500 - depth)


def test_text_that_is_fine_is_left_alone() -> None:
    """The same object, without a copy."""
    text = "fine " * 1000
    assert mend_text(text) is text


def test_a_real_label_studio_stores_all_of_them(label_studio: EmbeddedLabelStudio, labeling: Labeling) -> None:
    """In the prompt, in the answer, as a tool's arguments, in metadata and its keys, in every fact: each call is a
    task, and the project can be read and exported, which one bad value would prevent for all."""
    pipelines = Pipelines(label_studio.url, label_studio.api_key)
    title = fresh_title("Odd")
    pipeline = pipelines(project_name=title, model_version="constant")
    calls = [odd_call(value) for value, _ in ODD.values()]
    assert pipeline.accept_calls(calls)
    assert pipeline.flush(240)
    pipelines.close()
    assert pipeline.dead_letters() == []
    tasks = labeling.tasks(title)
    assert [task["data"]["span_id"] for task in tasks] == [call.span_id for call in calls]
    assert all(task["predictions"] for task in tasks)
    project_id = labeling.project_of(title)
    exported = labeling.request("GET", f"/api/projects/{project_id}/export?exportType=JSON&download_all_tasks=true")
    assert len(exported) == len(calls)
    for call, task in zip(calls, exported, strict=True):
        read = LLMCall.from_dict(task["meta"]["call"])
        if mend(call.to_dict()) == call.to_dict():
            assert read == call


def odd_call(value: Any) -> LLMCall:
    text = value if isinstance(value, str) else json.dumps(value)
    return chat(
        text,
        text,
        system_instructions=(TextPart(text), ToolCallPart("tool", {"value": value})),
        request_model=text[:100],
        service_name=text[:100],
        conversation_id=text[:100],
        metadata={"value": value, text[:100]: value},
        request_parameters={"value": value},
        tags=(text[:100],),
    )
