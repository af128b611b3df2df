"""Call filters to name in ``call_filter``, or to build on.

A filter is a function from a call to a call or None. One that has a parameter ``resource_attributes`` is given those
too, by that name: the attributes of the resource that the call comes from, empty where it is not known. `redact` makes
a filter that takes out what fits regular expressions; for some things these are ready.
"""

# What chooses and changes calls before they are stored:
#
#   selection    the stage of the pipeline: the filter, valid ids, the bound on media and the destination, in this order
#   call_filter  how the user's filter is applied
#   redaction    `redact`; patterns has regular expressions for it, ready_made what is made of them
#   large_media  the bound on inline media

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_labelstudio.filters.patterns import (
        EMAIL_ADDRESS,
        IBAN,
        IPV4_ADDRESS,
        PAYMENT_CARD_NUMBER,
        PERSONAL_DATA,
        PHONE_NUMBER,
        SECRET,
        US_SOCIAL_SECURITY_NUMBER,
    )
    from otel_labelstudio.filters.ready_made import redact_personal_data, with_span
    from otel_labelstudio.filters.redaction import redact

__all__ = [
    "EMAIL_ADDRESS",
    "IBAN",
    "IPV4_ADDRESS",
    "PAYMENT_CARD_NUMBER",
    "PERSONAL_DATA",
    "PHONE_NUMBER",
    "SECRET",
    "US_SOCIAL_SECURITY_NUMBER",
    "redact",
    "redact_personal_data",
    "with_span",
]

# Public name -> its module, imported when the name is first used: every exporter imports this package for `selection`,
# and should not pay for patterns that take time to compile. What is not here is a pattern
_LAZY = {
    "redact": "otel_labelstudio.filters.redaction",
    "redact_personal_data": "otel_labelstudio.filters.ready_made",
    "with_span": "otel_labelstudio.filters.ready_made",
}
_PATTERNS = "otel_labelstudio.filters.patterns"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY.get(name, _PATTERNS)), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
