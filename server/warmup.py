"""First calls before the first caller: kernels are compiled before SERVING is said."""

from __future__ import annotations

import io
import wave

import numpy as np

from core.errors import EncoreError
from core.requests import Engine, RecommendRequest, ScoreRequest, UserRef
from server.logs import Log
from server.serving import Capabilities

SAMPLE_RATE = 22_050
SOUND_S = 5


def warm_up(engine: Engine, capabilities: Capabilities, log: Log) -> None:
    """Score and recommend for a stranger and a known user, and listen once.

    Blocks, for seconds where kernels must be compiled.
    An engine that cannot serve an unknown user fails here, before anybody asks; a sound that the
    genre capability refuses is only logged.
    """
    now_s = engine.clock_s
    # Some kernels read a user's past: strangers have none.
    for user_id in dict.fromkeys(("", engine.best_known_user)):
        user = UserRef(user_id)
        # Diversity has a kernel of its own.
        slate = engine.recommend(RecommendRequest(user, diversity=0.5), now_s)
        object_ids = [item.object_id for item in slate.items] or ["warm-up"]
        for profile in ("full", "light"):
            engine.score(ScoreRequest(user, object_ids, profile=profile), now_s)
        engine.still_allowed(user_id, object_ids, now_s)
    if capabilities.genre is not None:
        try:
            capabilities.genre.warm_up()
            capabilities.genre.by_audio(test_sound(), 1, same_genre=False, pool_ids=None)
        except EncoreError as error:
            log.warning("warm-up sound refused", domain=engine.domain, problem=str(error))


def test_sound() -> bytes:
    """A wav file of a chord in noise, the same every time."""
    time_s = np.arange(SOUND_S * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hertz * time_s) for hertz in (220.0, 277.2, 329.6))
    noise = np.random.default_rng(0).normal(size=len(time_s))
    samples = (0.2 * chord + 0.02 * noise) * np.iinfo(np.int16).max / 2
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE)
        sound.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()
