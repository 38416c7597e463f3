"""What is measured and shown while a run goes on: validation by bands, TensorBoard, pictures."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore.priors import NetworkPrior
from invscore.training import tensorboard as board
from invscore.training.data import Source, open_source
from invscore.training.log import write_row
from invscore.training.loop import train
from invscore.training.samples import grid, save_samples
from invscore.training.validation import Validation


class Flat(Source):
    """Images whose pixels are all alike, real or complex."""

    shape = (1, 8, 8)

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype

    def batch(self, count: int, random: np.random.Generator) -> Tensor:  # noqa: ARG002
        return torch.full((count, *self.shape), 0.5, dtype=self.dtype)

    def digest(self) -> str:
        return "flat"


class Gain(torch.nn.Module):
    """``F(x) = gain x``."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:  # noqa: ARG002
        return self.gain * x


def test_bands_have_the_loss_of_training(make_config: Any) -> None:
    """F = 0 has the loss of Karras et al. 2022, Eq. 8, for images that are the mean."""
    config = make_config()
    prior = NetworkPrior(Gain(0.0), channels=1, sigma_data=0.25)
    result = Validation(config, Flat())(prior)
    bands = [name for name in result if name.startswith("loss")]
    edges = [tuple(map(float, name.split("_")[1:])) for name in bands]
    assert len(edges) == 4
    assert all(high == low for (_, high), (low, _) in pairwise(edges))
    assert (edges[0][0], edges[-1][1]) == (0.002, 20)
    assert edges[1][1] == pytest.approx(np.exp(config.noise.log_mean), rel=0.05)  # the median
    for name, (low, high) in zip(bands, edges, strict=True):
        # D = m + c_skip (x - m), so that the error is c_skip sigma n, over c_out: s / r.
        bounds = sorted(0.25**2 / (s**2 + 0.25**2) for s in (low, high))
        assert 0.85 * bounds[0] <= result[name] <= 1.15 * bounds[1]
    sigma = 25 / 255
    error = (0.25**2 / (sigma**2 + 0.25**2) * sigma) ** 2
    assert result["psnr25"] == pytest.approx(-10 * np.log10(error), abs=0.3)


def test_both_parts_of_a_complex_image_count(make_config: Any) -> None:
    prior = NetworkPrior(Gain(0.0), channels=1, sigma_data=0.25)
    both = NetworkPrior(Gain(0.0), channels=1, sigma_data=0.25, complex=True)
    real, complex_ = (
        Validation(make_config(), Flat(dtype))(p)["psnr25"]
        for dtype, p in ((torch.float32, prior), (torch.complex64, both))
    )
    assert real - complex_ == pytest.approx(10 * np.log10(2), abs=0.2)


def test_validation_is_the_same_every_time(make_config: Any) -> None:
    config = make_config()
    prior = NetworkPrior(Gain(0.1), channels=1)
    source = open_source(config.data, "val", channels=1)
    first = Validation(config, source)
    assert first(prior) == first(prior) == Validation(config, source)(prior)


def test_a_grid_of_images() -> None:
    sheet = grid([torch.full((3, 2, 4), k / 10) for k in range(5)])
    assert sheet.shape == (3, 6, 16)  # 2 rows and 3 columns, 2 pixels between them
    assert sheet[0, 0, [0, 6, 12]].tolist() == pytest.approx([0.0, 0.1, 0.2])
    assert sheet[0, 4, [0, 6, 12]].tolist() == pytest.approx([0.3, 0.4, 1.0])
    assert sheet[:, 2:4].min() == sheet[:, :, 4:6].min() == 1


@pytest.mark.parametrize("complex_", [False, True])
def test_samples_of_an_untrained_prior_are_its_mean(tmp_path: Path, complex_: bool) -> None:
    prior = NetworkPrior(Gain(0.0), channels=1, mean=0.5, complex=complex_)
    save_samples(tmp_path / "s.png", prior, (1, 8, 8), count=4, steps=3)
    from invscore.images import load_image

    sheet = load_image(tmp_path / "s.png")
    assert sheet.shape == (1, 18, 18)
    assert 0.3 < sheet[0, :8, :8].mean() < 0.8


class Writer:
    """What TensorBoard would be told."""

    written: list[tuple[str, float, int]]

    def __init__(self, folder: Path, purge_step: int) -> None:
        self.folder, self.purge_step = folder, purge_step
        Writer.written = []

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.written.append((name, value, step))

    def flush(self) -> None:
        pass


def test_tensorboard_is_told_where_it_is_installed(
    make_config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "find_spec", lambda name: name)
    fake = SimpleNamespace(SummaryWriter=Writer)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    config = make_config()
    train(config)
    names = {name for name, *_ in Writer.written}
    assert {"loss", "learning_rate", "psnr25", "skipped"} < names
    assert "step" not in names
    assert sorted({step for *_, step in Writer.written}) == [2, 4, 6]
    again = board.Board(config.out, 4)
    again.write({"step": 5, "loss": 1.0})
    assert again._writer.purge_step == 5


def test_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "find_spec", lambda name: None)
    board.Board(tmp_path / "board", 0).write({"step": 1, "loss": 2.0})
    assert not (tmp_path / "board").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"step;loss\n2;0.5\n",
        b"",
        b"step,loss\n2.0,0.5\n",
        b"loss,step\n0.5\n",
        "schritt,ä\n".encode("latin-1"),
    ],
)
def test_a_log_of_another_form_is_set_aside(tmp_path: Path, content: bytes) -> None:
    log, aside = tmp_path / "log.csv", tmp_path / "log-before-step-4.csv"
    log.write_bytes(content)
    if content:
        with pytest.warns(UserWarning, match=r"log\.csv' is no log .* now '.*-before-step-4\.csv'"):
            write_row(log, {"step": 4, "loss": 0.25})
        assert aside.read_bytes() == content
    else:  # nothing is lost
        write_row(log, {"step": 4, "loss": 0.25})
        assert not aside.exists()
    assert log.read_text() == "step,loss\n4,0.25\n"


def test_the_log_is_for_pandas(make_config: Any) -> None:
    pandas = pytest.importorskip("pandas")
    config = make_config()
    train(config)
    table = pandas.read_csv(config.out / "log.csv", index_col="step")
    assert list(table.index) == [2, 4, 6]
    assert all(kind.kind in "if" for kind in table.dtypes)
    assert table["loss"].gt(0).all()
