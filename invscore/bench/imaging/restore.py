"""Running a method or a baseline, and what that costs."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from invscore.baselines import BaselineInfo
from invscore.bench.imaging.algorithms import Algorithm
from invscore.driver import reconstruct
from invscore.likelihood import InverseProblem
from invscore.methods import MethodInfo
from invscore.priors.base import Prior
from invscore.priors.counted import CountedPrior
from invscore.tasks.task import together
from invscore.uncertainty import check_residual


@dataclass(frozen=True)
class Restored:
    """``samples``, (n, 1, \\*shape), and what all of them took together.

    ``evaluations`` of the denoiser, ``products`` with its Jacobian, ``seconds``, and those of the
    processor, of all threads, which other programs do not lengthen. ``residual``: the rms of
    ``y - A(x)`` over that of the noise, averaged over the samples.
    ``paired`` and ``tails``: whether they are antithetic pairs, and the law of errors, see
    ``Result``.
    """

    samples: Tensor
    evaluations: float
    products: float
    seconds: float
    processor_seconds: float
    residual: float
    paired: bool = False
    tails: float = 0.0


def restore(
    who: Algorithm,
    problem: InverseProblem,
    prior: Prior | None,
    *,
    samples: int,
    seed: int,
    options: Mapping[str, Any],
) -> Restored:
    """``samples`` samples of the one image of ``problem``, sample k drawn from ``seed + k``.

    Raises what methods raise, and ``ValueError`` for a result that is not finite.
    """
    if isinstance(who, BaselineInfo):
        return _by_baseline(who, problem, prior, samples=samples, seed=seed, options=options)
    return _by_method(who, problem, prior, samples=samples, seed=seed, options=options)


def _by_method(
    who: MethodInfo,
    problem: InverseProblem,
    prior: Prior | None,
    *,
    samples: int,
    seed: int,
    options: Mapping[str, Any],
) -> Restored:
    assert prior is not None
    began = time.process_time()
    result = reconstruct(
        problem,
        prior,
        method=who.name,
        samples=samples,
        seed=seed,
        batch_size=together(problem),
        **options,
    )
    processor = time.process_time() - began
    return Restored(
        result.samples,
        samples * result.evaluations,
        samples * result.jacobian_products,
        result.seconds,
        processor,
        float(result.residual.mean()),
        result.paired,
        result.tails,
    )


def _by_baseline(
    who: BaselineInfo,
    problem: InverseProblem,
    prior: Prior | None,
    *,
    samples: int,
    seed: int,
    options: Mapping[str, Any],
) -> Restored:
    if who.package is not None:
        importlib.import_module(who.package)  # seconds that are not the method's own
    counted = None if prior is None else CountedPrior(prior)
    began, worked = time.monotonic(), time.process_time()
    drawn = torch.stack(
        [who.run(problem, counted, seed=seed + k, **options) for k in range(samples)]
    )
    seconds, processor = time.monotonic() - began, time.process_time() - worked
    if not bool(drawn.isfinite().all()):
        raise ValueError(f"baseline {who.name!r} gave numbers that are not finite")
    residual = check_residual(problem, drawn, point_estimate=who.point_estimate)
    return Restored(
        drawn,
        counted.evaluations if counted is not None else 0.0,
        counted.jacobian_products if counted is not None else 0.0,
        seconds,
        processor,
        float(residual.ratio.mean()),
    )
