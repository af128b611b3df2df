"""Which dialects a span could be of, by the first words of its attributes' and events' names: most are of none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from otel_labelstudio.dialects.dialect import Dialect
from otel_labelstudio.spans.model import Span


class Namespaces:
    """The dialects in their order, each under the first words of its ``PREFIXES``; those without any under none."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        self._words = {word: _words(dialect.PREFIXES) for dialect in dialects for word in (dialect.NAME,)}
        self._dialects = tuple(dialects)
        self._known = frozenset(word for words in self._words.values() for word in words)
        self._of_words = lru_cache(maxsize=1024)(self._find)

    def dialects_of(self, span: Span) -> tuple[Dialect, ...]:
        """Those that may recognise the span; none for a span that tells of no model."""
        words = {name.partition(".")[0] for name in span.attributes}
        if span.events:
            words.update(event.name.partition(".")[0] for event in span.events)
        for word in [word for word in words if ":" in word]:
            words.add(word.partition(":")[0])
        known = self._known & words
        return self._of_words(known) if known else ()

    def _find(self, known: frozenset[str]) -> tuple[Dialect, ...]:
        return tuple(d for d in self._dialects if not self._words[d.NAME] or self._words[d.NAME] & known)


def _words(prefixes: Iterable[str]) -> frozenset[str]:
    return frozenset(prefix.partition(".")[0].partition(":")[0] for prefix in prefixes)
