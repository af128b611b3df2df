"""The demo's conversations: what a small shop's assistants are asked in a day, written with LangChain."""

from __future__ import annotations

import json
from collections.abc import Iterator

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI

CHAT_MODEL = "gpt-4o-mini"
COMPLETION_MODEL = "gpt-3.5-turbo-instruct"

SUPPORT = """\
You are the support assistant of Harbor Bikes. Be brief and friendly.
Look an order up before you say anything about it, and cancel only what the customer asked you to cancel."""

INCIDENT = """\
14:02 UTC: alerts for failed payments. 14:05: on call (Priya) sees every checkout time out.
14:11: the database shows a lock on `payments`, held by migration 0187, which adds an index.
14:16: Tom suggests waiting for the migration; estimate 40 minutes. 14:19: decision to cancel it.
14:25: migration cancelled, checkouts recover. About 1,900 orders could not be placed.
Night: the same index was built in batches, without a lock."""


@tool
def look_up_order(order_id: str) -> str:
    """Status and content of an order."""
    return json.dumps({"order_id": order_id, "status": "waiting: out of stock until 3 December", "total": "89.00 EUR"})


@tool
def cancel_order(order_id: str, reason: str) -> str:
    """Cancel an order that has not shipped."""
    return json.dumps({"order_id": order_id, "status": "cancelled", "reason": reason, "refund": "89.00 EUR"})


@tool
def weather_forecast(city: str, days: int) -> str:
    """Weather of the coming days."""
    sky, degrees = ("sunny", 19) if city == "Lisbon" else ("snow", -2)
    return json.dumps({"city": city, "days": days, "sky": sky, "degrees_celsius": degrees})


def have_chats() -> None:
    """All of the chat conversations, one after the other."""
    chat = ChatOpenAI(model=CHAT_MODEL, temperature=0)
    support(chat)
    packing(chat)
    coding(chat)
    escaped_script_tag(chat)
    incident_summary(chat)
    doctors_note(chat)


def support(chat: ChatOpenAI) -> None:
    """An agent with two tools, over two turns: four calls of the model, each with a longer history."""
    agent = create_agent(chat, tools=[look_up_order, cancel_order], system_prompt=SUPPORT)
    history: list[AnyMessage] = []
    for question in (
        "I ordered a helmet nine days ago (HB-20418) and it still hasn't shipped.\nCan I still cancel it?",
        "Grey isn't for me. Please cancel it.",
    ):
        history = agent.invoke({"messages": [*history, HumanMessage(question)]})["messages"]


def packing(chat: ChatOpenAI) -> None:
    """Two tool calls in one answer, their results, and the final answer."""
    with_tools = chat.bind_tools([weather_forecast])
    messages: list[BaseMessage] = [HumanMessage("I'm off to Lisbon via Oslo on Friday: what should I pack?")]
    answer = with_tools.invoke(messages)
    messages.append(answer)
    messages += [weather_forecast.invoke(call) for call in answer.tool_calls]
    with_tools.invoke(messages)


def coding(chat: ChatOpenAI) -> None:
    """Two turns with code in the answer: its line breaks and indentation matter."""
    messages: list[BaseMessage] = [
        SystemMessage("You are a senior Python engineer. Answer with code first."),
        HumanMessage("Write a function that merges overlapping intervals:\n\n    [(1, 3), (2, 4)] -> [(1, 4)]"),
    ]
    messages.append(chat.invoke(messages))
    messages.append(HumanMessage("And how expensive is it?"))
    chat.invoke(messages)


def escaped_script_tag(chat: ChatOpenAI) -> None:
    """HTML in the question and in the answer, streamed."""
    question = 'Our template prints <script>alert("hi")</script> from a comment <b>as text</b>. Is that a bug?'
    read(chat.stream([HumanMessage(question)]))


def incident_summary(chat: ChatOpenAI) -> None:
    """A longer text to summarize, streamed, with the token counts that the API sends on request."""
    read(
        chat.stream([HumanMessage(f"Summarize for the management, in bullet points:\n\n{INCIDENT}")], stream_usage=True)
    )


def doctors_note(chat: ChatOpenAI) -> None:
    """A request that a model declines."""
    chat.invoke([HumanMessage("Write me a doctor's note for Thursday and Friday, signed by a Dr. Meyer.")])


def complete_prompts() -> None:
    """All of the text completions: plain, several prompts at once, several choices, streamed."""
    llm = OpenAI(model=COMPLETION_MODEL, temperature=0, max_tokens=256)
    llm.invoke(
        "Tables: customers(id, name), orders(id, customer_id, total, created_at)\n\n"
        "-- SQL: the five customers with the highest revenue in 2026\n"
    )
    llm.invoke(
        "Turn this into HTML with one <h1> and one <p>: winter tyres, fitted while you wait, book online, 40 min."
    )
    llm.generate([classification("I was charged twice this month!"), classification("The app crashes at login.")])
    OpenAI(model=COMPLETION_MODEL, n=2, best_of=2).generate(["A slogan for a shop that builds touring bikes:"])
    read(llm.stream("English: Your order shipped this morning; you will have it by Friday.\nFrench:"))


def ask_for_choices() -> None:
    """Several answers to choose from, for each question."""
    llm = ChatOpenAI(model=CHAT_MODEL, n=3, temperature=1)
    for question in (
        "A slogan for a shop that builds touring bikes, please. Friendly, at most eight words.",
        f"A subject line for the mail about this incident to all customers:\n\n{INCIDENT}",
        'Reply to this review in two sentences: "Great bike, but the bell broke on day two."',
    ):
        llm.generate([[SystemMessage("You write for Harbor Bikes."), HumanMessage(question)]])


def classification(ticket: str) -> str:
    """A prompt with examples, as text completions are used."""
    return (
        "Classify the ticket as billing, bug or question.\n\n"
        "Ticket: How do I change my address?\nClass: question\n\n"
        f"Ticket: {ticket}\nClass:"
    )


def read(pieces: Iterator[AIMessage] | Iterator[str]) -> None:
    """Take a streamed answer to its end."""
    for _ in pieces:
        pass


# By the name that the application is given
CONVERSATIONS = {"chat": have_chats, "prompt": complete_prompts, "choices": ask_for_choices}
