"""Which engines serve, by domain, and what the time is for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from core.errors import CapabilityMissingError, NotReadyError, UnknownDomainError
from core.requests import Engine, GenreCapability

Clock = Callable[[], float]
"""Epoch seconds."""


@dataclass(frozen=True)
class Capabilities:
    """What a domain offers beside its engine."""

    genre: GenreCapability | None = None
    genre_missing: str = "its objects have no sound"
    """Why there is no genre capability, for the caller; counts only when there is none."""
    pools: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Pool name -> object ids, for capabilities that pick objects themselves."""


class Serving:
    """Engines by domain, looked up anew in every call, so that a replaced one serves at once."""

    def __init__(
        self,
        engines: Mapping[str, Engine],
        capabilities: Mapping[str, Capabilities],
        clock: Clock,
    ) -> None:
        self._engines = dict(engines)
        self._capabilities = dict(capabilities)
        self._clock = clock
        self.ready = False
        """Set once every state has caught up with the feedback log."""

    def engines(self) -> Iterator[Engine]:
        """All engines, ready or not, by name of their domain."""
        return (self._engines[domain] for domain in sorted(self._engines))

    def current(self, domain: str) -> Engine:
        """The engine of a domain, ready or not; KeyError for one that is not served."""
        return self._engines[domain]

    def replace(self, engine: Engine, capabilities: Capabilities) -> None:
        """Let another engine answer for its domain from now on."""
        self._engines[engine.domain] = engine
        self._capabilities[engine.domain] = capabilities

    def engine(self, domain: str) -> Engine:
        """The engine that answers for a domain.

        Raises:
            UnknownDomainError: no such domain is served.
            NotReadyError: the server has not caught up yet.
        """
        engine = self._engines.get(domain)
        if engine is None:
            raise UnknownDomainError(domain, sorted(self._engines))
        if not self.ready:
            raise NotReadyError(f"domain {domain!r} is still loading: retry shortly")
        return engine

    def capabilities(self, domain: str) -> Capabilities:
        """What a served domain offers beside its engine."""
        return self._capabilities.get(domain, Capabilities())

    def genre(self, domain: str) -> GenreCapability:
        """The genre capability; CapabilityMissingError says why there is none."""
        offered = self.capabilities(domain)
        if offered.genre is None:
            raise CapabilityMissingError(
                f"domain {domain!r} does not answer GenreNeighbor: {offered.genre_missing}"
            )
        return offered.genre

    def wall_s(self) -> float:
        """The server's clock, in epoch seconds."""
        return self._clock()

    def now_s(self, engine: Engine) -> float:
        """The moment on the engine's log clock: never before what its state has seen."""
        return max(self._clock(), engine.clock_s)
