"""`otel_labelstudio.filters` as applications and settings import it."""

from __future__ import annotations

import re

import pytest

from otel_labelstudio import filters
from otel_labelstudio.errors import ConfigError
from otel_labelstudio.settings import Settings


def test_every_public_name_can_be_imported() -> None:
    """``__all__`` is sorted, and each of its lazy names is there: patterns in capital letters, functions in small."""
    assert filters.__all__ == sorted(filters.__all__)
    found = {name: getattr(filters, name) for name in filters.__all__}
    assert {name for name, value in found.items() if callable(value)} == {name for name in found if name.islower()}
    assert all(isinstance(pattern, re.Pattern) for pattern in (filters.EMAIL_ADDRESS, *filters.PERSONAL_DATA))
    with pytest.raises(AttributeError, match="no attribute 'redacted'"):
        filters.redacted  # noqa: B018


def test_a_ready_filter_may_be_named_where_there_is_no_code() -> None:
    """A slip in its name is an error with the nearest name."""
    named = "otel_labelstudio.filters:redact_personal_data"
    assert Settings.resolve({"call_filter": named}, needs_server=False).call_filter is filters.redact_personal_data
    with pytest.raises(ConfigError, match="did you mean 'redact_personal_data'"):
        Settings.resolve({"call_filter": named.replace("data", "dta")}, needs_server=False)
