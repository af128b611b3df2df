"""Why a call, an annotation or a row is not in the dataset: each is counted, and said by these words."""

from __future__ import annotations

from enum import Enum


class LeftOut(Enum):
    """A reason. ``is_choice`` where it is what the options ask for; ``--strict`` fails for the others."""

    # Of a task or an annotation
    NOT_OURS = "not_ours", "the task has no call of this exporter", True
    SKIPPED = "skipped", "the annotator skipped the task", True
    DRAFT = "draft", "the annotation was never submitted", True
    BULK = "bulk", "made of predictions in bulk: nobody judged it", True
    SUPERSEDED = "superseded", "the same person has a later annotation", True
    EMPTY = "empty", "the annotation says nothing", True
    FILTERED = "filtered", "the call filter left it out", True
    ANNOTATOR = "annotator", "the annotator is not among those asked for", True
    LEAD_TIME = "lead_time", "less time was spent than asked for", True
    OTHERS_COUNT = "others_count", "another annotation of the task counts", True
    # Of what was said
    BAD = "bad", "judged bad", True
    UNDECIDED = "undecided", "judged neither good nor bad", True
    REMOVED = "removed", "the answer was removed and nothing written in its place", True
    ACCEPTED = "accepted", "accepted as it was, which the options leave out", True
    SMALL_EDIT = "small_edit", "less was changed than asked for", True
    NOTHING_SAID = "nothing_said", "nothing was said that gives such a row, as another answer would for a pair", True
    DISAGREEMENT = "disagreement", "the annotators do not agree", True
    DUPLICATE = "duplicate", "the same row is there already", True
    OUTVOTED = "outvoted", "more annotators say the opposite", True
    # Of what cannot be written
    UNREADABLE = "unreadable", "the task, or its call, cannot be read", False
    FILTER_FAILED = "filter_failed", "the call filter failed", False
    INCOMPLETE = "incomplete", "the telemetry does not have the call whole", False
    MEDIA = "media", "it holds an image, audio or a file", False
    UNKNOWN_PART = "unknown_part", "it holds a part that is neither text nor a tool call", False
    UNKNOWN_ROLE = "unknown_role", "a message has a role that the format does not know", False
    TOOL_ARGUMENTS = "tool_arguments", "the arguments of a tool call are no JSON object", False
    TOOL_CALL_TEXT = "tool_call_text", "an edited answer has a tool call that cannot be read", False
    TOOL_RESULT = "tool_result", "a tool's result and its call do not stand together", False
    NO_PROMPT = "no_prompt", "the telemetry has no input", False
    PROMPT_END = "prompt_end", "the input does not end with a user or a tool", False
    EMPTY_ANSWER = "empty_answer", "the answer is empty", False
    IDENTICAL = "identical", "the chosen and the rejected answer are the same", False
    CONTRADICTORY = "contradictory", "annotators prefer one answer and the other", False
    TIE = "tie", "as many annotators say good as bad", False

    def __init__(self, code: str, meaning: str, is_choice: bool) -> None:
        self.code = code
        self.meaning = meaning
        self.is_choice = is_choice


REASONS = {reason.code: reason for reason in LeftOut}


class RowLeftOutError(Exception):
    """A row cannot be written, for this reason."""

    def __init__(self, reason: LeftOut) -> None:
        super().__init__(reason.code)
        self.reason = reason
