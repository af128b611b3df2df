"""The project of a call, as it was decided when the call was accepted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Destination:
    """An id, or a title.

    ``route`` names the rules that hold for it there; None: the settings' own.
    """

    project_id: int | None = None
    title: str | None = None
    route: str | None = None

    def __str__(self) -> str:
        return f"project {self.project_id}" if self.project_id is not None else f'project "{self.title}"'

    @lru_cache(256)  # noqa: B019 - most of them are the same few
    def dumps(self) -> str:
        return json.dumps({name: value for name, value in asdict(self).items() if value is not None})

    @classmethod
    def loads(cls, text: str) -> Destination:
        return cls(**json.loads(text))
