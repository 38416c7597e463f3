"""What a result leaves behind: files, a figure, a page in a notebook, a line in a session."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from invscore import GaussianNoise, GaussianPrior, InverseProblem, Result, reconstruct
from invscore.methods import METHODS
from invscore.operators import Blur, NonlinearOperator, Operator, from_matrix
from invscore.saving import facts_of

SHAPE = (1, 16, 16)


class Saturates(NonlinearOperator):
    in_shape = out_shape = (100,)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x.tanh()


def solved(count: int = 1, samples: int = 2, method: str = "auto") -> tuple[Result, torch.Tensor]:
    prior = GaussianPrior(torch.full(SHAPE, 0.5), 0.04 * torch.eye(256))
    prior.peak = 1.0
    operator = Blur.gaussian(0.8, SHAPE)
    truth = prior.sample(count, 0)
    noise = torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
    problem = InverseProblem(operator, operator(truth) + 0.1 * noise, GaussianNoise(0.1))
    return reconstruct(problem, prior, method=method, samples=samples, steps=4), truth


def test_a_result_is_one_short_line() -> None:
    result, _ = solved()
    line = repr(result)
    assert line.startswith(
        "Result(2 samples of 1 image (1, 16, 16) by auto: exact_score, residual "
    )
    assert len(line) < 120
    line = repr(solved(3, 1, "diffpir")[0])
    assert line.startswith("Result(1 sample of 3 images (1, 16, 16) by diffpir, residual ")


@pytest.mark.parametrize(
    ("operator", "ran", "options"),
    [
        (from_matrix(torch.eye(16)[:4]), "matched_smc", {"steps": 3, "particles": 2}),
        (from_matrix(torch.eye(100)), "matched_smc", {"steps": 3, "particles": 2}),
        (from_matrix(torch.eye(9)), "exact_score", {"steps": 3}),
        (Saturates(), "matched_pixels", {"steps": 3}),
    ],
)
def test_auto_tells_what_ran(operator: Operator, ran: str, options: dict[str, int]) -> None:
    size = operator.in_shape[0]
    prior = GaussianPrior(torch.zeros(size), torch.eye(size))
    if ran != "exact_score":
        prior.noise_kinds = frozenset()
    problem = InverseProblem(operator, torch.ones(1, *operator.out_shape), GaussianNoise(0.5))
    result = reconstruct(problem, prior, samples=2, steps=3, **_particles(options))
    assert (result.asked, result.method) == ("auto", ran)
    assert set(result.options) == set(METHODS[ran].defaults), "its options, and no others"
    assert {name: result.options[name] for name in options} == options
    named = reconstruct(problem, prior, method=ran, samples=2, **result.options)
    assert (named.samples == result.samples).all()


def _particles(options: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in options.items() if name == "particles"}


def test_a_folder_as_the_command_line_writes_it(tmp_path: Path) -> None:
    result, truth = solved()
    folder = result.save(tmp_path / "deep" / "out", truth=truth)
    names = {"reconstruction.png", "measurement.png", "std.png", "truth.png", "figure.png"}
    assert {file.name for file in folder.iterdir()} == names | {"arrays.npz", "metrics.json"}
    with np.load(folder / "arrays.npz") as arrays:
        assert arrays["samples"].shape == (2, *SHAPE)
        assert np.array_equal(arrays["mean"], result.mean[0])
        assert np.array_equal(arrays["y"], result.problem.y[0])
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["method"] == "exact_score"
    assert metrics["asked"] == "auto"
    error = (result.mean - truth).square().mean()
    wanted = 10 * torch.log10(truth.abs().max() ** 2 / error)
    assert metrics["psnr"] == pytest.approx(float(wanted), abs=1e-3)
    solved(samples=1)[0].save(folder)
    assert {file.name for file in folder.iterdir()} == names - {"std.png", "truth.png"} | {
        "arrays.npz",
        "metrics.json",
    }, "what an earlier result left is replaced"


def test_several_images(tmp_path: Path) -> None:
    result, _ = solved(count=2)
    result.save(tmp_path)
    assert {f"{name}-{k}.png" for name in ("reconstruction", "std", "figure") for k in (0, 1)} <= {
        file.name for file in tmp_path.iterdir()
    }
    with np.load(tmp_path / "arrays.npz") as arrays:
        assert arrays["samples"].shape == (2, 2, *SHAPE)
    other = replace(result, scale=torch.tensor([1.0, 3.0]), offset=torch.tensor([0.5, 0.5]))
    facts = facts_of(other)
    assert (facts["scale"], facts["offset"]) == ([1.0, 3.0], 0.5)
    first = np.asarray(Image.open(tmp_path / "reconstruction-0.png"))
    assert np.abs(first / 255 - result.mean[0, 0].clamp(0, 1).numpy()).max() < 0.01


def test_a_figure_and_a_page() -> None:
    result, truth = solved()
    titles = [text.get_text() for text in result.plot(truth=truth).texts]
    assert [title for title in titles if title] == [
        "measurement",
        "reconstruction",
        "truth",
        "standard deviation",
    ]
    page = result._repr_html_()
    assert page.count("data:image/png;base64,") == 3
    assert "auto: exact_score" in page


def test_what_is_no_image_has_no_figure(tmp_path: Path) -> None:
    operator = from_matrix(torch.eye(100))
    prior = GaussianPrior(torch.zeros(100), torch.eye(100))
    problem = InverseProblem(operator, torch.ones(1, 100), GaussianNoise(0.5))
    result = reconstruct(problem, prior, samples=2, steps=2)
    with pytest.raises(ValueError, match=r"images \(c, h, w\), got the shape \(100,\)"):
        result.plot()
    assert "img" not in result._repr_html_()
    names = {file.name for file in result.save(tmp_path / "o").iterdir()}
    assert names == {"arrays.npz", "metrics.json"}
