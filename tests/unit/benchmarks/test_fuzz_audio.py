"""The fuzz run of the audio intake: what it counts, and that a file can be had again."""

from __future__ import annotations

import json
import sys
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import fuzz_audio
from domains.music.audio.decode import decode_bytes
from domains.music.audio.decoder import DecodeLimits
from domains.music.audio.intake import AudioIntake

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def seeds() -> list[bytes]:
    return fuzz_audio.make_seeds()


def test_every_seed_can_be_decoded_before_it_is_damaged(seeds: list[bytes]) -> None:
    for audio in seeds:
        assert len(decode_bytes(audio)) >= 22_050


def test_a_file_is_the_same_whichever_ran_before_it(seeds: list[bytes]) -> None:
    assert fuzz_audio.damaged_file(seeds, 1, 7) == fuzz_audio.damaged_file(seeds, 1, 7)
    assert len({fuzz_audio.damaged_file(seeds, 1, number) for number in range(20)}) == 20


def test_a_run_counts_every_file_and_ends_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz_audio", "--files", "30", "--json"])
    assert fuzz_audio.main() == 0
    report = json.loads(capsys.readouterr().out)
    assert sum(report["answers"].values()) == 30
    assert report["failures"] == []


class Broken(AudioIntake):
    """An intake that answers what no intake should."""

    def __init__(self, answer: Samples | Exception) -> None:
        super().__init__(n_processes=1)
        self.answer = answer

    def decode(self, audio: bytes) -> Samples:  # noqa: ARG002 - it is all the same
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    "answer", [ZeroDivisionError(), np.zeros(3, np.float32), np.full(22_050, np.nan, np.float32)]
)
def test_anything_but_samples_or_a_refusal_is_a_failure(answer: Samples | Exception) -> None:
    _, failure, _ = fuzz_audio.ask(partial(fuzz_audio.decoded, Broken(answer)), b"", DecodeLimits())
    assert failure


def test_what_takes_longer_than_the_limit_and_a_second_is_a_failure() -> None:
    fine = np.zeros(22_050, np.float32)
    assert fuzz_audio.ask(partial(fuzz_audio.decoded, Broken(fine)), b"", DecodeLimits())[:2] == (
        "decoded",
        "",
    )
    assert fuzz_audio.ask(
        partial(fuzz_audio.decoded, Broken(fine)), b"", DecodeLimits(wall_seconds=-1.0)
    )[1]
