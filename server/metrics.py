"""Prometheus metrics of one server; `grpc_server_*` names and labels are those of Go servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from core.requests import Engine

METHOD_LABELS = ("grpc_type", "grpc_service", "grpc_method")
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Everything that is counted, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.started = Counter(
            "grpc_server_started",
            "Calls that arrived.",
            METHOD_LABELS,
            registry=self.registry,
        )
        self.handled = Counter(
            "grpc_server_handled",
            "Calls that ended, whatever the way; each started call ends once.",
            (*METHOD_LABELS, "grpc_code"),
            registry=self.registry,
        )
        self.handling = Histogram(
            "grpc_server_handling_seconds",
            "Seconds from arrival to end.",
            METHOD_LABELS,
            buckets=SECONDS,
            registry=self.registry,
        )
        self.stage = Histogram(
            "encore_stage_seconds",
            "Seconds of work in one stage of a call, waiting left out.",
            ("stage",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.scored = Counter(
            "encore_scored_objects",
            "Objects that Score answered for.",
            ("domain", "model_version"),
            registry=self.registry,
        )
        self.feedback = Counter(
            "encore_feedback_events",
            "Feedback events; result is accepted, duplicate or rejected.",
            ("domain", "outcome", "result"),
            registry=self.registry,
        )
        self.fallbacks = Counter(
            "encore_recommend_fallbacks",
            "Things that failed or fell back while a list was ranked.",
            ("domain",),
            registry=self.registry,
        )
        self.first_pages = Counter(
            "encore_recommend_first_pages",
            "First pages; origin is live, queue, or why a queue was not used: queue_missing, "
            "queue_of_other_model, queue_too_old, queue_too_short.",
            ("domain", "origin"),
            registry=self.registry,
        )
        self.regenerations = Counter(
            "encore_queue_regenerations",
            "Queues that ran low; result is stored, overtaken by a newer first page, put_off while "
            "calls wait, or failed.",
            ("domain", "result"),
            registry=self.registry,
        )
        self._depth = Gauge(
            "encore_executor_queue_depth",
            "Calls that wait for a thread.",
            ("executor",),
            registry=self.registry,
        )

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Count the duration of one stage."""
        self.stage.labels(stage).observe(seconds)

    def watch_depth(self, executor: str, depth: Callable[[], float]) -> None:
        """Read the length of a waiting line whenever metrics are read."""
        self._depth.labels(executor).set_function(depth)

    def watch_models(self, engines: Callable[[], Iterable[Engine]]) -> None:
        """Tell which models serve whenever metrics are read."""
        self.registry.register(_Models(engines))


class _Models(Collector):
    """Reads the engines at each scrape, so that a swapped model leaves no stale series."""

    def __init__(self, engines: Callable[[], Iterable[Engine]]) -> None:
        self._engines = engines

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily(
            "encore_model_info", "1 for each model that serves.", labels=("domain", "model_version")
        )
        watermark = GaugeMetricFamily(
            "encore_feedback_watermark",
            "Sequence of the last feedback row in the state.",
            labels=("domain",),
        )
        for engine in self._engines():
            info.add_metric((engine.domain, engine.model_version), 1.0)
            watermark.add_metric((engine.domain,), float(engine.watermark))
        return (info, watermark)
