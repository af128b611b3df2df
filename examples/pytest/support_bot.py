"""The application: it knows nothing of its tests."""

from __future__ import annotations

from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import SystemMessage


def answer(question: str) -> str:
    """What the bot says."""
    model = FakeListChatModel(responses=["Paris."])
    return str(model.invoke([SystemMessage("Answer in one word."), ("user", question)]).content)
