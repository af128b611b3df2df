"""Tool definitions as OpenAI and the chat templates take them: ``{"type": "function", "function": {...}}``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from otel_labelstudio.calls import JSONObject
from otel_labelstudio.providers.tools import tool_definitions_from

_TYPES = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
_FUNCTION = ("description", "parameters", "strict")


def function_tools(definitions: Iterable[JSONObject]) -> list[dict[str, Any]]:
    """Definitions in any provider's shape. A tool that the provider runs itself, such as a web search, has no form here
    and is left out."""
    return [_function_tool(tool) for tool in tool_definitions_from(list(definitions)) if _is_function(tool)]


def _is_function(tool: JSONObject) -> bool:
    return bool(tool.get("name")) and (tool.get("type") == "function" or isinstance(tool.get("parameters"), Mapping))


def _function_tool(tool: JSONObject) -> dict[str, Any]:
    function = {"name": tool["name"], **{name: tool[name] for name in _FUNCTION if tool.get(name) is not None}}
    # Templates go through the properties without asking whether there are any
    parameters = _schema(function.get("parameters")) or {"type": "object", "properties": {}}
    return {"type": "function", "function": {**function, "parameters": parameters}}


def _schema(value: Any) -> Any:
    """JSON Schema; Gemini writes the types in capitals."""
    if isinstance(value, Mapping):
        return {name: _type(item) if name == "type" else _schema(item) for name, item in value.items()}
    return [_schema(item) for item in value] if isinstance(value, list | tuple) else value


def _type(value: Any) -> Any:
    return value.lower() if isinstance(value, str) and value in _TYPES else _schema(value)
