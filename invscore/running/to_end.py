"""A method run to its end: its last state, and the trace of its steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from invscore.likelihood import InverseProblem
from invscore.methods import MethodInfo, Step
from invscore.options.words import kind_of
from invscore.running.finite import Watch

NAN_CHECK_EVERY = 10

Trace = dict[str, Tensor]
"""A number for each step, by name."""


class NumericalError(RuntimeError):
    """A method has diverged: its state has NaN or infinite values."""


def run_to_end(
    info: MethodInfo,
    problem: InverseProblem,
    states: Iterator[Step],
    on_step: Callable[[int, int], None],
    before: int,
    total: int,
) -> tuple[Tensor, Trace]:
    """The last state of the method ``info`` and its trace.

    ``states`` are its steps on ``problem``; ``on_step`` hears of each, ``before`` steps having been
    made of ``total``. Raises ``NumericalError`` where a state is not finite, and ``ValueError``
    where it is no batch of images, or there is none.
    """
    rows: list[dict[str, Tensor]] = []
    watch = Watch()
    with torch.no_grad():
        done = 0
        for step in states:
            done += 1
            _require_batch(info, problem, step)
            state = step.x  # as the step itself is not held while the next one is made
            told: dict[str, float | Tensor] = {
                "sigma": step.sigma,
                "discrepancy": problem.discrepancy(step.denoised),
            }
            told |= step.info
            del step
            rows.append({name: _mean(value, state) for name, value in told.items()})
            if done % NAN_CHECK_EVERY == 1:
                _require_none_lost(info, watch.look(done, state))
            on_step(before + done, total)
    if not rows:
        raise ValueError(f"the method {info.name!r} must yield a Step at least once, got none")
    _require_none_lost(info, watch.last(done, state))
    names = dict.fromkeys(name for row in rows for name in row)
    unknown = torch.full_like(rows[0]["sigma"], math.nan)
    return state, {
        name: torch.stack([row.get(name, unknown) for row in rows]).cpu().double() for name in names
    }


def _mean(value: float | Tensor, like: Tensor) -> Tensor:
    """The mean over the batch, a real number on the device of ``like``: no host waits for it."""
    return torch.as_tensor(value, dtype=like.real.dtype, device=like.device).mean()


def _require_batch(info: MethodInfo, problem: InverseProblem, step: object) -> None:
    """Raise ``ValueError`` unless ``step`` holds an image of each measurement."""
    if not isinstance(step, Step):
        raise ValueError(
            f"the method {info.name!r} must yield Step(x, denoised, sigma), got {kind_of(step)}"
        )
    expected = (len(problem.y), *problem.operator.in_shape)
    for name in ("x", "denoised"):
        image = getattr(step, name)
        given = tuple(image.shape) if isinstance(image, Tensor) else kind_of(image)
        if given != expected:
            raise ValueError(
                f"the method {info.name!r} must yield a Step whose `{name}` is a tensor of shape "
                f"{expected}, got {given}"
            )


def _require_none_lost(info: MethodInfo, step: int | None) -> None:
    if step is not None:
        raise NumericalError(
            f"method {info.name!r} diverged: NaN or infinity by step {step}; "
            "smaller steps or another noise level may help"
        )
