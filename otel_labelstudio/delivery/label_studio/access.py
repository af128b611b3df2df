"""How a server is reached beside its address and its key."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Access:
    """``headers`` are for what stands in front of the server. ``authorities`` is the variable that names whom to trust,
    such as SSL_CERT_FILE, and the file or directory that it names."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    authorities: tuple[str, str] | None = None

    @property
    def takes_authorization(self) -> bool:
        """Whether the header in which Label Studio's key travels is taken by another login."""
        return any(name.lower() == "authorization" for name, _ in self.headers)

    @property
    def authorities_variable(self) -> str:
        """The variable that names, or may name, whom to trust."""
        return self.authorities[0] if self.authorities else "SSL_CERT_FILE"
