"""``--precision``: told, part of how a result was made, and refused where it makes no sense."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Run = Callable[..., Result]
FEW = ("--image", "gray.png", "--size", "32", "--samples", "1", "--out", "o")


def test_it_is_told(reconstruct: Run, folder: Path) -> None:
    for precision in ("bf16", "fp32"):
        more = () if precision == "fp32" else ("--precision", precision)
        ran = reconstruct(*FEW, *more, "--probes", "1")
        assert ran.exit_code == 0, ran.output
        metrics = json.loads((folder / "o" / "metrics.json").read_text())
        assert (metrics["precision"], metrics["probes"]) == (precision, 1)


def test_another_precision_is_another_result(reconstruct: Run, folder: Path) -> None:
    (folder / "in").mkdir()
    (folder / "gray.png").rename(folder / "in/gray.png")
    many = ("--image", "in", *FEW[2:], "--method", "diffpir")
    assert "1 of 1 restored\n" in reconstruct(*many).stdout
    assert "1 of them before" in reconstruct(*many).stdout
    assert "1 of 1 restored\n" in reconstruct(*many, "--precision", "bf16").stdout


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--precision", "half"), "`precision` must be fp32 or bf16, got 'half'"),
        (("--precision", "bf16", "--prior", "white.py:prior"), "type GaussianPrior, which has no"),
    ],
)
def test_others_are_refused(
    reconstruct: Run, folder: Path, more: tuple[str, ...], told: str
) -> None:
    (folder / "white.py").write_text(
        "import torch\nfrom invscore import GaussianPrior\n"
        "prior = GaussianPrior(torch.full((1, 32, 32), 0.5), 0.05)\n"
    )
    ran = reconstruct(*FEW, *more)
    assert ran.exit_code == 2
    assert told in ran.stderr
    assert not (folder / "o").exists()
