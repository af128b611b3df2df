"""The proxy of the environment by which a server is reached: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.

Looked up here and not by httpx, so that an error can tell whether the proxy or the server is meant, so that a proxy
which is not used for this server breaks nothing, and so that NO_PROXY may hold networks, as curl's and Go's may.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from otel_labelstudio.delivery.label_studio.answers import NotReachedError

_PORTS = {"http": 80, "https": 443}
_SCHEMES = ("http", "https", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class Proxy:
    """``variable`` is the name of the environment variable; ``address`` may hold a login."""

    variable: str
    address: str = field(repr=False)

    def __str__(self) -> str:
        """Without its login."""
        parts = urlsplit(self.address)
        return f"the proxy {parts.scheme}://{parts.netloc.rpartition('@')[2]} ({self.variable})"


def proxy_for(url: str) -> Proxy | None:
    """The proxy for requests to ``url``; raises `NotReachedError` for one that cannot be used."""
    parts, proxies = urlsplit(url), getproxies()
    name = next((name for name in (parts.scheme, "all") if proxies.get(name)), None)
    if name is None or _is_direct(parts, proxies.get("no", "")):
        return None
    address = proxies[name] if "://" in proxies[name] else f"http://{proxies[name]}"
    proxy = Proxy(f"{name.upper()}_PROXY", address)
    _check(proxy)
    return proxy


def _check(proxy: Proxy) -> None:
    _check_address(proxy)
    scheme = urlsplit(proxy.address).scheme
    if scheme not in _SCHEMES:
        why = f"{proxy} has the unknown scheme {scheme}://; use {', '.join(f'{s}://' for s in _SCHEMES)}"
        raise NotReachedError(why, is_lasting=True)
    if scheme.startswith("socks") and find_spec("socksio") is None:
        raise NotReachedError(f"{proxy} needs a package: pip install 'httpx[socks]'", is_lasting=True)


def _check_address(proxy: Proxy) -> None:
    try:
        parts = urlsplit(proxy.address)
        is_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    # A password with a / or a # in it ends what is taken for host and port
    if not is_address or "@" in f"{parts.path}{parts.query}{parts.fragment}":
        raise not_an_address(proxy)


def not_an_address(proxy: Proxy) -> NotReachedError:
    """The error of a proxy's address that cannot be read. It does not show the address: which part of it is the login
    cannot be told."""
    why = (
        f"the proxy in {proxy.variable} is not an address; write it as http://host:port or "
        "http://user:password@host:port, with the special characters of a password URL-encoded"
    )
    return NotReachedError(why, is_lasting=True)


def _is_direct(parts: SplitResult, no_proxy: str) -> bool:
    """Python's own rules, in which an entry may have a port, and networks."""
    host = parts.hostname or ""
    # With colons of its own, an IPv6 address would be taken apart
    name = host if ":" in host else f"{host}:{parts.port or _PORTS[parts.scheme]}"
    return bool(proxy_bypass(name)) or _is_in_networks(host, no_proxy)


def _is_in_networks(host: str, no_proxy: str) -> bool:
    with suppress(ValueError):
        address = ip_address(host)
        return any(address in network for network in _networks(no_proxy))
    return False


def _networks(no_proxy: str) -> Iterator[IPv4Network | IPv6Network]:
    for entry in no_proxy.split(","):
        with suppress(ValueError):
            # An IPv6 address may have the brackets that it has in a URL
            yield ip_network(entry.strip().removeprefix("[").removesuffix("]"), strict=False)
