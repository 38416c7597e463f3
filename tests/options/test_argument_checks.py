"""What a caller gives in Python: taken as it is meant, or refused in a sentence that tells how."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from invscore import (
    GaussianMixturePrior,
    GaussianNoise,
    GaussianPrior,
    InverseProblem,
    PoissonNoise,
    estimate_noise,
    exact_posterior,
    load_prior,
    methods,
    reconstruct,
    reconstruct_many,
    simulate,
)
from invscore.batches import as_tensor
from invscore.estimation.noise_map import with_noise_map
from invscore.operators import (
    MRI,
    Blur,
    CoilMaps,
    Identity,
    Inpainting,
    Interferometer,
    Lensless,
    Mosaic,
    NonCartesianMRI,
    Operator,
    SeparableOperator,
    Tomography,
    VolumeBlur,
    check_operator,
    from_matrix,
    stack,
)
from invscore.options.argument_checks import require_at_least, require_type
from invscore.priors import check_prior
from invscore.sampling import log_likelihood, sample

SHAPE = (1, 8, 8)
GENERATOR = np.random.default_rng(0)
KERNEL = GENERATOR.random((3, 3))
OPERATOR = Identity(SHAPE)
PRIOR = GaussianPrior(torch.full(SHAPE, 0.5), 0.04)
Y = torch.full((1, *SHAPE), 0.6)
PROBLEM = InverseProblem(OPERATOR, Y, GaussianNoise(0.1))
ANY: Any = None
"""Stands for arguments that a type checker would refuse."""

ARRAYS: dict[str, tuple[Callable[[Any], Operator], np.ndarray[Any, Any]]] = {
    "blur": (lambda kernel: Blur(kernel, SHAPE), KERNEL),
    "volumes": (lambda kernel: VolumeBlur(kernel, (1, 4, 4, 4)), GENERATOR.random((3, 3, 3))),
    "inpainting": (Inpainting, GENERATOR.random((8, 8)) < 0.5),
    "soft mask": (Inpainting, GENERATOR.random((8, 8))),
    "mri": (MRI, GENERATOR.random((8, 8)) < 0.5),
    "coils": (CoilMaps, GENERATOR.random((2, 8, 8)) + 1j),
    "spiral": (lambda omega: NonCartesianMRI(omega, (8, 8)), GENERATOR.uniform(-3, 3, (2, 30))),
    "matrix": (from_matrix, GENERATOR.random((5, 7))),
    "mosaic": (lambda weights: Mosaic(weights, (2, 8, 8)), GENERATOR.random((2, 2, 2))),
    "sky": (lambda uv: Interferometer(uv, SHAPE, 1.0), GENERATOR.uniform(-1e4, 1e4, (2, 30))),
    "lensless": (lambda kernel: Lensless(kernel, SHAPE), KERNEL),
    "angles": (lambda angles: Tomography(angles, SHAPE), np.array([0.0, 30.0, 100.0])),
    "rows": (lambda left: SeparableOperator(left, torch.eye(8), SHAPE), GENERATOR.random((5, 8))),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_operators_take_arrays_of_any_layout(name: str) -> None:
    make, array = ARRAYS[name]
    operator = make(torch.from_numpy(array))
    dtype = torch.complex64 if operator.in_complex else torch.float32
    x = torch.randn(2, *operator.in_shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    swapped = array.astype(array.dtype.newbyteorder())
    mirrored = array[..., ::-1].copy()[..., ::-1]
    for given in (array, swapped, mirrored, np.asfortranarray(array)):
        torch.testing.assert_close(make(given)(x), operator(x), rtol=0, atol=0)


def test_an_array_is_not_shared() -> None:
    mask = np.ones((8, 8), bool)
    operator = Inpainting(mask)
    mask[:] = False
    assert operator.measured.all()


def test_measurements_and_levels_of_numpy() -> None:
    y = Y.numpy()
    found = reconstruct(InverseProblem(OPERATOR, as_any(y), as_any(0.1)), PRIOR, steps=3, seed=1)
    expected = reconstruct(PROBLEM, PRIOR, steps=3, seed=1)
    torch.testing.assert_close(found.samples, expected.samples, rtol=0, atol=0)
    levels = np.array([0.1, 0.2])
    problem = InverseProblem(OPERATOR, as_any(np.concatenate([y, y])), as_any(levels))
    assert problem.select(torch.tensor([1])).scaled(2.0).noise.variance(Y).item() == (
        pytest.approx(0.16)
    )
    for noise in (0.1, torch.tensor(0.1), np.float64(0.1), GaussianNoise(0.1)):
        drawn = simulate(OPERATOR, Y, noise, 3)
        torch.testing.assert_close(drawn, simulate(OPERATOR, Y, GaussianNoise(0.1), 3))


def test_laws_priors_and_truths_of_numpy() -> None:
    whole = np.full(SHAPE, 0.5)
    counts = PoissonNoise(100.0, background=as_any(whole))
    assert isinstance(counts.background, Tensor)
    torch.testing.assert_close(
        counts.variance(Y), PoissonNoise(100.0, background=torch.full(SHAPE, 0.5)).variance(Y)
    )
    weighted = with_noise_map(OPERATOR, Y.numpy(), whole**2)
    torch.testing.assert_close(weighted.y, Y / 0.5)
    pictures = np.random.default_rng(1).normal(0.5, 0.1, (1, 1, 64, 64))
    level = estimate_noise(Identity((1, 64, 64)), pictures)
    assert level.item() == pytest.approx(0.1, rel=0.1)
    mixture = GaussianMixturePrior(np.array([[0.0], [1.0]]), 0.1, np.array([1.0, 3.0]))
    assert mixture.mean.item() == pytest.approx(0.75)
    prior = GaussianPrior(whole, 0.04)
    torch.testing.assert_close(prior.mean, torch.full(SHAPE, 0.5).double())
    found = log_likelihood(prior, whole[None]).nats.item()
    assert found == pytest.approx(prior.log_prob(torch.from_numpy(whole)[None]).item(), rel=1e-3)


def test_a_truth_is_of_the_whole_image_or_of_what_is_seen(tmp_path: Path) -> None:
    operator = Blur(np.full((3, 3), 1 / 9), SHAPE, boundary="valid")
    problem = InverseProblem(operator, simulate(operator, Y, 0.1), GaussianNoise(0.1))
    result = reconstruct(problem, PRIOR, steps=2)
    truth = np.random.default_rng(0).random((1, *SHAPE))
    for name, given in (("whole", truth), ("seen", truth[..., 1:-1, 1:-1])):
        result.save(tmp_path / name, truth=given)
    psnr = [
        json.loads((tmp_path / n / "metrics.json").read_text())["psnr"] for n in ("whole", "seen")
    ]
    assert psnr[0] == psnr[1]
    with pytest.raises(ValueError, match=r"`truth` must have shape \(1, 1, 8, 8\), got \(8, 8\)"):
        result.plot(truth=truth[0, 0])


def test_images_of_another_size_are_not_measured() -> None:
    with pytest.raises(ValueError, match=r"`x` must have shape \(b, 1, 8, 8\).*got \(1, 1, 9, 9\)"):
        simulate(Blur(KERNEL, SHAPE), torch.ones(1, 1, 9, 9), 0.1)


def as_any(given: object) -> Any:
    return given


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (lambda: InverseProblem(as_any(abs), Y, GaussianNoise(1)), "`operator` must be an Operat"),
        (lambda: InverseProblem(OPERATOR, as_any("y.npy"), GaussianNoise(1)), "`y` must be a tens"),
        (lambda: InverseProblem(OPERATOR, Y, as_any("0.1")), "`noise` must be a law of noise or a"),
        (lambda: simulate(as_any(abs), Y, 0.1), "`operator` must be an Operator, got builtin"),
        (
            lambda: reconstruct(PROBLEM, as_any("photos")),
            "`prior` must be a Prior, got 'photos': lo",
        ),
        (
            lambda: reconstruct(as_any(PRIOR), as_any(PROBLEM)),
            "`problem` must be an InverseProblem",
        ),
        (lambda: reconstruct(PROBLEM, PRIOR, method=as_any(methods.dps)), "`method` must be a str"),
        (
            lambda: reconstruct(PROBLEM, PRIOR, samples=as_any(2.5)),
            "`samples` must be a whole numb",
        ),
        (
            lambda: reconstruct(PROBLEM, PRIOR, probes=as_any("2")),
            "`probes` must be a whole number",
        ),
        (
            lambda: next(iter(reconstruct_many([], as_any(abs)))),
            "`prior` must be a Prior, got built",
        ),
        (lambda: exact_posterior(PROBLEM, as_any(abs)), "`prior` must be a Prior, got builtin"),
        (lambda: check_operator(as_any(abs)), "`operator` must be an Operator, got builtin"),
        (lambda: check_prior(as_any(abs), SHAPE), "`prior` must be a Prior, got builtin"),
        (lambda: sample(as_any("digits"), SHAPE), "`prior` must be a Prior, got 'digits'"),
        (lambda: sample(PRIOR, SHAPE, n=as_any(2.0)), "`n` must be a whole number, got 2.0"),
        (lambda: stack(as_any([OPERATOR, 3])), "`operators` must be a LinearOperator, got 3"),
        (lambda: OPERATOR @ as_any(Y), "unsupported operand type"),
        (
            lambda: estimate_noise(as_any(Y), as_any(OPERATOR)),
            "`operator` must be an Operator, got T",
        ),
        (
            lambda: PoissonNoise(as_any("few")),
            "`photons` must be a tensor or an array",
        ),
        (lambda: log_likelihood(as_any("digits"), Y), "`prior` must be a Prior, got 'digits'"),
        (
            lambda: Blur(as_any("psf.png"), SHAPE),
            "`kernel` must be a tensor or an array of numbers",
        ),
        (
            lambda: Inpainting(as_any(None)),
            "`mask` must be a tensor or an array of numbers, got Non",
        ),
    ],
)
def test_other_kinds_are_refused_in_a_sentence(run: Callable[[], object], sentence: str) -> None:
    with pytest.raises(TypeError, match=f"^{sentence}"):
        run()


def test_a_noise_map_is_told_where_it_belongs() -> None:
    with pytest.raises(
        ValueError, match=r"the shape \(1, 8, 8\): .*with_noise_map takes one for each number of y$"
    ):
        GaussianNoise(torch.ones(SHAPE))


def test_a_device_that_is_not_here() -> None:
    with pytest.raises(ValueError, match="`device` must be one of auto, cpu"):
        load_prior("digits", device="cuda:77")
    assert isinstance(
        load_prior("digits", device="auto").denoise(torch.zeros(1, 1, 28, 28), 1.0), Tensor
    )


def test_whole_numbers_of_numpy_are_whole() -> None:
    require_at_least(1, n=np.int64(3), batch_size=None)
    with pytest.raises(ValueError, match="`n` must be at least 1, got 0"):
        require_at_least(1, n=np.int64(0))
    with pytest.raises(TypeError, match=r"`n` must be a whole number, got inf"):
        require_at_least(1, n=as_any(math.inf))


def test_numbers_in_lists_and_others() -> None:
    torch.testing.assert_close(
        as_tensor("k", as_any([[1.0, 2.0]])), torch.tensor([[1.0, 2.0]]).double()
    )
    for wrong in ([[1], [2, 3]], np.array(["a"]), object(), {}):
        with pytest.raises(TypeError, match="`k` must be a tensor or an array of numbers"):
            as_tensor("k", as_any(wrong))
    with pytest.raises(TypeError, match=r"^`x` must be an int, got str$"):
        require_type("x", "long" * 30, int)
