"""Call filters to name in ``call_filter``, or to build on.

A filter is a function from a call to a call or None. One that has a parameter ``resource_attributes`` is given those
too, by that name: the attributes of the resource that the call comes from, empty where it is not known. `redact` makes
a filter that takes out what fits regular expressions; for some things these are ready.
"""

from __future__ import annotations

from otel_labelstudio.calls import LLMCall
from otel_labelstudio.dialects.shared.records_without_span import INCOMPLETE_WITHOUT_SPAN
from otel_labelstudio.redaction import (
    EMAIL_ADDRESS,
    IBAN,
    IPV4_ADDRESS,
    PAYMENT_CARD_NUMBER,
    PERSONAL_DATA,
    PHONE_NUMBER,
    SECRET,
    US_SOCIAL_SECURITY_NUMBER,
    redact,
)

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

# To be named where there is no code: call_filter=otel_labelstudio.filters:redact_personal_data
redact_personal_data = redact(PERSONAL_DATA)


def with_span(call: LLMCall) -> LLMCall | None:
    """Leaves out what came in log events alone: behind a Collector that drops traces, but not their log events."""
    return None if INCOMPLETE_WITHOUT_SPAN in call.incomplete else call
