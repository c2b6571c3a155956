"""Finds bundles on disk and makes engines of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.bundle import has_bundle, latest_version
from core.engine import DomainEngine, load_bundle
from core.errors import BundleError
from domains import DOMAINS, domain_named
from server.logs import Log
from server.serving import Capabilities


@dataclass(frozen=True)
class Models:
    """What a server serves, by domain."""

    engines: Mapping[str, DomainEngine]
    capabilities: Mapping[str, Capabilities]


def open_models(root: Path, domains: tuple[str, ...], log: Log) -> Models:
    """Load the latest bundle of each domain.

    Args:
        root: directory of all bundles.
        domains: which to serve; empty for every domain that has a bundle.
        log: where failing sources and members are told.

    Raises:
        BundleError: a named domain has no bundle, no domain has one, or one does not load.
        UnknownDomainError: a name is not a domain.
    """
    wanted = domains or tuple(name for name in DOMAINS if has_bundle(root, name))
    if not wanted:
        raise BundleError(
            f"no bundle in {root}: run `encore train DOMAIN --data DIR` first, or name another "
            "directory with --bundles"
        )
    engines: dict[str, DomainEngine] = {}
    capabilities: dict[str, Capabilities] = {}
    for name in wanted:
        domain = domain_named(name)
        bundle = load_bundle(latest_version(root, name), domain)

        def report(part: str, error: Exception, domain_name: str = name) -> None:
            log.error("a part failed", domain=domain_name, part=part, exc_info=error)

        engine = DomainEngine(domain, bundle, report)
        engines[name] = engine
        pools = {pool: engine.pool_ids(pool) for pool in domain.schema.pools}
        missing = (
            "its objects have no sound"
            if domain.genre is None
            else "this bundle was published without a genre model"
        )
        capabilities[name] = Capabilities(bundle.genre, missing, pools)
    return Models(engines, capabilities)
