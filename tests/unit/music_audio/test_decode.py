from __future__ import annotations

import gzip
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.errors import InvalidDataError, InvalidRequestError
from domains.music.audio.clips import CLIPS_DIRECTORY, Clip
from domains.music.audio.decode import SAMPLE_RATE, DecodeLimits, decode_bytes, decode_file

Encode = Callable[..., bytes]
Samples = NDArray[np.float64]


def wav(
    data: bytes, rate: int = SAMPLE_RATE, channels: int = 1, declared: int | None = None
) -> bytes:
    """Write a wav header of 16-bit samples by hand, to be able to lie in it."""
    n_bytes = len(data) if declared is None else declared
    step = 2 * channels
    form = struct.pack("<IHHIIHH", 16, 1, channels, rate, (rate * step) % 2**32, step, 16)
    riff = struct.pack("<I", min(36 + n_bytes, 2**32 - 1))
    return b"RIFF" + riff + b"WAVEfmt " + form + b"data" + struct.pack("<I", n_bytes) + data


def violation(audio: bytes, limits: DecodeLimits | None = None) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        decode_bytes(audio, limits or DecodeLimits())
    (found,) = caught.value.violations
    assert found.field == "audio"
    return found.description


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", None)],
)
def test_every_container_gives_back_the_sound_that_went_in(
    container: str, subtype: str | None, encode: Encode, tone: Samples
) -> None:
    samples = decode_bytes(encode(tone, container, subtype))
    assert samples.dtype == np.float32
    assert abs(len(samples) - len(tone)) < 0.1 * SAMPLE_RATE
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() * SAMPLE_RATE / len(samples) == pytest.approx(440, abs=1)


def test_lossless_files_come_back_sample_by_sample(encode: Encode, tone: Samples) -> None:
    np.testing.assert_allclose(decode_bytes(encode(tone, "FLAC")), tone, atol=1e-4)


def test_channels_are_averaged(encode: Encode, tone: Samples) -> None:
    stereo = np.column_stack([tone, np.zeros_like(tone)])
    np.testing.assert_allclose(decode_bytes(encode(stereo)), tone / 2, atol=1e-4)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 192_000])
def test_every_rate_is_brought_to_one(rate: int, encode: Encode) -> None:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    samples = decode_bytes(encode(wave, rate=rate))
    assert len(samples) == 2 * SAMPLE_RATE
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() / 2 == pytest.approx(440, abs=1)


def test_only_the_beginning_of_a_long_file_is_used(encode: Encode, tone: Samples) -> None:
    long = np.tile(tone, 3)
    samples = decode_bytes(encode(long), DecodeLimits(max_seconds=1.5))
    assert len(samples) == 1.5 * SAMPLE_RATE


def test_samples_beyond_full_scale_are_scaled_down(encode: Encode, tone: Samples) -> None:
    loud = decode_bytes(encode(1e30 * tone, "WAV", "FLOAT"))
    assert np.abs(loud).max() == pytest.approx(1.0, abs=1e-3)


def test_a_constant_offset_is_removed(encode: Encode, tone: Samples) -> None:
    np.testing.assert_allclose(decode_bytes(encode(tone + 0.3)), tone, atol=1e-4)


def test_a_declared_length_is_not_believed(tone: Samples) -> None:
    data = (tone * 32_767).astype("<i2").tobytes()
    assert len(decode_bytes(wav(data, declared=2**32 - 16))) == len(tone)


def ogg_page(packet: bytes) -> bytes:
    """Write the first page of a stream that consists of one short packet."""
    return b"OggS\0\2" + bytes(20) + bytes([1, len(packet)]) + packet


