"""Tool definitions in every provider's form, as the conventions write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_labelstudio.calls import JSONObject
from otel_labelstudio.providers.parts import first, json_value, rest

# OpenAI parameters, Anthropic input_schema, MCP and Vercel AI SDK inputSchema, Gemini parametersJsonSchema, Bedrock
# toolSpec.inputSchema.json
_SCHEMAS = (
    "parameters",
    "input_schema",
    "inputSchema",
    "parametersJsonSchema",
    "parameters_json_schema",
    "args_schema",
)
_GROUPS = ("functionDeclarations", "function_declarations", "tools")
_WRAPPERS = ("function", "toolSpec", "tool_spec", "custom")


def tool_definitions_from(value: Any) -> tuple[JSONObject, ...]:
    """Each tool as {"type", "name", "description", "parameters"} and what else its provider says of it.

    ``value`` is a list of definitions, an object of them by name, one definition, or JSON text of these.
    """
    return tuple(_definitions(value, 0))


def tools_by_name(value: Any) -> tuple[JSONObject, ...]:
    """Tools of which a producer writes the names alone: a list of them, or its JSON text; definitions are read too."""
    held = json_value(value)
    names = held if isinstance(held, (list, tuple)) else ()
    named = [name for name in names if isinstance(name, str) and not name.startswith(("{", "["))]
    if len(named) < len(names) or not named:
        return tool_definitions_from(held)
    return tuple({"type": "function", "name": name} for name in named)


def _definitions(value: Any, depth: int) -> Iterator[JSONObject]:
    value = json_value(value)
    if depth > 4 or not value:
        return
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _definitions(item, depth + 1)
    elif isinstance(value, dict):
        yield from _of_object(value, depth)


def _of_object(tool: JSONObject, depth: int) -> Iterator[JSONObject]:
    group = next((tool[name] for name in _GROUPS if isinstance(tool.get(name), list)), None)
    if group is not None:
        yield from _definitions(group, depth + 1)
        return
    if isinstance(first(tool, "name", "type"), str) or any(isinstance(tool.get(name), dict) for name in _WRAPPERS):
        yield _definition(tool)
    elif all(isinstance(item, dict) for item in tool.values()):  # Vercel AI SDK: {"get_weather": {...}}
        for name, item in tool.items():
            yield _definition({"name": str(name), **item})


def _definition(tool: JSONObject) -> JSONObject:
    inner: JSONObject = next((tool[name] for name in _WRAPPERS if isinstance(tool.get(name), dict)), tool)
    schema = json_value(first(inner, *_SCHEMAS))
    if isinstance(schema, dict) and set(schema) == {"json"}:
        schema = schema["json"]
    own: dict[str, Any] = {
        "type": tool.get("type") if isinstance(tool.get("type"), str) else "function",
        "name": first(inner, "name") or tool.get("type"),  # built-in tools such as web_search have a type alone
        "description": first(inner, "description"),
        "parameters": schema,
    }
    held = {**rest(tool, _WRAPPERS), **rest(inner)}
    others = {name: value for name, value in held.items() if name not in own and name not in _SCHEMAS}
    return {name: value for name, value in own.items() if value is not None} | others
