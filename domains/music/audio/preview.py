"""Chooses the part of a sound that stands for the whole: loud, recurring, beginning with a sound.

What recurs is found as in Bartsch and Wakefield 2005, "Audio thumbnailing of popular music using
chroma-based representations": similarity of pitch classes, averaged along the diagonals of the
self-similarity matrix. Unlike theirs the phrases compared are short, so that excerpts of half a
minute hold several; a window scores by the mean over its phrases, as in Cooper and Foote 2002,
"Automatic music summarization via similarity analysis", and by its loudness.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from domains.music.audio.decode import SAMPLE_RATE
from domains.music.audio.features import root_mean_square
from domains.music.audio.rhythm import onset_strength
from domains.music.audio.spectra import N_CHROMA, Spectra, analyse
from domains.music.audio.transform import HOP

_FRAMES_A_STEP = 8
"""0.19 s: pitch classes are averaged over so many frames, and windows begin with one of them."""
_STEPS_A_PHRASE = 16
"""3 s: what must come again to count as recurring."""
_FLAT = 0.5
"""Length of the centred pitch classes of hardly any harmony: noise recurs all the time, unheard."""
_SNAP_S = 1.0
"""How far the beginning is moved to an onset."""
_PIECE = 128
"""Samples, 6 ms: how exactly an onset is found."""
_NEXT_TO_NOTHING = 0.01
"""Windows whose scores, 0 to 2, fall short of the best by less are as good, the earliest wins."""


@dataclass(frozen=True)
class Preview:
    """A window of a sound; `start_ms + length_ms` never lies beyond its end."""

    start_ms: int
    length_ms: int


def choose_preview(samples: NDArray[np.float32], seconds: float = 15.0) -> Preview:
    """Choose the window that makes the best preview.

    Args:
        samples: `(n,)` mono at `SAMPLE_RATE`, as `decode_bytes` returns it. Memory grows with the
            square of its length: 1 MB for a minute, 80 MB for ten.
        seconds: length of the window, above 0.

    Returns:
        The window, beginning with an onset where there is one nearby; the whole sound if it is no
        longer than the window. The same samples give the same window.

    Raises:
        ValueError: if `seconds` is not a finite number above 0.
    """
    return preview_of(analyse(samples), seconds)


def preview_of(spectra: Spectra, seconds: float = 15.0) -> Preview:
    """Choose as `choose_preview` does, from a signal that has been transformed already."""
    if not 0 < seconds < float("inf"):
        raise ValueError(f"a preview needs a length above 0 s, got {seconds}")
    whole_ms = 1_000 * len(spectra.signal) // SAMPLE_RATE
    if whole_ms <= 1_000 * seconds:
        return Preview(0, whole_ms)
    length_ms = max(1, round(1_000 * seconds))
    latest_ms = whole_ms - length_ms
    best_s = _best_start_s(spectra, length_ms / 1_000, latest_ms / 1_000)
    start_s = _onset_near(best_s, latest_ms / 1_000, spectra)
    return Preview(min(int(1_000 * start_s), latest_ms), length_ms)


def _best_start_s(spectra: Spectra, length_s: float, latest_s: float) -> float:
    """Return where the loudest and most recurring window begins, at most at `latest_s`."""
    step_s = _FRAMES_A_STEP * HOP / SAMPLE_RATE
    loudness = _step_means(root_mean_square(spectra.padded)[:, None])[:, 0]
    n_steps = len(loudness)
    n_window = min(max(1, round(length_s / step_s)), n_steps)
    n_starts = min(int(latest_s / step_s), n_steps - n_window) + 1
    n_phrase = min(_STEPS_A_PHRASE, n_window)
    loud = _window_means(loudness, n_window)[:n_starts]
    recurring = _window_means(_recurrence(spectra.chroma, n_phrase), n_window - n_phrase + 1)
    score = loud / loud.max() + recurring[:n_starts]
    return step_s * int(np.argmax(score >= score.max() - _NEXT_TO_NOTHING))


def _recurrence(chroma: NDArray[np.float32], n_phrase: int) -> NDArray[np.float64]:
    """Say how well each phrase comes again somewhere else.

    Args:
        chroma: `(n_frames, N_CHROMA)`, as in `Spectra`.
        n_phrase: steps a phrase.

    Returns:
        `(n_steps - n_phrase + 1,)`, 0 to 1: the mean cosine of the phrase that begins there with
        the phrase most like it of those that do not overlap it; 0 without one.
    """
    steps = _step_means(chroma)
    steps -= steps.mean(axis=1, keepdims=True)
    steps /= np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), _FLAT)
    n_phrases = len(steps) - n_phrase + 1
    # The cosine of phrases is the product of steps laid end to end: no diagonal need be walked.
    phrases = sliding_window_view(steps, n_phrase, axis=0).reshape(n_phrases, n_phrase * N_CHROMA)
    similarity = phrases @ phrases.T / n_phrase
    begin = np.arange(n_phrases)
    similarity[np.abs(begin[:, None] - begin) < n_phrase] = 0
    best: NDArray[np.float64] = np.clip(similarity.max(axis=1), 0, 1)
    return best


def _onset_near(start_s: float, latest_s: float, spectra: Spectra) -> float:
    """Return when the strongest onset near a time begins, or the time itself if there is none."""
    frames_a_second = SAMPLE_RATE / HOP
    strength = onset_strength(spectra.mel_db)
    first = max(0, round((start_s - _SNAP_S) * frames_a_second))
    last = int(min(start_s + _SNAP_S, latest_s) * frames_a_second)
    nearby = strength[first : last + 1]
    if not nearby.any():
        return start_s
    onset = first + int(np.argmax(nearby))
    # The frames around an onset all see it: the steepest rise of the signal itself tells when.
    around = slice(max(0, (onset - 4) * HOP), (onset + 2) * HOP)
    sound = spectra.signal[around]
    pieces = sound[: len(sound) // _PIECE * _PIECE].reshape(-1, _PIECE)
    loudness = np.sqrt(np.einsum("ps,ps->p", pieces, pieces))
    rise = np.diff(loudness, prepend=0 if around.start == 0 else loudness[:1])
    return (around.start + _PIECE * int(np.argmax(rise))) / SAMPLE_RATE


def _step_means(frames: NDArray[np.floating]) -> NDArray[np.float64]:
    """Average `(n_frames, k)` over the frames of each whole step, `(n_steps, k)`; at least one."""
    n_steps = len(frames) // _FRAMES_A_STEP
    whole = frames[: n_steps * _FRAMES_A_STEP].astype(np.float64)
    means: NDArray[np.float64] = whole.reshape(n_steps, _FRAMES_A_STEP, -1).mean(axis=1)
    return means


def _window_means(values: NDArray[np.float64], n_window: int) -> NDArray[np.float64]:
    """Return the means of all runs of `n_window` values."""
    reached = np.concatenate([[0.0], values.cumsum()])
    means: NDArray[np.float64] = (reached[n_window:] - reached[:-n_window]) / n_window
    return means
