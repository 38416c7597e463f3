"""What every baseline keeps: names, signatures, options, refusals, seeds and batches."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from invscore.baselines import BASELINES, get_baseline
from invscore.baselines.base import require_positive
from invscore.likelihood import GaussianNoise, InverseProblem, PoissonNoise
from invscore.methods.base import NEEDS
from invscore.operators import Blur, Identity, Inpainting, SuperResolution
from invscore.operators.phase import PhaseRetrieval

CLASSICAL = ("pseudo-inverse", "wiener", "tv", "wavelet")
FAST: dict[str, dict[str, Any]] = {"tv": {"iterations": 60}, "wavelet": {"iterations": 30}}


def run(name: str, problem: InverseProblem, **options: Any) -> Tensor:
    return get_baseline(name).run(problem, None, **{**FAST.get(name, {}), **options})


@pytest.fixture(autouse=True)
def _packages(request: pytest.FixtureRequest) -> None:
    name = getattr(request.node, "callspec", None) and request.node.callspec.params.get("name")
    package = name and BASELINES[name].package
    if package:
        pytest.importorskip(package)


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_signature(name: str) -> None:
    info = get_baseline(name)
    parameters = list(inspect.signature(info.run).parameters.values())
    assert [p.name for p in parameters[:2]] == ["problem", "prior"]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters[2:])
    assert parameters[2].name == "seed"
    assert parameters[2].default == 0
    assert "seed" not in info.defaults
    assert set(info.needs) <= set(NEEDS)
    assert info.summary.endswith(".")
    assert info.cites


@pytest.mark.parametrize("name", sorted(BASELINES))
def test_every_option_is_explained(name: str) -> None:
    info = get_baseline(name)
    for option in info.defaults:
        assert f"``{option}``" in (inspect.getdoc(info.run) or ""), option


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match=r"unknown baseline 'bicubic': known are .*wiener"):
        get_baseline("bicubic")
    with pytest.raises(ValueError, match=r"baseline 'tv' has no option 'steps': it has weight"):
        get_baseline("tv").options({"steps": 3})
    assert get_baseline("tv").options({"weight": 3.0})["weight"] == 3.0


def test_a_package_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, image: Tensor, measure: Callable[..., InverseProblem]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"'wavelet' needs the package pywt: .*\[bench\]"):
        get_baseline("wavelet").run(measure(Identity((1, 32, 32)), image), None)


def test_positive_options() -> None:
    require_positive(weight=1e-3, steps=1)
    for value in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"`weight` must be a positive number, got .*"):
            require_positive(weight=value)


@pytest.mark.parametrize("name", CLASSICAL)
def test_other_problems_are_refused(name: str) -> None:
    operator = PhaseRetrieval((1, 8, 8))
    y = torch.rand(1, *operator.out_shape)
    with pytest.raises(ValueError, match=f"{name}.* needs a linear operator, given PhaseRetrieval"):
        run(name, InverseProblem(operator, y, GaussianNoise(0.1)))
    if "gaussian" in get_baseline(name).needs:
        photons = InverseProblem(Identity((1, 8, 8)), torch.rand(1, 1, 8, 8), PoissonNoise(10))
        with pytest.raises(ValueError, match="needs Gaussian noise, given PoissonNoise"):
            run(name, photons)


@pytest.mark.parametrize("name", CLASSICAL)
def test_better_than_the_measurement(
    name: str,
    image: Tensor,
    measure: Callable[..., InverseProblem],
    rms: Callable[[Tensor, Tensor], float],
) -> None:
    shape = (1, 32, 32)
    blurred = measure(Blur.gaussian(1.5, shape), image)
    assert rms(run(name, blurred), image) < 0.9 * rms(blurred.y, image)
    noisy = measure(Identity(shape), image, 0.1)
    assert rms(run(name, noisy), image) < (1.1 if name == "pseudo-inverse" else 0.6) * 0.1
    if name != "pseudo-inverse":
        holes = measure(Inpainting.random(shape, keep=0.5), image)
        assert rms(run(name, holes), image) < 0.2 * rms(holes.y, image)
        small = measure(SuperResolution(2, shape), image)
        enlarged = small.y.repeat_interleave(2, -1).repeat_interleave(2, -2)
        assert rms(run(name, small), image) < 0.95 * rms(enlarged, image)


@pytest.mark.parametrize("name", CLASSICAL)
def test_each_image_of_a_batch_for_itself(
    name: str, image: Tensor, measure: Callable[..., InverseProblem]
) -> None:
    both = torch.cat([image, 0.2 + 0.5 * image.flip(-2)]).float()
    problem = measure(Blur.gaussian(1.5, (1, 32, 32)), both)
    levels = InverseProblem(problem.operator, problem.y, GaussianNoise(torch.tensor([0.03, 0.1])))
    together = run(name, levels)
    assert together.dtype == torch.float32
    for k in range(2):
        alone = run(name, levels.select(torch.tensor([k])), seed=5)
        torch.testing.assert_close(together[k : k + 1], alone, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", CLASSICAL)
def test_complex_images(name: str, image: Tensor, measure: Callable[..., InverseProblem]) -> None:
    turned = torch.polar(torch.ones(()).double(), torch.tensor(0.7).double())
    operator = Identity((1, 32, 32), complex=True)
    problem = measure(operator, image * turned, 0.1)
    found = run(name, problem)
    assert found.dtype == torch.complex128
    # A phase common to all pixels changes nothing but itself.
    back = InverseProblem(operator, problem.y / turned, problem.noise)
    torch.testing.assert_close(run(name, back) * turned, found, atol=1e-6, rtol=0)
    worst = 1.5 if name == "pseudo-inverse" else 0.8
    assert float((found - image * turned).abs().square().mean().sqrt()) < worst * 0.1
