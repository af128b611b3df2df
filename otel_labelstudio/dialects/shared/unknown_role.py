"""Messages of which OpenLLMetry's LangChain instrumentation could not name the role."""

from __future__ import annotations

from dataclasses import replace

from otel_labelstudio.calls import Message, ReasoningPart, ToolCallPart


def with_known_role(message: Message) -> Message:
    """OpenLLMetry's LangChain instrumentation says "unknown" of what it has no name for.

    That is LangChain's ChatMessage, used for OpenAI's "developer", and a streamed answer that was sent back.
    """
    if message.role != "unknown":
        return message
    is_answer = any(isinstance(part, (ToolCallPart, ReasoningPart)) for part in message.parts)
    return replace(message, role="assistant" if is_answer else "system")
