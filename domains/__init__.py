"""The domains: what parameterises the core. A new one is a folder and a line here."""

from __future__ import annotations

from core.domain import Domain, Domains
from core.errors import UnknownDomainError
from domains import music, shopping, travel

DOMAINS: Domains = {
    "music": music.DOMAIN,
    "shopping": shopping.DOMAIN,
    "travel": travel.DOMAIN,
}


def domain_named(name: str) -> Domain:
    """The domain; UnknownDomainError names the known ones."""
    if name not in DOMAINS:
        raise UnknownDomainError(name, tuple(DOMAINS))
    return DOMAINS[name]


__all__ = ["DOMAINS", "domain_named"]
