"""Where feedback goes: what a sink is, and what becomes of an evaluation there.

Each sink is a file of its own with the same public names, named as ``NAME``:

``NAME``
    what ``--to`` takes.
``CREDENTIALS``
    the environment variables, or the lines of a credentials file, that it looks at.
``open_sink(options) -> FeedbackSink``
    raises `ConfigError` where an address or a credential is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TextIO
from urllib.parse import urlsplit

from otel_labelstudio.annotations.feedback.evaluation import Evaluation
from otel_labelstudio.errors import ConfigError


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """``form`` and ``is_timed_now`` are of OTLP alone, ``stream`` of JSON lines; ``credentials`` has by its variable's
    name whatever is set."""

    endpoint: str | None = None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: str = "events"
    is_timed_now: bool = False
    timeout_s: float = 30.0
    stream: TextIO | None = None

    def address(self, *variables: str, default: str | None = None) -> str:
        """Where to send: ``endpoint``, else the first of these variables that is set, else the default."""
        found = next((self.credentials[name] for name in variables if self.credentials.get(name)), default)
        address = self.endpoint or found
        if address is None:
            raise ConfigError(f"no address to send feedback to: give --endpoint URL, or set {variables[0]}")
        parts = urlsplit(address)
        # A login in the address would stand in messages, and on a command line
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or parts.query:
            raise ConfigError("--endpoint: give an address such as http://localhost:4318, without a login in it")
        return address.rstrip("/")


@dataclass(frozen=True, slots=True)
class Result:
    """The back end's word on the evaluation with this key: it has it, or has deleted it, or refuses for a reason."""

    key: str
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What is known of an evaluation that a back end has: enough to delete it there."""

    key: str
    name: str


class FeedbackSink(Protocol):
    """Writes evaluations; keeps no books of its own.

    ``send`` and ``delete`` give the results of a request before the next is made, so that they are written down in
    between. They raise `RetryableDeliveryError` where the rest must wait, and `PausedDeliveryError` where somebody must
    mend something first.
    """

    target: str
    """The back end and where it is, by which the state tells apart what was sent where."""
    batch_size: int
    can_delete: bool
    needs_span: bool
    """Whether it can do nothing with an evaluation of a call whose trace or span id is none."""

    def items(self, evaluation: Evaluation) -> tuple[Evaluation, ...]:
        """The evaluation as the back end's own items, each with a key of its own."""

    def send(self, items: Sequence[Evaluation]) -> Iterator[Sequence[Result]]:
        """Write these; those that are there are overwritten where the back end can do that."""

    def delete(self, sent: Sequence[Sent]) -> Iterator[Sequence[Result]]:
        """Delete these. Only where `can_delete`."""

    def close(self) -> None:
        """Let go of connections."""


class SinkModule(Protocol):
    """The public names of each sink's file."""

    NAME: str
    CREDENTIALS: tuple[str, ...]

    def open_sink(self, options: SinkOptions) -> FeedbackSink: ...


Post = Callable[[Sequence[Evaluation]], "Sequence[Result] | str"]
"""Sends a batch in one request: results, or why the back end refuses the whole. Those without a result are sent again;
there are fewer of them each time."""


def in_smaller_parts(items: Sequence[Evaluation], post: Post) -> Iterator[Sequence[Result]]:
    """Send a batch, and where it is refused its halves, so that an item that gives offence takes no other with it."""
    waiting = [list(items)] if items else []
    while waiting:
        part = waiting.pop()
        answer = post(part)
        if not isinstance(answer, str):
            yield answer
            answered = {result.key for result in answer}
            rest = [item for item in part if item.key not in answered]
            waiting += [rest] if answered and rest else []
        elif len(part) == 1:
            yield [Result(part[0].key, refused=answer)]
        else:
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]
