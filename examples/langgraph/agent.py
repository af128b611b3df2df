"""A LangGraph agent that calls a tool: each call of the model is a task, and the conversation's id is on each.

pip install langgraph
python agent.py
"""

from __future__ import annotations

from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from opentelemetry import trace
from opentelemetry.instrumentation.langchain import LangchainInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from otel_labelstudio import LabelStudioSpanExporter, LabelStudioSpanProcessor

provider = TracerProvider()
provider.add_span_processor(LabelStudioSpanProcessor(LabelStudioSpanExporter(layout="agent")))
trace.set_tracer_provider(provider)
LangchainInstrumentor().instrument()


class Model(GenericFakeChatModel):
    """A stand-in that says what it was told to say; yours takes tools by itself."""

    def bind_tools(self, tools: Any, **_: Any) -> Model:
        """It does not look at them."""
        return self


def weather(city: str) -> str:
    """The weather in a city."""
    return f"Rain in {city}."


said = [
    AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Paris"}, "id": "call_1"}]),
    AIMessage("Take an umbrella."),
]
agent = create_agent(Model(messages=iter(said)), tools=[weather])
config = {"configurable": {"thread_id": "conversation-7"}, "metadata": {"conversation": "conversation-7"}}
result = agent.invoke({"messages": [("user", "What to wear in Paris today?")]}, config)
print(result["messages"][-1].content)
provider.shutdown()
