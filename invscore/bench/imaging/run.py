"""Running of a cell."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch

from invscore.bench.imaging.algorithms import find_algorithm
from invscore.bench.imaging.cells import Cell, Outcome
from invscore.bench.imaging.memory import PeakMemory
from invscore.bench.imaging.restore import restore
from invscore.bench.imaging.scores import measure, pictures
from invscore.bench.imaging.sources import BenchmarkImage
from invscore.bench.versions import versions
from invscore.priors import Prior, load_prior
from invscore.priors.reduced_precision import evaluated_in
from invscore.tasks.specs import parse_spec
from invscore.tasks.task import Task, fit_operator, fit_prior, task_of_image


def run(cell: Cell, device: str) -> Outcome:
    """Measure the image, restore it and compare.

    What a method cannot do is an outcome, with the reason: an operator that it does not serve, a
    state that is no longer finite, and whatever else it raises. Only a lack of memory is raised,
    which is the machine's and not the method's.
    """
    try:
        return _run(cell, device)
    except (MemoryError, torch.cuda.OutOfMemoryError):
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        known = isinstance(error, ValueError) or type(error).__module__.startswith("invscore")
        name = type(error).__name__
        return Outcome(cell, {}, refusal=text if known and text else f"{name}: {text}")


def _run(cell: Cell, device: str) -> Outcome:
    who = find_algorithm(cell.method)
    task = simulated(cell.op, cell.noise, cell.source, cell.seed, device)
    prior = None
    if cell.prior is not None:
        prior = fit_prior(_prior(cell.prior, device), task.problem.operator, cell.prior)
        prior = evaluated_in(prior, cell.precision)
    with PeakMemory(device) as peak:
        restored = restore(
            who,
            task.problem,
            prior,
            samples=cell.samples,
            seed=cell.seed,
            options=cell.options,
        )
    with torch.no_grad():
        samples = restored.samples
        figures: dict[str, Any] = {
            **measure(
                task,
                samples,
                point_estimate=who.point_estimate,
                paired=restored.paired,
                tails=restored.tails,
            ),
            "residual": restored.residual if math.isfinite(restored.residual) else None,
            "evaluations": restored.evaluations,
            "jacobian_products": restored.products,
            "seconds": restored.seconds,
            "processor_seconds": restored.processor_seconds,
            "peak_memory": peak.megabytes,
            "device": device,
            "versions": versions(),
        }
        kept = pictures(task, samples, point_estimate=who.point_estimate, paired=restored.paired)
    return Outcome(cell, figures, tensors=kept)


@lru_cache(maxsize=2)
def simulated(op: str, noise: float, source: BenchmarkImage, seed: int, device: str) -> Task:
    """The measurement of an image: cells of the same one follow one another, it is made once."""
    spec = fit_operator(parse_spec(op), complex_valued=source.complex_valued)
    return task_of_image(spec, source.load(), noise=noise, seed=seed, device=device)


@lru_cache(maxsize=2)
def _prior(name: str, device: str) -> Prior:
    return load_prior(name, device=device)
