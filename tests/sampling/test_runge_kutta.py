"""Dormand and Prince's method: its coefficients, its order, steps that images choose."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from invscore.sampling import runge_kutta

F64 = torch.float64


def last(states: Iterator[Tensor]) -> Tensor:
    *_, state = states
    return state


def solve(
    velocity: runge_kutta.Velocity, y: Tensor, start: float, end: float, tolerance: float
) -> Tensor:
    excess = runge_kutta.relative(tolerance, tolerance)
    return last(runge_kutta.adaptive(velocity, y, start, end, excess, 1))


@pytest.mark.parametrize("power", range(6))
def test_polynomials_in_time(power: int) -> None:
    """The method integrates up to t^4 exactly, the embedded one up to t^3."""
    t, h = torch.tensor([0.5], dtype=F64), torch.tensor([0.8], dtype=F64)
    y = torch.zeros(1, 1, dtype=F64)

    def velocity(t: Tensor, y: Tensor, images: Tensor) -> Tensor:  # noqa: ARG001
        return t[:, None] ** power

    first = velocity(t, y, torch.arange(1))
    end, slope, error = runge_kutta._step(velocity, t, y, h, first, torch.arange(1))
    exact = (1.3 ** (power + 1) - 0.5 ** (power + 1)) / (power + 1)
    assert (abs(float(end) - exact) < 1e-14) == (power <= 4)
    assert (abs(float(error)) < 1e-14) == (power <= 3)
    assert float(slope) == pytest.approx(1.3**power)


def swing(t: Tensor, y: Tensor, images: Tensor) -> Tensor:  # noqa: ARG001
    """``y = exp(sin t)`` times its first value."""
    return t.cos()[:, None] * y


def test_order_five() -> None:
    y = torch.ones(1, 1, dtype=F64)
    errors = [
        abs(float(last(runge_kutta.fixed(swing, y, 0.0, 4.0, steps))) - math.exp(math.sin(4.0)))
        for steps in (40, 80)
    ]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(5, abs=0.3)


@pytest.mark.parametrize(("start", "end"), [(0.0, 4.0), (4.0, -1.0)])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-5, 1e-8])
def test_the_error_follows_the_tolerance(start: float, end: float, tolerance: float) -> None:
    y = torch.tensor([[1.0], [-3.0]], dtype=F64)
    exact = y * math.exp(math.sin(end) - math.sin(start))
    found = solve(swing, y, start, end, tolerance)
    error = float((found - exact).abs().max())
    assert 1e-3 * tolerance < error < 20 * tolerance


def test_steps_shrink_where_it_is_fast_and_are_taken_back() -> None:
    """A front of width 0.01, ``y = atan((t - 3) / 0.01)``, far off the first steps."""
    calls = 0

    def front(t: Tensor, y: Tensor, images: Tensor) -> Tensor:  # noqa: ARG001
        nonlocal calls
        calls += 1
        return (0.01 / (0.01**2 + (t - 3) ** 2))[:, None].expand_as(y)

    found = solve(front, torch.zeros(1, 1, dtype=F64), 0.0, 4.0, 1e-6)
    exact = math.atan(1 / 0.01) - math.atan(-3 / 0.01)
    assert float(found) == pytest.approx(exact, abs=1e-5)
    assert calls < 6 * 200


def test_each_image_has_steps_of_its_own() -> None:
    """Slow and fast oscillations, alone and together; who has arrived is not asked again."""
    rates = torch.tensor([1.0, 30.0], dtype=F64)
    asked = torch.zeros(2, dtype=torch.long)

    def turn(t: Tensor, y: Tensor, images: Tensor) -> Tensor:
        asked[images] += 1
        return rates[images, None] * (rates[images] * t).cos()[:, None].expand_as(y)

    y = torch.zeros(2, 3, dtype=F64)
    both = solve(turn, y, 0.0, 5.0, 1e-6)
    assert asked[1] > 5 * asked[0]
    slow = solve(turn, y[:1], 0.0, 5.0, 1e-6)
    assert torch.equal(both[:1], slow)
    torch.testing.assert_close(both[:, 0], (5 * rates).sin(), rtol=0, atol=1e-4)


def test_what_is_not_finite_comes_to_an_end() -> None:
    """Soon, and in long steps once the state itself is lost."""
    calls = 0

    def burst(t: Tensor, y: Tensor, images: Tensor) -> Tensor:  # noqa: ARG001
        nonlocal calls
        calls += 1
        return y * float("nan")

    y = torch.ones(1, 1, dtype=F64)
    assert solve(burst, y, 0.0, 1.0, 1e-3).isnan().all()
    assert calls < 6 * 20


def test_a_step_out_of_the_finite_numbers_is_taken_back() -> None:
    """``y' = -100 y / sqrt(1.5 - y)`` decays, but a long first step goes where there is no root."""

    def decay(t: Tensor, y: Tensor, images: Tensor) -> Tensor:  # noqa: ARG001
        return -100 * y / (1.5 - y.abs()).sqrt()

    found = solve(decay, torch.ones(1, 1, dtype=F64), 0.0, 10.0, 1e-3)
    assert abs(float(found)) < 0.01


def test_states_tell_how_far_the_slowest_image_has_come() -> None:
    """The first number is the time. The second image has a front at 3, and small steps there."""

    def front(t: Tensor, y: Tensor, images: Tensor) -> Tensor:
        steep = 0.01 / (0.01**2 + (t - 3) ** 2) * (images == 1)
        return torch.stack([torch.ones_like(t), steep], dim=1).to(y)

    excess = runge_kutta.relative(1e-6, 1e-6)
    states = list(runge_kutta.adaptive(front, torch.zeros(2, 2, dtype=F64), 0.0, 4.0, excess, 20))
    assert len(states) == 20
    times = torch.stack(states)[:, :, 0]
    assert bool((times.amin(dim=1) > torch.arange(1, 21, dtype=F64) / 5 - 1e-9).all())
    assert float(times[9, 1]) < 3 < float(times[15, 1])
    torch.testing.assert_close(times[-1], torch.full((2,), 4.0, dtype=F64))


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_tolerances_are_positive(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"`rtol` must be a positive number, got {wrong}"):
        runge_kutta.relative(wrong, 1e-3)
    with pytest.raises(ValueError, match=f"`atol` must be a positive number, got {wrong}"):
        runge_kutta.relative(1e-3, wrong)
