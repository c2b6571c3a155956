"""The composition root: every part of the server is made here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from core.requests import Engine
from encore.v1.admin_service_pb2_grpc import add_AdminServiceServicer_to_server
from encore.v1.recommender_service_pb2_grpc import add_RecommenderServiceServicer_to_server
from server.executors import BoundedExecutor
from server.handlers.extras import ExtrasHandler
from server.handlers.feedback import FeedbackHandler
from server.handlers.genre import GenreHandler
from server.handlers.recommend import RecommendHandler
from server.handlers.score import ScoreHandler
from server.handlers.why_not import WhyNotHandler
from server.interceptors import AccessLog, CallChain, Counting, Errors
from server.lifecycle import EncoreServer
from server.logs import Log, json_log
from server.media import HttpMediaProvider, MediaProvider, NoMedia
from server.media.http_provider import HttpMediaOptions
from server.metrics import Metrics
from server.pages import PageTokens
from server.ports import FeedbackLog, ObjectAudioStore, QueueStore, RecommendationStore
from server.queueing import Queueing, QueueRules
from server.regeneration import Regeneration
from server.servicers import AdminServicer, RecommenderServicer
from server.serving import Capabilities, Clock, Serving
from server.settings import Settings
from server.tail import FeedbackTail


def build_server(
    settings: Settings,
    engines: Mapping[str, Engine],
    capabilities: Mapping[str, Capabilities],
    feedback_log: FeedbackLog,
    queues: QueueStore,
    recommendations: RecommendationStore,
    object_audio: ObjectAudioStore,
    clock: Clock,
    page_token_key: bytes,
    log: Log | None = None,
) -> EncoreServer:
    """A server, not started.

    Args:
        settings: ports, limits, drain.
        engines: domain -> engine; `EncoreServer.swap` replaces one. The domains are fixed here.
        capabilities: domain -> what it offers beside its engine.
        feedback_log: where feedback is made durable.
        queues: where ranked lists are kept.
        recommendations: where answered pages are kept.
        object_audio: what was heard of objects.
        clock: epoch seconds.
        page_token_key: seals page tokens; equal on all replicas.
        log: where to log; by default JSON lines on standard output.
    """
    log = log or json_log(level=settings.log_level)
    metrics = Metrics()
    executor = partial(
        BoundedExecutor, retry_after_s=settings.retry_after_s, observe=metrics.observe_stage
    )
    scoring = executor(
        "scoring", workers=settings.scoring_workers, waiting=settings.scoring_waiting
    )
    listening = executor(
        "listening", workers=settings.listening_workers, waiting=settings.listening_waiting
    )
    database = executor(
        "database", workers=settings.database_workers, waiting=settings.database_waiting
    )
    metrics.watch_depth("scoring", lambda: scoring.waiting)
    metrics.watch_depth("listening", lambda: listening.waiting)
    metrics.watch_depth("database", lambda: database.waiting)

    serving = Serving(engines, capabilities, clock)
    metrics.watch_models(serving.engines)
    tails = {
        domain: FeedbackTail(domain, partial(serving.current, domain), feedback_log)
        for domain in engines
    }

    media: MediaProvider = NoMedia()
    if settings.media_url:
        media_options = HttpMediaOptions(settings.media_budget_s, settings.media_timeout_s)
        media = HttpMediaProvider(settings.media_url, log, media_options)

    score = ScoreHandler(serving, scoring, metrics)
    rules = QueueRules(
        settings.queue_size, settings.queue_ttl_s, settings.queue_low, settings.story_ttl_s
    )
    queueing = Queueing(serving, scoring, database, queues, metrics, rules)
    regeneration = Regeneration(serving, scoring, database, queues, queueing, metrics, log)
    recommender = RecommenderServicer(
        score,
        RecommendHandler(
            serving,
            scoring,
            database,
            queues,
            recommendations,
            PageTokens(page_token_key),
            metrics,
            queueing,
            regeneration,
        ),
        ExtrasHandler(serving, scoring, database, object_audio, media),
        GenreHandler(serving, scoring, listening),
        FeedbackHandler(serving, database, feedback_log, tails, metrics, settings.clock_skew_s),
        settings.max_audio_bytes,
    )
    admin = AdminServicer(score, WhyNotHandler(serving, scoring, queueing), serving)

    def chain() -> CallChain:
        counting, access_log = Counting(metrics), AccessLog(log)

        def unknown(path: str) -> None:
            counting.unknown()
            access_log.unknown(path)

        # Outermost first: what is counted and logged is what the caller got, after the errors
        # have become statuses.
        return CallChain((counting, access_log, Errors(log)), unknown)

    return EncoreServer(
        settings,
        serving,
        tails,
        queues,
        regeneration,
        scoring,
        listening,
        database,
        media,
        metrics,
        log,
        chain,
        partial(add_RecommenderServiceServicer_to_server, recommender),
        partial(add_AdminServiceServicer_to_server, admin),
    )
