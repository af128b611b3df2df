"""A call and a binding become a task. Pure: no clock, no network, no settings but the arguments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.tasks import render
from otel_labelstudio.tasks.binding import Binding
from otel_labelstudio.tasks.facts import facts
from otel_labelstudio.tasks.label_config import CHAT, HYPER_TEXT, PARAGRAPHS, Variable
from otel_labelstudio.tasks.layouts.data import fill_of
from otel_labelstudio.tasks.mend import mend
from otel_labelstudio.tasks.variables import shows_answer, turns_of, value_of

# The key in a task's data by which a call is found again
CALL_ID = "call_id"
# The key in a task's meta under which stands the whole call, as its `to_dict` writes it
CALL = "call"
# The key in a task's meta under which stands how it was made: where its answer is and what that said
META_KEY = "otel_labelstudio"
# Below it: the id of the import request that the task came by; each request has its own
IMPORT_ID = "import_id"
# Below it: the checksum of its answers (`answers_digest`)
ANSWERS_SHA256 = "answers_sha256"
# Below it: true where the task was sent without a prediction, so that none was lost
NO_PREDICTION = "no_prediction"


@dataclass(frozen=True, slots=True)
class Task:
    """A Label Studio task as its import endpoint takes it; its repr shows nothing of it.

    ``prediction`` is empty where the project has no place for one, and where the call failed before any answer: an
    empty answer would look like the model's.
    """

    data: Mapping[str, Any] = field(repr=False)
    meta: Mapping[str, Any] = field(repr=False)
    prediction: Mapping[str, Any] = field(repr=False)

    def to_dict(self, import_id: str | None = None) -> dict[str, Any]:
        """As the import takes it; ``import_id`` names the request, in the task's meta."""
        meta = self.meta
        if import_id is not None:
            meta = {**meta, META_KEY: {**meta[META_KEY], IMPORT_ID: import_id}}
        return {"data": self.data, "meta": meta, "predictions": [self.prediction] if self.prediction else []}


def model_version(call: LLMCall, template: str) -> str:
    """The prediction's model_version; a call that does not name its model has ``unknown``."""
    return template.format(model=call.model or "unknown", provider=call.provider or "unknown")


def build_task(call: LLMCall, binding: Binding, *, call_id: str, model_version_template: str = "{model}") -> Task:
    """The task of a call in a project with this binding; the call must fit it (see `binding.refusal`).

    ``call_id`` is the key by which the call is found again in Label Studio.
    """
    data: dict[str, Any] = {}
    for variable in binding.variables:
        _assign(data, variable, value_of(variable, call))
    _assign(data, binding.prompt, _prompt(call, binding))
    # The configuration's own variables win over ours of the same name
    data = {**facts(call), CALL_ID: call_id, **data}
    has_prediction = binding.from_name is not None and not call.is_unanswered
    answers = render.answers(call) if has_prediction else None
    prediction = _prediction(binding, answers, model_version(call, model_version_template)) if answers else {}
    meta = {CALL: call.to_dict(), META_KEY: _origin(binding, answers)}
    return Task(data=mend(data), meta=mend(meta), prediction=mend(prediction))


def _prediction(binding: Binding, answers: Sequence[str], version: str) -> dict[str, Any]:
    region = {
        "from_name": binding.from_name,
        "to_name": binding.to_name,
        "type": "textarea",
        "value": {"text": answers},
    }
    return {"result": [region], "model_version": version}


def answers_digest(answers: Sequence[str]) -> str:
    """The SHA-256 of what a prediction says, to tell later whether a text is the model's own."""
    texts = json.dumps(mend(list(answers)), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(texts.encode()).hexdigest()


def _origin(binding: Binding, answers: Sequence[str] | None) -> dict[str, Any]:
    """``answers`` are None where there is no prediction."""
    return {
        "from_name": binding.from_name,
        "to_name": binding.to_name,
        "data_key": binding.data_key,
        **({NO_PREDICTION: True} if answers is None else {ANSWERS_SHA256: answers_digest(answers)}),
    }


def _prompt(call: LLMCall, binding: Binding) -> Any:
    """What was asked; what was answered stands below it where it would be shown nowhere else."""
    variable = binding.prompt
    if fill := fill_of(variable.tag, variable.name):
        return fill(call)
    turns = render.dialogue(call) if call.is_chat else [("user", render.prompt(call))]
    if binding.from_name is None and not any(map(shows_answer, binding.variables)):
        turns += [("assistant", text) for text in render.answers(call)]
    if variable.tag in (PARAGRAPHS, CHAT):
        return turns_of(turns, variable)
    text = render.turns_text(turns)
    return render.as_html(text) if variable.tag == HYPER_TEXT else text


def _assign(data: dict[str, Any], variable: Variable, value: Any) -> None:
    """Set ``data["a"]["b"]`` for the variable ``a.b``, as Label Studio looks it up."""
    *parents, last = variable.name.split("[", 1)[0].split(".")
    for parent in parents:
        inner = data.get(parent)
        if not isinstance(inner, dict):
            inner = data[parent] = {}
        data = inner
    data[last] = value
