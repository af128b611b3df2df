"""The receiver's settings: where they come from, and what they may be."""

from __future__ import annotations

from typing import Any

import pytest

from otel_labelstudio.errors import ConfigError
from otel_labelstudio.receiver.logs import LogFormat
from otel_labelstudio.receiver.settings import VARIABLES, Address, ReceiverSettings

# Setting -> a value as text, what it is then, values that it cannot have
EXAMPLES: dict[str, tuple[str, Any, tuple[Any, ...]]] = {
    "grpc": ("[::1]:4317", Address("::1", 4317), ("4317", "localhost", "host:99999", "http://localhost:4317", "a@b:1")),
    "http": ("off", None, ("localhost:", ":4318")),
    "bearer_tokens": ("/run/tokens", "/run/tokens", (5,)),
    "basic_auth": ("/run/users", "/run/users", (5,)),
    "tls_cert": ("/run/cert", "/run/cert", (5,)),
    "tls_key": ("/run/key", "/run/key", (5,)),
    "tls_client_ca": ("/run/ca", "/run/ca", (5,)),
    "allow_unauthenticated": ("true", True, ("perhaps", "yes", "1", 1)),
    "cors_origins": ("https://a.example, https://B.example/", ("https://a.example", "https://b.example"), (5, [5])),
    "allowed_hosts": ("Receiver.example, *.svc", ("receiver.example", "*.svc"), (5, [5])),
    "max_request_bytes": ("1000", 1000, ("0", "-1", "much", True, 1.5)),
    "max_held_bytes": ("1000000000", 10**9, ("0", "much")),
    "inbox_max_bytes": ("1000000000", 10**9, ("0", "much")),
    "max_connections": ("10", 10, ("0", "many")),
    "max_grpc_connections": ("10", 10, ("0", "many")),
    "body_timeout_s": ("2.5", 2.5, ("0", "-1", "long", "inf", True)),
    "stop_timeout_s": ("2.5", 2.5, ("0", "nan")),
    "log_format": ("JSON", LogFormat.JSON, ("xml",)),
}
NEEDED = {
    "tls_cert": {"tls_key": "k"},
    "tls_key": {"tls_cert": "c"},
    "tls_client_ca": {"tls_cert": "c", "tls_key": "k"},
}


def test_every_setting_has_an_example_here() -> None:
    """No setting is without these tests."""
    assert list(EXAMPLES) == [variable.name for variable in VARIABLES]


@pytest.mark.parametrize("name", EXAMPLES)
def test_flag_environment_and_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting is read from its variable and from the file; the environment beats the file, a flag beats both."""
    text, value, _ = EXAMPLES[name]
    others = NEEDED.get(name, {})
    (environment,) = (variable.environment for variable in VARIABLES if variable.name == name)
    assert getattr(ReceiverSettings.resolve(others, {name: text}), name) == value
    assert getattr(ReceiverSettings.resolve({**others, name: text}, {}), name) == value
    monkeypatch.setenv(environment, text)
    assert getattr(ReceiverSettings.resolve(others), name) == value


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, (*_, wrong) in EXAMPLES.items() for value in wrong]
)
def test_values_that_a_setting_cannot_have(name: str, value: Any) -> None:
    """Named with the setting."""
    with pytest.raises(ConfigError, match=name):
        ReceiverSettings.resolve({name: value})


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"grpc": "off", "http": "off"}, "nothing to serve"),
        ({"bearer_tokens": "a", "basic_auth": "b"}, "both"),
        ({"tls_cert": "a"}, "belong together"),
        ({"tls_client_ca": "a"}, "tls_cert"),
        ({"max_request_bytes": 2**30}, "max_held_bytes"),
        ({"ports": 1}, "ports"),
    ],
)
def test_settings_that_do_not_go_together(arguments: dict[str, Any], why: str) -> None:
    """Found at the start."""
    with pytest.raises(ConfigError, match=why):
        ReceiverSettings.resolve(arguments)


def test_loopback_by_default() -> None:
    """Nobody else can send until somebody says so."""
    settings = ReceiverSettings.resolve({})
    assert settings.grpc == Address("127.0.0.1", 4317)
    assert settings.http == Address("127.0.0.1", 4318)
