"""The project of a title: found, or created.

Titles are not unique, and Label Studio creates on no condition. So processes that begin at the same moment may each
create a project, and Label Studio on SQLite may make several for one request: it repeats the whole request while
something else writes. All of them take the lowest id of exactly that title, and look again after a second, after two,
four and so on, since one with a lower id may be listed later than one with a higher id. None is ever deleted: somebody
may be at work in it.

A creation that was not answered may be carried out all the same. It is not repeated before a while has passed, during
which its project is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from otel_labelstudio.delivery.label_studio.server import LabelStudioServer
from otel_labelstudio.errors import DeliveryError, RetryableDeliveryError, UnknownOutcomeError
from otel_labelstudio.printable import logger

_logger = logger(__name__)

_FIRST_LOOK_S, _LONGEST_S = 1.0, 180.0
_MOST_NAMED = 10


@dataclass(slots=True)
class _Look:
    """When a title is to be looked up again, and the wait before that, in seconds."""

    at: float
    wait_s: float


class ProjectTitles:
    """Of one server. ``creation_wait_s`` is for how long a creation without an answer is waited for; ``clock`` gives
    seconds."""

    def __init__(self, server: LabelStudioServer, creation_wait_s: float, clock: Callable[[], float]) -> None:
        self._server, self._creation_wait_s, self._clock = server, creation_wait_s, clock
        self._looks: dict[str, _Look] = {}
        self._created_at: dict[str, float] = {}
        self._said: set[str] = set()

    def find(self, title: str) -> int | None:
        """The lowest id; None where there is none. Raises `RetryableDeliveryError` while one may yet come to be."""
        ids = self._listed(title)
        if ids:
            return ids[0]
        if self._clock() < self._created_at.get(title, float("-inf")) + self._creation_wait_s:
            raise RetryableDeliveryError(f'project "{title}" is being created, and not listed yet')
        return None

    def create(self, title: str, label_config: str) -> int:
        """Create one; the lowest id that there is then, which need not be that of the one in the answer."""
        self._created_at[title] = self._clock()
        try:
            created = self._server.create_project(title, label_config)
        except UnknownOutcomeError as error:
            raise RetryableDeliveryError(str(error), error.retry_after_s) from None
        except DeliveryError:  # it was refused
            del self._created_at[title]
            raise
        lowest = min([created, *self._listed(title)])
        self._created_at.pop(title, None)  # it is known, listed or not
        return lowest

    def is_awaited(self, title: str) -> bool:
        """Whether a creation was sent that nobody has seen the project of."""
        return title in self._created_at

    def is_to_be_looked_up(self, title: str) -> bool:
        """Whether it is time to see whether the project of a title is another by now."""
        look = self._looks.get(title)
        return look is None or look.at <= self._clock()

    def _listed(self, title: str) -> Sequence[int]:
        ids = self._server.project_ids(title)
        self._note_look(title)
        if ids:
            self._created_at.pop(title, None)
            self._say_surplus(title, ids)
        return ids

    def _note_look(self, title: str) -> None:
        last = self._looks.get(title)
        wait_s = min(2 * last.wait_s, _LONGEST_S) if last else _FIRST_LOOK_S
        self._looks[title] = _Look(self._clock() + wait_s, wait_s)

    def _say_surplus(self, title: str, ids: Sequence[int]) -> None:
        if len(ids) == 1 or title in self._said:
            return
        self._said.add(title)
        named = ", ".join(map(str, ids[:_MOST_NAMED])) + (", ..." if len(ids) > _MOST_NAMED else "")
        _logger.warning(
            'Several projects have the title "%s" (%s): calls go to project %d, the lowest id. Delete or rename the '
            "others if nobody works in them.",
            title,
            named,
            ids[0],
        )
