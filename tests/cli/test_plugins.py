"""Operators, priors, methods, networks and readers of one's own, by file and by package."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import Result

from invscore import plugins
from invscore.files.checkpoint import CheckpointError
from invscore.methods import METHODS, get_method
from invscore.priors import NetworkPrior, load_prior

Run = Callable[..., Result]

CODE = """
import torch
from invscore.batches import per_image
from invscore.methods import Step, dps, register
from invscore.operators import Identity
from invscore.priors import Prior


class Halved(Identity):
    def matvec(self, x):
        return 0.5 * x
    rmatvec = matvec


class Coin(Prior):
    mean, variance, peak, sigma_min, channels = 0.5, 0.25, 1.0, 0.05, None
    def denoise(self, x, sigma):
        return torch.sigmoid((x - 0.5) / per_image(sigma, x) ** 2)


def once(problem, prior, rng, *, steps: int = 3, push: float = 1.0):
    "The denoised measurement."
    for _ in range(steps):
        x = push * prior.denoise(2 * problem.y, 0.1)
        yield Step(x, x, 0.1)


@register("entered", exact=False, cites="here")
def entered(problem, prior, rng, *, steps: int = 3):
    "Enters itself."
    return once(problem, prior, rng, steps=steps)


class Net(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = torch.nn.Conv2d(1, 1, width, padding=width // 2)
    def forward(self, x, noise):
        return self.inner(x)


def read(path):
    return torch.zeros(1, 4, 4)


number = 3
"""

ENTRY_POINTS = """
[invscore.operators]
halved = strange_lab:Halved
[invscore.priors]
coin = strange_lab:Coin
[invscore.methods]
once = strange_lab:once
broken = strange_lab:nothing
[invscore.networks]
net = strange_lab:Net
[invscore.readers]
lab = strange_lab:read
"""


@pytest.fixture
def code(folder: Path) -> Path:
    (folder / "my.py").write_text(CODE)
    return folder


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package that enters one of each kind."""
    place = tmp_path / "site"
    info = place / "strange_lab-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "strange_lab.py").write_text(CODE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(place))
    importlib.invalidate_caches()
    yield
    sys.modules.pop("strange_lab", None)


@pytest.fixture(autouse=True)
def methods_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file enters a method of its own, which is taken out again."""
    monkeypatch.setitem(METHODS, "entered", METHODS["dps"])


COMMANDS = {
    "file": ("my.py:Halved", "my.py:Coin", "my.py:once"),
    "module": ("strange_lab:Halved", "strange_lab:Coin", "strange_lab:once"),
    "entry point": ("halved", "coin", "once"),
}


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.usefixtures("code", "package")
def test_one_of_each_is_found(kind: str, invscore: Run, folder: Path) -> None:
    op, prior, method = COMMANDS[kind]
    given = ("--op", op, "--prior", prior, "--method", method, "--set", "push=1")
    done = invscore("reconstruct", *given, "--image", "gray.png", "--out", "o", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["op"], said["prior"], said["method"]) == (op, prior, method)
    assert (folder / "o" / "reconstruction.png").exists()


INSTRUMENTS = """
import numpy as np
from scipy.sparse.linalg import LinearOperator
from torch import nn


class Camera(nn.Module):
    def __init__(self, gain=1.0):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        nn.init.constant_(self.conv.weight, gain / 9)

    def forward(self, x):
        return self.conv(x)


camera = Camera()


def half_of_the_rows(in_shape):
    _, h, w = in_shape

    def forward(v):
        return np.fft.fft2(v.reshape(h, w), norm="ortho")[::2].ravel()

    def adjoint(y):
        whole = np.zeros((h, w), complex)
        whole[::2] = y.reshape(-1, w)
        return np.fft.ifft2(whole, norm="ortho").ravel()

    return LinearOperator((h * w // 2, h * w), forward, adjoint, dtype=complex)
"""


@pytest.mark.parametrize("op", ["Camera(gain=2.0)", "camera", "half_of_the_rows"])
def test_instruments_of_torch_and_scipy_are_taken(
    op: str, invscore: Run, folder: Path, prior: str
) -> None:
    """Complex images of an operator are real ones behind a prior of these, which is said."""
    (folder / "own.py").write_text(INSTRUMENTS)
    options = ("--op", f"own.py:{op}", "--prior", prior, "--steps", "2")
    done = invscore("check", f"own.py:{op}", "--shape", "1,16,16")
    assert done.exit_code == 0, done.output
    done = invscore("reconstruct", *options, "--image", "camera", "--size", "16", "--out", "seen")
    assert done.exit_code == 0, done.output
    y = np.load("seen/arrays.npz")["y"]
    assert np.iscomplexobj(y) == (op == "half_of_the_rows")
    np.save("y.npy", y)
    given = ("--measurement", "y.npy", "--shape", "1,16,16", "--noise", "0.01", "--out", "own")
    done = invscore("reconstruct", *options, *given)
    assert done.exit_code == 0, done.output
    assert ("images: real, as those of the prior" in done.output) == np.iscomplexobj(y)
    assert np.load("own/arrays.npz")["mean"].dtype == np.float32
    given = ("--measurement", "y.npy", "--noise", "0.01", "--out", "none")
    done = invscore("reconstruct", *options, *given)
    assert done.exit_code == 2
    assert "--shape" in done.output


@pytest.mark.usefixtures("package")
def test_readers_and_networks_are_found() -> None:
    assert plugins.find_plugin("reader", "lab")("any").shape == (1, 4, 4)
    assert plugins.find_plugin("network", "net")(3).inner.kernel_size == (3, 3)
    assert plugins.find_plugin("network", "unheard-of") is None
    assert set(plugins.installed("method")) >= {"once", "broken"}
    with pytest.raises(ValueError, match=r"strange_lab:nothing .* cannot be imported: Attribute"):
        plugins.find_plugin("method", "broken")


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("my.py:number", "'my.py:number' must be a generator function"),
        ("my.py:none", "'my.py' defines no 'none'"),
        ("no.py:f", "'no.py': no such file"),
        ("onse", "unknown method 'onse': known are .*once.*; did you mean 'once'"),
    ],
)
@pytest.mark.usefixtures("code", "package")
def test_what_is_no_method(method: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        get_method(method)


@pytest.mark.usefixtures("code")
def test_options_of_a_method_of_ones_own() -> None:
    info = get_method("my.py:once")
    assert info.defaults == {"steps": 3, "push": 1.0}
    with pytest.raises(
        ValueError, match=r"method 'my.py:once': `push` must be a number, got 'far'"
    ):
        info.options({"push": "far"})
    assert get_method("my.py:entered").name == "entered"


@pytest.mark.parametrize("name", ["my.py:Net", "net"])
@pytest.mark.usefixtures("code", "package")
def test_a_network_of_ones_own_is_saved_and_loaded(name: str, folder: Path) -> None:
    net = plugins.find_plugin("network", name)(3)
    about = {"architecture": {"name": name, "width": 3}}
    prior = NetworkPrior(net, channels=1, metadata=about)
    file = folder / "mine.safetensors"
    prior.save(file, dtype=torch.float32)
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    for loaded in (
        load_prior(file, network=name),
        load_prior(f"{file}(network={name})"),
        load_prior(file, network=type(net)),
    ):
        torch.testing.assert_close(loaded.denoise(x, 0.1), prior.denoise(x, 0.1))
    if ":" in name:  # a checkpoint alone makes no code run
        with pytest.raises(CheckpointError, match="run only when asked for by name"):
            load_prior(file)
    else:
        assert isinstance(load_prior(file), NetworkPrior)
    with pytest.raises(CheckpointError, match=r"must be a torch.nn.Module, got an int"):
        load_prior(file, network=lambda width: width)
    with pytest.raises(ValueError, match="it takes no facts, got preset"):
        load_prior(file, preset="ffhq")


@pytest.mark.usefixtures("code")
def test_what_cannot_be_loaded_is_not_saved(folder: Path) -> None:
    prior = NetworkPrior(plugins.find_plugin("network", "my.py:Net")(3), channels=1)
    with pytest.raises(ValueError, match=r"must say what makes the network .*, got None for a Net"):
        prior.save(folder / "mine.safetensors")
    assert not (folder / "mine.safetensors").exists()
