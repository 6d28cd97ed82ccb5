"""silero-vad, a published voice activity detector: a scripted archive with state, branches on it, and two sample rates.

The archive comes with the package `silero-vad` (`pip download --no-deps silero-vad`, unpack the wheel): installed, or named
by the environment variable SILERO_VAD_ARCHIVE.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

import torchcc

torch = pytest.importorskip("torch", reason="compares with PyTorch")

CALLS = 100
RATES = {16000: 512, 8000: 256}
"""Samples per second, and samples per call."""


def archive():
    named = os.environ.get("SILERO_VAD_ARCHIVE")
    if named:
        return Path(named)
    found = importlib.util.find_spec("silero_vad")
    folders = [] if found is None else [Path(p) for p in found.submodule_search_locations or ()]
    return next((p for f in folders for p in [f / "data" / "silero_vad.jit"] if p.exists()), None)


@pytest.fixture(scope="module")
def models():
    path = archive()
    if path is None:
        pytest.skip("the package silero-vad is not installed, and SILERO_VAD_ARCHIVE is not set")
    return torchcc.load(path), torch.jit.load(str(path))


VOWELS = (((700, 90, 1.0), (1200, 110, 0.6), (2600, 150, 0.3)), ((300, 60, 1.0), (2200, 120, 0.5), (2900, 150, 0.25)))
"""Formants of two vowels: frequency, width, strength."""


def audio(rate, samples):
    """Two vowels of a swinging pitch that come and go over some noise: the model takes it for speech."""
    time = np.arange(samples) / rate
    pitch = 2 * np.pi * np.cumsum(130 + 25 * np.sin(2 * np.pi * 2.3 * time)) / rate
    harmonics = range(1, min(3400, rate // 2) // 160)
    strengths = [[sum(a / (1 + ((k * 130 - f) / w) ** 2) for f, w, a in v) for k in harmonics] for v in VOWELS]
    first, second = (sum(s * np.sin(k * pitch) for k, s in zip(harmonics, vowel)) for vowel in strengths)
    mixed = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time)
    loudness = np.clip(2 * np.sin(2 * np.pi * 1.1 * time), 0, 1) * np.clip(np.sin(2 * np.pi * 4.7 * time) + 1.2, 0, 1)
    noise = np.random.default_rng(rate).standard_normal(samples)
    return (0.15 * loudness * (first * mixed + second * (1 - mixed)) + 0.01 * noise).astype(np.float32)


def reset(models):
    for model in models:
        model.reset_states()


def stream(models, rate, calls):
    """Both models' probabilities, call by call."""
    ours, theirs = models
    count = RATES[rate]
    sound = audio(rate, calls * count)
    found, expected = [], []
    for i in range(calls):
        chunk = sound[None, i * count : (i + 1) * count]
        found.append(np.asarray(ours(chunk, rate)))
        with torch.no_grad():
            expected.append(theirs(torch.from_numpy(chunk.copy()), rate).numpy())
    return np.stack(found), np.stack(expected)


@pytest.mark.parametrize("rate", list(RATES))
def test_stream(models, rate):
    reset(models)
    found, expected = stream(models, rate, CALLS)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert expected.max() > 0.9 and expected.min() < 0.3  # speech, and pauses


def test_state_is_kept_and_reset(models):
    reset(models)
    first, _ = stream(models, 16000, 3)
    again, expected = stream(models, 16000, 3)
    np.testing.assert_allclose(again, expected, rtol=0, atol=1e-4)
    reset(models)
    anew, _ = stream(models, 16000, 3)
    np.testing.assert_array_equal(first, anew)
    assert (again != first).any()


def test_another_rate_resets_by_itself(models):
    reset(models)
    for rate in (16000, 8000, 16000):
        found, expected = stream(models, rate, 2)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_wrong_number_of_samples_raises(models):
    ours, theirs = models
    with pytest.raises(torch.jit.Error):
        theirs(torch.zeros(1, 100), 16000)
    with pytest.raises(torchcc.ExecutionError):
        ours(np.zeros((1, 100), np.float32), 16000)
