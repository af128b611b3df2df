"""The types of a dataset's columns, as the card of a dataset writes them in YAML.

A list of JSON values is the one type that loads at any size: `datasets` otherwise infers the types from the first 10
MB, and fails at the first tool call behind them, or fills the keys of one tool's arguments into those of another.
"""

from __future__ import annotations

from typing import NamedTuple


class Feature(NamedTuple):
    """A column; ``type`` is a name of a type or, with line breaks, YAML below the column's name."""

    name: str
    type: str

    def yaml(self) -> str:
        if "\n" in self.type:
            return f"  - name: {self.name}\n" + "".join(f"    {line}\n" for line in self.type.strip().split("\n"))
        key = "list" if self.type == JSON_LIST else "dtype"
        return f"  - name: {self.name}\n    {key}: {'json' if self.type == JSON_LIST else self.type}\n"


TEXT = "string"
JSON_LIST = "list of json"
JSON = "json"
# For versions of `datasets` before 4.7, which know no JSON; the keys that a message lacks are null when it is loaded
TEXT_MESSAGES = """
list:
- name: role
  dtype: string
- name: content
  dtype: string
- name: reasoning_content
  dtype: string
- name: tool_calls
  list:
  - name: id
    dtype: string
  - name: type
    dtype: string
  - name: function
    struct:
    - name: name
      dtype: string
    - name: arguments
      dtype: string
- name: tool_call_id
  dtype: string
- name: name
  dtype: string
"""
