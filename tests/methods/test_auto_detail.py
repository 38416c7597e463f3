"""Where a measurement leaves fine detail open alone, `auto` makes half the evaluations."""

from __future__ import annotations

import pytest
import torch

from invscore import GaussianNoise, InverseProblem, reconstruct, simulate
from invscore.methods import METHODS
from invscore.methods.auto import leaves_detail, resolve
from invscore.networks import build_network
from invscore.operators import MRI, Blur, Identity, Inpainting, LinearOperator, SuperResolution
from invscore.priors import NetworkPrior

SHAPE = (1, 48, 40)
COLOUR = (3, 32, 32)
DETAIL: dict[str, LinearOperator] = {
    "blur": Blur.gaussian(1.6, SHAPE),
    "mild blur": Blur.gaussian(0.6, SHAPE),
    "wide blur": Blur.gaussian(3.0, SHAPE),
    "colour": Blur.gaussian(1.6, COLOUR),
    "defocus": Blur.disk(3, SHAPE),
    "reflect": Blur.gaussian(1.6, SHAPE, boundary="reflect"),
    "valid": Blur.gaussian(1.6, SHAPE, boundary="valid"),
    "halved": SuperResolution(2, SHAPE),
    "quartered": SuperResolution(4, SHAPE),
}
MORE: dict[str, LinearOperator] = {
    "noise": Identity(SHAPE),
    "faint blur": Blur.gaussian(0.3, SHAPE),
    "motion": Blur.motion(15, 30, SHAPE),
    "missing": Inpainting.random(SHAPE, keep=0.3),
    "few left": Inpainting.random(SHAPE, keep=0.1),
    "hole": Inpainting.box(SHAPE, 16),
    "mri": MRI.random(SHAPE, acceleration=4, real=True),
}


def problem_of(operator: LinearOperator) -> InverseProblem:
    noise = GaussianNoise(0.02)
    truth = torch.rand(1, *operator.in_shape)
    return InverseProblem(operator, simulate(operator, truth, noise, 0), noise)


def network_prior() -> NetworkPrior:
    network = build_network("unet", channels=1, widths=(4, 8), blocks=1, embedding=8)
    return NetworkPrior(network, channels=1, sigma_max=20.0)


@pytest.mark.parametrize("name", [*DETAIL, *MORE])
def test_what_a_measurement_leaves_open(name: str) -> None:
    problem = problem_of({**DETAIL, **MORE}[name])
    assert isinstance(problem.operator, LinearOperator)
    assert leaves_detail(problem, problem.operator) == (name in DETAIL)


@pytest.mark.parametrize(
    ("operator", "deviations"),
    [
        (Inpainting.box((1, 32, 32), 14), 4),
        (Inpainting.box((3, 32, 20), (32, 8)), 4),
        (Inpainting.box((1, 32, 32), 12), None),
        (Inpainting.random((1, 32, 32), keep=0.1), None),
        (Inpainting.box((1, 33, 32), 14), None),  # more than 1024 pixels
    ],
)
def test_large_holes_of_small_images_begin_where_no_guess_knows_them(
    operator: Inpainting, deviations: float | None
) -> None:
    prior = network_prior()
    _, own = resolve(problem_of(operator), prior, METHODS["auto"].options({}))
    expected = None if deviations is None else deviations * prior.variance**0.5
    assert own["sigma_max"] == (None if expected is None else pytest.approx(expected))
    _, own = resolve(problem_of(operator), prior, METHODS["auto"].options({"steps": 10}))
    assert own["sigma_max"] is None


@pytest.mark.parametrize(("side", "taken"), [(28, "matched_spectrum"), (24, "matched_smc")])
def test_few_numbers_of_a_low_pass(side: int, taken: str) -> None:
    """49 means of pixels tell all but detail, and 36 do not; 49 that are no means do not either."""
    options = METHODS["auto"].options({})
    problem = problem_of(SuperResolution(4, (1, side, side)))
    info, own = resolve(problem, network_prior(), options)
    assert info.name == taken
    assert own["steps"] == 20
    mask = torch.zeros(1, side, side, dtype=torch.bool)
    mask[:, ::4, ::4] = True
    info, _ = resolve(problem_of(Inpainting(mask, (1, side, side))), network_prior(), options)
    assert info.name == "matched_smc"


def test_evaluations_of_auto() -> None:
    """Ten of a blurred image between 1 and 0.08 deviations, or as many as are asked for."""
    prior = network_prior()
    few = problem_of(DETAIL["blur"])
    info, options = resolve(few, prior, METHODS["auto"].options({}))
    assert (info.name, options["steps"]) == ("matched_spectrum", 10)
    assert options["sigma_max"] == pytest.approx(0.25)
    assert options["sigma_min"] == pytest.approx(0.02)
    assert options["spread"] == "seen"
    result = reconstruct(few, prior)
    assert (result.evaluations, result.options) == (10, options)

    _, asked = resolve(few, prior, METHODS["auto"].options({"steps": 7}))
    assert asked == {**options, "steps": 7}
    assert reconstruct(few, prior, steps=7).evaluations == 7

    _, many = resolve(problem_of(MORE["hole"]), prior, METHODS["auto"].options({}))
    assert many == METHODS["matched_spectrum"].options({"steps": 20, "spread": "local"})


@pytest.mark.parametrize(
    ("shape", "wide"), [((1, 32, 32), True), ((3, 32, 32), True), ((1, 32, 33), False)]
)
def test_small_images_behind_a_low_pass_start_where_no_guess_knows_their_shape(
    shape: tuple[int, ...], wide: bool
) -> None:
    """At 4 standard deviations in 20 evaluations, up to 1024 pixels; in few, as larger ones."""
    prior, problem = network_prior(), problem_of(Blur.gaussian(1.6, shape))
    _, own = resolve(problem, prior, METHODS["auto"].options({}))
    deviation = prior.variance**0.5
    first = 4 * deviation if wide else deviation
    assert own["sigma_max"] == pytest.approx(first)
    assert own["sigma_min"] == pytest.approx(0.08 * deviation)
    assert (own["steps"], own["spread"]) == ((20, "uneven") if wide else (10, "seen"))
    for steps, high in ((11, first), (10, deviation)):
        _, own = resolve(problem, prior, METHODS["auto"].options({"steps": steps}))
        assert (own["steps"], own["sigma_max"]) == (steps, pytest.approx(high))


@pytest.mark.parametrize("name", ["missing", "quartered", "blur", "motion"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_few_evaluations_of_pictures_of_fewer_pixels_start_nearer(name: str, steps: int) -> None:
    prior = network_prior()
    prior.variance = 0.09
    _, own = resolve(
        problem_of({**DETAIL, **MORE}[name]), prior, {"steps": steps, "particles": 100}
    )
    usual = {"missing": None, "quartered": 0.3, "blur": 0.3, "motion": None}[name]
    nearer = steps < 3 and name in ("missing", "quartered")
    assert own["sigma_max"] == (pytest.approx(0.15) if nearer else usual)
