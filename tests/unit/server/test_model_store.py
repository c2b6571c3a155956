"""Bundles on disk become engines: the latest of each domain, or none and a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.errors import BundleError, UnknownDomainError
from core.testing_domain import SMALL_DOMAIN, publish_small, small_log
from server import model_store
from server.model_store import open_models


class Silent:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[Mapping[str, Any]] = []

    def error(self, event: str, **fields: Any) -> None:  # noqa: ANN401 - as structlog has it
        self.told.append({"event": event, **fields})


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of one domain."""
    root = tmp_path_factory.mktemp("models")
    log = small_log(root / "log")
    for version in ("v1", "v2"):
        publish_small(root / "bundles", log, version=version)
    return root / "bundles"


@pytest.fixture(autouse=True)
def small_domains(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry holds the small domain and one that was never trained."""
    domains = {"small": SMALL_DOMAIN, "other": replace(SMALL_DOMAIN, name="other")}

    def named(name: str) -> object:
        if name not in domains:
            raise UnknownDomainError(name, tuple(domains))
        return domains[name]

    monkeypatch.setattr(model_store, "DOMAINS", domains)
    monkeypatch.setattr(model_store, "domain_named", named)


def test_the_latest_bundle_of_every_domain_that_has_one_is_served(root: Path) -> None:
    models = open_models(root, (), Silent())  # type: ignore[arg-type]
    assert {name: e.model_version for name, e in models.engines.items()} == {"small": "v2"}
    capabilities = models.capabilities["small"]
    assert capabilities.genre is None
    assert set(capabilities.pools) == {"free"}
    assert capabilities.pools["free"]


def test_a_first_writer_that_was_killed_does_not_keep_the_others_from_serving(root: Path) -> None:
    (root / "other" / ".v1.17.tmp").mkdir(parents=True)
    models = open_models(root, (), Silent())  # type: ignore[arg-type]
    assert set(models.engines) == {"small"}


def test_a_named_domain_without_a_bundle_is_refused(root: Path) -> None:
    with pytest.raises(BundleError, match="encore train other"):
        open_models(root, ("small", "other"), Silent())  # type: ignore[arg-type]


def test_an_unknown_domain_is_refused(root: Path) -> None:
    with pytest.raises(UnknownDomainError, match="'films'"):
        open_models(root, ("films",), Silent())  # type: ignore[arg-type]


def test_no_bundle_at_all_is_refused_with_what_to_do(tmp_path: Path) -> None:
    for where in (tmp_path, tmp_path / "missing"):
        with pytest.raises(BundleError, match="run `encore train DOMAIN --data DIR` first"):
            open_models(where, (), Silent())  # type: ignore[arg-type]
