"""The first calls are the server's own."""

from __future__ import annotations

import io
import wave

import pytest

from core.errors import FieldViolation, InvalidRequestError
from core.log import Outcome
from core.requests import FeedbackEvent, GenreAnswer
from server.logs import json_log
from server.serving import Capabilities
from server.testing import FakeEngine, FakeGenre, LogLines
from server.warmup import test_sound as sound_of_warm_up
from server.warmup import warm_up


class Deaf(FakeGenre):
    """Refuses every sound."""

    def warm_up(self) -> None:
        pass

    def by_audio(
        self, audio: bytes, k: int, same_genre: bool, pool_ids: frozenset[str] | None
    ) -> GenreAnswer:
        del k, same_genre, pool_ids
        raise InvalidRequestError([FieldViolation("audio", f"{audio[:4]!r} is refused")])


def test_each_way_of_reading_an_engine_is_tried_once() -> None:
    engine = FakeEngine()
    warm_up(engine, Capabilities(), json_log(LogLines()))
    assert engine.calls == ["recommend", "score", "score", "still_allowed"]


def test_known_users_are_read_in_other_ways_than_strangers() -> None:
    engine = FakeEngine()
    engine.apply(FeedbackEvent(1, "ann", "t1", Outcome.PLAY, 1.0))
    warm_up(engine, Capabilities(), json_log(LogLines()))
    assert [request.user.id for request in engine.asked] == ["", "ann"]
    assert engine.calls == ["recommend", "score", "score", "still_allowed"] * 2


def test_an_engine_without_objects_can_be_warmed_up() -> None:
    warm_up(FakeEngine(catalogue={}), Capabilities(), json_log(LogLines()))


def test_an_engine_that_fails_fails_the_warm_up() -> None:
    engine = FakeEngine()
    engine.failure = RuntimeError("broken bundle")
    with pytest.raises(RuntimeError, match="broken bundle"):
        warm_up(engine, Capabilities(), json_log(LogLines()))


def test_a_refused_sound_is_only_logged() -> None:
    log = LogLines()
    warm_up(FakeEngine(), Capabilities(Deaf()), json_log(log))
    assert log.wait_for("warm-up sound refused")["problem"] == "audio: b'RIFF' is refused"


def test_the_sound_is_five_seconds_of_wav() -> None:
    with wave.open(io.BytesIO(sound_of_warm_up())) as sound:
        assert sound.getnframes() / sound.getframerate() == 5.0
