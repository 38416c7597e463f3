"""A tiny prior, a small image and the command line, run in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from invscore.cli.main import app
from invscore.images import crop_and_shrink, load_image, save_image
from invscore.networks import build_network
from invscore.priors.network import NetworkPrior

Run = Callable[..., Result]


def make_prior(path: Path, channels: int) -> str:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"channels": channels, "widths": [8, 16], "blocks": 1}
    network = build_network("unet", **sizes)
    metadata = {"architecture": {"name": "unet", **sizes}}
    NetworkPrior(network, channels=channels, metadata=metadata).save(path)
    return str(path)


@pytest.fixture(scope="session")
def prior(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_prior(tmp_path_factory.mktemp("prior") / "tiny.safetensors", channels=1)


@pytest.fixture(scope="session")
def colour_prior(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_prior(tmp_path_factory.mktemp("prior") / "colour.safetensors", channels=3)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a gray and a colour image of 64 x 64 pixels in it."""
    monkeypatch.chdir(tmp_path)
    save_image("gray.png", crop_and_shrink(load_image("camera"), 64))
    save_image("colour.png", crop_and_shrink(load_image("astronaut"), 64))
    return tmp_path


@pytest.fixture
def invscore() -> Run:
    """``invscore(*arguments)`` runs the command line."""

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, arguments)

    return run


@pytest.fixture
def reconstruct(invscore: Run, prior: str, folder: Path) -> Run:  # noqa: ARG001
    """``reconstruct(*arguments)`` with the tiny prior and few steps, both replaceable."""

    def run(*arguments: str) -> Result:
        given = list(arguments)
        for option, value in (("--op", "deblur"), ("--prior", prior), ("--steps", "3")):
            if option not in given:
                given += [option, value]
        return invscore("reconstruct", *given)

    return run


OPERATORS = """
import torch
from invscore.operators import Identity, LinearOperator

class Half(LinearOperator):
    def __init__(self, in_shape, gain=0.5):
        self.in_shape = self.out_shape = tuple(in_shape)
        self.gain = gain
    def matvec(self, x):
        return self.gain * x
    def rmatvec(self, y):
        return self.gain * y

class Total(LinearOperator):
    in_shape, out_shape = (1, 64, 64), (64,)
    def matvec(self, x):
        return x.mean(dim=(1, 2))
    def rmatvec(self, y):
        return y[:, None, None].expand(-1, 1, 64, 64) / 64

class Wrong(Half):
    def rmatvec(self, y):
        return 3 * self.gain * y

def make(a: int = 1):
    return Identity((1, 64, 64))

instance = Half((1, 64, 64))
number = 3

def broken(in_shape):
    return in_shape[7]

class Shapeless(Half):
    def __init__(self):
        pass

class Abstract(LinearOperator):
    def matvec(self, x):
        return x

def leaves():
    raise SystemExit(7)

def nothing():
    return None
"""


@pytest.fixture
def operators(folder: Path) -> Path:
    (folder / "ops.py").write_text(OPERATORS)
    return folder
