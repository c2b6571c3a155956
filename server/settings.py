"""What an operator can set: environment variables with the prefix ENCORE_, or arguments in code."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024


class Settings(BaseSettings):
    """Settings of one server process; `ENCORE_PORT=50051` sets `port`."""

    model_config = SettingsConfigDict(
        env_prefix="ENCORE_", frozen=True, extra="forbid", use_attribute_docstrings=True
    )

    bundles: Path = Path("bundles")
    """Directory of all bundles; the latest of each domain serves."""
    database_url: str = "sqlite:///encore.sqlite3"
    """SQLite or PostgreSQL URL of the store."""
    domains: tuple[str, ...] = ()
    """Domains to serve, as a JSON list; empty for every domain that has a bundle."""
    host: str = "0.0.0.0"  # noqa: S104 - the public API is meant to be reached
    """Address on which RecommenderService listens."""
    port: int = Field(default=50051, ge=0, le=65535)
    """Port of RecommenderService; 0 lets the system choose."""
    admin_host: str = "127.0.0.1"
    """Address on which AdminService listens; loopback keeps it to operators on the machine."""
    admin_port: int = Field(default=50052, ge=0, le=65535)
    """Port of AdminService; 0 lets the system choose."""
    metrics_host: str = "127.0.0.1"
    """Address on which /metrics answers over HTTP."""
    metrics_port: int = Field(default=9464, ge=0, le=65535)
    """Port of /metrics; 0 lets the system choose."""

    scoring_workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Threads that score and rank; default: one a core."""
    scoring_waiting: int = Field(default=64, ge=0)
    """Calls that may wait for a scoring thread; the next one is RESOURCE_EXHAUSTED."""
    listening_workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """Threads that listen to sound files, apart from those that score: a file may take seconds."""
    listening_waiting: int = Field(default=16, ge=0)
    """Calls that may wait for a listening thread; the next one is RESOURCE_EXHAUSTED."""
    database_workers: int = Field(default=4, ge=1)
    """Threads that talk to the store."""
    database_waiting: int = Field(default=256, ge=0)
    """Calls that may wait for a database thread; the next one is RESOURCE_EXHAUSTED."""
    retry_after_s: float = Field(default=0.5, gt=0)
    """What RetryInfo tells a caller that was turned away."""

    max_receive_bytes: int = Field(default=24 * MEBIBYTE, ge=1024)
    """Largest request: 20 MiB of audio and room around it."""
    max_audio_bytes: int = Field(default=20 * MEBIBYTE, ge=1024)
    """Largest sound file in a GenreNeighbor request."""
    keepalive_time_s: float = Field(default=60.0, gt=0)
    """A silent connection is probed after so many seconds."""
    keepalive_timeout_s: float = Field(default=20.0, gt=0)
    """A connection that does not answer the probe for so long is closed."""
    min_client_ping_s: float = Field(default=10.0, gt=0)
    """Clients that probe more often than this are disconnected."""

    queue_size: int = Field(default=100, ge=1, le=10_000)
    """Items ranked into a queue by the first page of Recommend."""
    queue_ttl_s: float = Field(default=86_400.0, gt=0)
    """Queues older than this are dropped; their page tokens become stale."""
    queue_low: float = Field(default=0.5, ge=0, le=1)
    """A stored queue of which a smaller share is left, since its items were taken or disliked, is
    ranked anew behind the answer; 0 waits until less than a page is left."""
    story_ttl_s: float = Field(default=300.0, ge=0)
    """A story keeps its pick for a user so long, unless they dislike it; 0 picks anew each
    time."""
    media_url: str = Field(default="", pattern=r"^(https?://\S+)?$")
    """Where titles, covers and preview links are asked for; empty: nobody knows any."""
    media_budget_s: float = Field(default=0.15, ge=0)
    """Longest that an answer waits for them."""
    media_timeout_s: float = Field(default=2.0, gt=0)
    """A request for them is given up after so long."""
    page_token_key: SecretStr = SecretStr("")
    """Secret that seals page tokens; equal on all replicas. Empty: one at random, made at the first
    start and kept in the database, where all replicas find it."""
    clock_skew_s: float = Field(default=300.0, ge=0)
    """How far in the future `occurred_at` may lie; within it an event counts as of now."""
    tail_poll_s: float = Field(default=0.5, ge=0)
    """Seconds between looks for feedback that other replicas stored; 0 never looks."""
    sweep_s: float = Field(default=600.0, ge=0)
    """Seconds between sweeps for queues that are too old; 0 never sweeps."""

    drain_delay_s: float = Field(default=0.0, ge=0)
    """On SIGTERM, seconds of NOT_SERVING before new calls are refused (for load balancers)."""
    drain_grace_s: float = Field(default=20.0, ge=0)
    """Seconds that calls in flight then have to finish."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """Lowest level that is logged."""