SECOND = (np.sin(np.arange(SAMPLE_RATE)) * 9_999).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        pytest.param(b"", "it is empty", id="empty"),
        pytest.param(b"a letter to the editor, not a song", "it is not wav", id="text"),
        pytest.param(bytes(9_999), "it is not wav", id="zeros"),
        pytest.param(b"RIFF", "it is not wav", id="four bytes"),
        pytest.param(b"PK\x03\x04" + bytes(99), "but a zip archive", id="zip"),
        pytest.param(gzip.compress(wav(SECOND)), "but a gzip archive", id="gzip"),
        pytest.param(b" <!DOCTYPE html><p>404</p>", "but a web page", id="html"),
        pytest.param(b"\xef\xbb\xbf<html><p>404</p>", "but a web page", id="html with mark"),
        pytest.param(b"\0\0\0\x20ftypM4A " + bytes(99), "but an mp4", id="m4a"),
        pytest.param(b"\xff\xf1\x50\x80" + bytes(99), "but AAC", id="aac"),
        pytest.param(b"\xff\xd8\xff\xe0" + bytes(99), "but a picture", id="jpeg"),
        pytest.param(b"RIFF\0\0\0\0AVI " + bytes(99), "but an avi video", id="avi"),
        pytest.param(ogg_page(b"\x7fFLAC\1\0"), "but FLAC in ogg", id="ogg flac"),
        pytest.param(ogg_page(b"\x80theora\3\2"), "but an ogg video", id="ogg theora"),
        pytest.param(ogg_page(b"Speex   1.2"), "but Speex in ogg", id="ogg speex"),
        pytest.param(b"garbage" * 9 + wav(SECOND), "it is not wav", id="wav inside garbage"),
        pytest.param(wav(SECOND)[:30], "damaged or cut off", id="header cut off"),
        pytest.param(b"OggS" + bytes(500), "damaged or cut off", id="ogg in name only"),
        pytest.param(b"fLaC" + bytes(500), "damaged or cut off", id="flac in name only"),
        pytest.param(b"ID3" + bytes(500), "damaged or cut off", id="mp3 in name only"),
        pytest.param(wav(b""), "at least 1 s", id="zero length"),
        pytest.param(wav(SECOND[: SAMPLE_RATE // 2]), "at least 1 s", id="a quarter second"),
        pytest.param(wav(bytes(4 * SAMPLE_RATE)), "silent", id="silence"),
        pytest.param(wav(b"\x00\x40" * 2 * SAMPLE_RATE), "silent", id="nothing but an offset"),
        pytest.param(wav(SECOND, rate=0), "damaged or cut off", id="no rate"),
        pytest.param(wav(SECOND, rate=100), "sample rate is 100 Hz", id="low rate"),
        pytest.param(wav(SECOND, rate=2**31 - 1), "sample rate is 2147483647", id="absurd rate"),
        pytest.param(wav(SECOND * 9, channels=9), "9 channels", id="nine channels"),
        pytest.param(wav(SECOND, channels=1024), "1024 channels", id="absurd channels"),
    ],
)
def test_what_is_not_usable_audio_is_refused_with_a_reason(audio: bytes, said: str) -> None:
    assert said in violation(audio)


@pytest.mark.parametrize("bad", [[np.nan, 0.1], [np.inf, 0.1], [np.inf, -np.inf]])
def test_samples_that_are_not_finite_are_refused(
    bad: list[float], encode: Encode, tone: Samples
) -> None:
    stereo = np.column_stack([tone, tone])
    stereo[1_000] = bad
    assert "not finite" in violation(encode(stereo, "WAV", "FLOAT"))


def test_sound_that_the_lower_rate_cannot_hold_counts_as_silence(encode: Encode) -> None:
    rate = 192_000
    fade = np.hanning(2 * rate)
    ultrasound = fade * np.sin(2 * np.pi * 60_000 * np.arange(2 * rate) / rate)
    assert "silent" in violation(encode(ultrasound, "WAV", "FLOAT", rate))


def test_an_upload_over_the_limit_is_refused_unread(encode: Encode, tone: Samples) -> None:
    audio = encode(tone)
    assert "at most 1000 are accepted" in violation(audio, DecodeLimits(max_bytes=1_000))


def test_a_flac_file_cut_in_half_is_refused(encode: Encode, tone: Samples) -> None:
    audio = encode(tone, "FLAC")
    assert "damaged or cut off" in violation(audio[: len(audio) // 2])


@pytest.mark.parametrize("container", ["WAV", "OGG", "MP3"])
def test_of_other_files_cut_off_what_is_there_is_decoded(container: str, encode: Encode) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 10 * SAMPLE_RATE)
    audio = encode(noise, container)
    samples = decode_bytes(audio[: len(audio) // 2])
    assert 4 * SAMPLE_RATE < len(samples) < 6 * SAMPLE_RATE
    assert "at least 1 s" in violation(audio[: len(audio) // 12])


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "DOUBLE", "ULAW"])
def test_every_width_of_sample_is_read(subtype: str, encode: Encode, tone: Samples) -> None:
    np.testing.assert_allclose(decode_bytes(encode(tone, "WAV", subtype)), tone, atol=0.02)


def test_a_clipped_sound_is_still_a_sound(encode: Encode, tone: Samples) -> None:
    samples = decode_bytes(encode(np.clip(20 * tone, -1, 1)))
    assert np.mean(np.abs(samples) > 0.9) > 0.9


@pytest.mark.parametrize("channels", range(1, 9))
def test_up_to_eight_channels_are_mixed(channels: int, encode: Encode, tone: Samples) -> None:
    audio = encode(np.repeat(tone[:, None], channels, axis=1), "FLAC")
    np.testing.assert_allclose(decode_bytes(audio), tone, atol=1e-4)


def test_opus_in_ogg_is_decoded(encode: Encode, tone: Samples) -> None:
    samples = decode_bytes(encode(np.tile(tone, 2), "OGG", "OPUS", 48_000))
    assert len(samples) > SAMPLE_RATE


def test_megabytes_of_tags_before_an_mp3_are_skipped(encode: Encode, tone: Samples) -> None:
    n_bytes = 3 << 20
    size = bytes(n_bytes >> shift & 0x7F for shift in (21, 14, 7, 0))
    tag = b"ID3\4\0\0" + size + bytes(n_bytes)
    audio = encode(tone, "MP3")
    np.testing.assert_array_equal(decode_bytes(tag + audio), decode_bytes(audio))


def test_hours_in_a_few_bytes_cost_no_more_than_the_limit(encode: Encode) -> None:
    rate = 8_000
    hour = np.zeros(3_600 * rate, np.int16)
    audio = encode(hour, "FLAC", None, rate)
    assert len(audio) < 200_000
    assert "silent" in violation(audio)
    hour[::7] = 9_999
    samples = decode_bytes(encode(hour, "FLAC", None, rate))
    assert len(samples) == 60 * SAMPLE_RATE


def test_decoded_samples_are_bounded_over_all_channels(encode: Encode, tone: Samples) -> None:
    audio = encode(np.repeat(tone[:, None], 4, axis=1), "FLAC")
    bound = DecodeLimits(max_decoded_samples=5 * SAMPLE_RATE)
    assert len(decode_bytes(audio, bound)) == 5 * SAMPLE_RATE // 4


def test_a_flac_header_that_declares_hours_is_not_believed(encode: Encode, tone: Samples) -> None:
    audio = bytearray(encode(tone, "FLAC"))
    audio[8 + 13 : 8 + 18] = bytes([audio[8 + 13] | 0x0F, 255, 255, 255, 255])
    assert outcome(bytes(audio)) in ALLOWED


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 192_000])
def test_the_rate_is_changed_as_librosa_changes_it(rate: int, encode: Encode) -> None:
    wave = np.random.default_rng(1).normal(scale=0.1, size=rate + 7).astype(np.float32)
    wave = np.clip(wave, -1, 1)
    expected = librosa.resample(wave, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_hq")
    expected -= expected.mean()
    samples = decode_bytes(encode(wave, "WAV", "FLOAT", rate))
    np.testing.assert_array_equal(samples, expected)


def test_containers_that_were_not_asked_for_are_refused(encode: Encode, tone: Samples) -> None:
    assert "it is not wav" in violation(encode(tone, "AIFF"))


def test_the_byte_limit_is_for_uploads_not_for_files(clips: tuple[Clip, ...]) -> None:
    samples = decode_file(clips[0].path, DecodeLimits(max_bytes=10))
    np.testing.assert_array_equal(samples, decode_bytes(clips[0].path.read_bytes()))


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    with pytest.raises(InvalidDataError, match=r"song\.mp3: cannot be read"):
        decode_file(path)
    path.write_bytes(b"not a song")
    with pytest.raises(InvalidDataError, match=re.escape("song.mp3: it is not wav")):
        decode_file(path)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.wav")
    for path in (tmp_path, tmp_path / "endless.wav"):
        with pytest.raises(InvalidDataError, match="not a regular file"):
            decode_file(path)


ALLOWED = ("finite samples", "violation of audio")


def outcome(audio: bytes) -> str:
    """Say how decoding ended; errors other than violations pass through."""
    try:
        samples = decode_bytes(audio)
    except InvalidRequestError as error:
        return "violation of " + ",".join(found.field for found in error.violations)
    return "finite samples" if np.isfinite(samples).all() else "other samples"


SEEDS = (
    b"",
    b"OggS",
    b"fLaC",
    b"ID3",
    b"\xff\xfb\x90\x00",
    wav(b"")[:20],
    wav(SECOND[:400]),
    (CLIPS_DIRECTORY / "jazz_trumpet_0.ogg").read_bytes()[:4_500],
)


@settings(max_examples=300, deadline=None)
@given(start=st.sampled_from(SEEDS), rest=st.binary(max_size=300), cut=st.integers(0, 100))
def test_no_bytes_raise_anything_but_a_violation_of_the_field_audio(
    start: bytes, rest: bytes, cut: int
) -> None:
    assert outcome(start[: len(start) - cut] + rest) in ALLOWED


@settings(max_examples=200, deadline=None)
@given(position=st.integers(0, 20_000), value=st.integers(0, 255))
def test_a_damaged_byte_gives_finite_samples_or_a_violation(position: int, value: int) -> None:
    audio = bytearray((CLIPS_DIRECTORY / "jazz_trumpet_0.ogg").read_bytes())
    audio[position] = value
    assert outcome(bytes(audio)) in ALLOWED
