"""What any two producers tell of the same conversation is recognised as the same, whatever each writes and loses."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from otel_labelstudio import LLMCall, read_calls
from otel_labelstudio.settle.fold import fold


def conversation(truth: dict[str, Any]) -> str:
    """What went over the wire; recordings of the same conversation have it in common."""
    succeeded = [call for call in truth["expect"] if not call["error"]]
    told = [[call["models"][:1], call["wire"], call["completions"], call["tool_calls"]] for call in succeeded]
    return json.dumps(told, sort_keys=True)


def pairs_of_recordings(corpus: Path) -> Iterator[tuple[list[LLMCall], list[LLMCall]]]:
    """The calls of two recordings of one conversation, made by different instrumentations."""
    recordings: defaultdict[str, list[list[LLMCall]]] = defaultdict(list)
    for file in sorted(corpus.glob("[!r]*/*/truth.json")):
        truth = json.loads(file.read_text())
        calls = read_calls(sorted(file.parent.glob("*.pb")))
        if calls and len(calls) == sum(not call["error"] for call in truth["expect"]):
            recordings[conversation(truth)].append(calls)
    for same in recordings.values():
        for one, other in itertools.combinations(same, 2):
            if not {call.scope for call in one} & {call.scope for call in other}:
                yield one, other


def test_two_producers_readings_of_a_call_are_one_call_without_any_ids(corpus: Path) -> None:
    """Of one application, at the same time, but in traces of their own and with no response ids; 99 of 100 pairs of
    recordings.

    Those that do not fold have lost different halves of a long dialogue, or tell the roles of it differently.
    """
    folded = []
    for one, other in pairs_of_recordings(corpus):
        first = [replace(call, trace_id="a" * 32, response_id=None, service_name="shop") for call in one]
        second = [
            replace(
                call,
                trace_id="b" * 32,
                response_id=None,
                service_name="shop",
                start_time_unix_nano=twin.start_time_unix_nano,
                end_time_unix_nano=twin.end_time_unix_nano,
            )
            for call, twin in zip(other, one, strict=True)
        ]
        folded.append(len(fold([*first, *second])) == len(one))
    assert len(folded) > 2000
    assert sum(folded) / len(folded) > 0.99
