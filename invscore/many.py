"""Many measurements: one after the other here, or by the workers of a Dask cluster."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from invscore import driver
from invscore.engine import Alone, Engine, own_device
from invscore.hardware.precision import FixedPrecision
from invscore.likelihood import InverseProblem, Noise
from invscore.methods import get_method
from invscore.operators import Operator
from invscore.options.argument_checks import require_at_least, require_type
from invscore.priors.base import Prior
from invscore.result import Result
from invscore.running.diagnosis import doubts, misfits, own_warnings
from invscore.running.units import shifted
from invscore.uncertainty import check_residual

if TYPE_CHECKING:
    from distributed import Client

STRIDE = 10**6
"""Distance between the seeds of two measurements: larger than any number of samples, and a multiple
of the usual numbers of particles, so that a set of particles begins there."""

Lazy = Callable[[], InverseProblem]


@dataclass(frozen=True)
class Restored:
    """Outcome of the problem number ``index``: a ``result`` or, in a sentence, an ``error``."""

    index: int
    name: str
    result: Result | None
    error: str = ""


def reconstruct_many(
    problems: Iterable[InverseProblem | Lazy],
    prior: Prior,
    *,
    client: Client | None = None,
    names: Iterable[str] | None = None,
    method: str = driver.DEFAULT_METHOD,
    samples: int = 1,
    seed: int = 0,
    batch_size: int | None = None,
    scale: float | Literal["auto"] = "auto",
    precision: FixedPrecision = "fp32",
    **options: Any,
) -> Iterator[Restored]:
    """``reconstruct`` of each of the ``problems``, which may be a generator: few are held at once.

    With a Dask ``client``, its workers share the work and results come in the order in which they
    are done; without, one after the other. A problem may also be a function without arguments that
    makes one, such as a ``functools.partial``: it is called where the work is done. For
    measurements in an array, which may be one of Dask or Zarr, see ``each_of``.

    A problem draws from seeds of its own, ``named_seed(seed, name)``, by its name or else its
    number, so that its result depends neither on the others nor on who computes it (the
    measurements of a batch from ``"NAME/0"``, ``"NAME/1"``, ...). One that fails
    is told as an ``error``, and the others go on. Raises ``ValueError`` for what is wrong for all
    of them, and ``WorkerError`` where the cluster is gone.

    >>> import torch
    >>> from invscore import GaussianNoise, GaussianPrior, InverseProblem, reconstruct_many
    >>> from invscore.operators import Identity
    >>> prior = GaussianPrior(torch.full((1, 4, 4), 0.5), 0.04)
    >>> problems = (
    ...     InverseProblem(Identity((1, 4, 4)), y, GaussianNoise(0.1))
    ...     for y in prior.sample(3)[:, None]
    ... )
    >>> [restored.result.mean.shape[0] for restored in reconstruct_many(problems, prior)]
    [1, 1, 1]
    """
    require_type("prior", prior, Prior)
    require_at_least(1, samples=samples, batch_size=batch_size)
    get_method(method).options(options)
    settings = {
        "method": method,
        "samples": samples,
        "batch_size": batch_size,
        "scale": scale,
        "precision": precision,
        **options,
    }
    engine: Engine = Alone()
    if client is not None:
        from invscore.engine.cluster import Cluster

        engine = Cluster(client)
    known = map(str, count()) if names is None else iter(names)
    items = zip(count(), known, problems, strict=False)
    work = partial(_restore, seed=seed, settings=settings, moved=client is not None)
    for _, restored in engine.run(work, items, shared=(engine.share(prior),), lost=_lost):
        yield restored


def each_of(
    operator: Operator, y: Any, noise: Noise, *, together: int = 1
) -> Iterator[Callable[[], InverseProblem]]:
    """The problems of an array of measurements, (n, \\*out_shape), ``together`` at a time.

    ``y`` is a tensor or what can be sliced and NumPy understands, such as an array of Zarr or HDF5,
    which is read little by little, or one of Dask, which is computed where the work is done, all of
    these in single precision.
    Measurements draw from seeds by their number in ``y``, however many are together. Raises
    ``ValueError`` for another shape.
    """
    require_at_least(1, together=together)
    wanted = tuple(operator.out_shape)
    if tuple(y.shape[1:]) != wanted:
        raise ValueError(
            f"`y` must have shape (n, {', '.join(map(str, wanted))}) for the operator "
            f"{type(operator).__name__}, got {tuple(y.shape)}"
        )
    for first in range(0, y.shape[0], together):
        yield _Part(operator, y[first : first + together], noise, first)


@dataclass(frozen=True)
class _Part:
    """Part of the measurements of an array, from number ``first``."""

    operator: Operator
    y: Any
    noise: Noise
    first: int

    @property
    def names(self) -> list[str]:
        return [str(self.first + k) for k in range(self.y.shape[0])]

    def __call__(self) -> InverseProblem:
        y = self.y
        if hasattr(y, "compute"):  # of Dask, in this process: its workers are at work already
            y = y.compute(scheduler="synchronous")
        if not isinstance(y, torch.Tensor):
            array: np.ndarray[Any, Any] = np.asarray(y)
            kind = np.complex64 if array.dtype.kind == "c" else np.float32
            y = torch.from_numpy(np.array(array, kind, copy=True))
        return InverseProblem(self.operator, y, self.noise)


def named_seed(seed: int, name: str) -> int:
    """A seed for what is called ``name``: another for another name, the same in any company."""
    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    return STRIDE * int.from_bytes(digest[:5], "big")


def split(result: Result, prior: Prior) -> list[Result]:
    """The results of the measurements of a batch, each as if it had been alone."""
    problem, number = result.problem, result.samples.shape[1]
    if problem is None or number == 1:
        return [result]
    info = get_method(result.method)
    seeds = [result.seed] * number if isinstance(result.seed, int) else result.seed
    factors, offsets = (
        torch.as_tensor(each, dtype=torch.float64).flatten().expand(number).tolist()
        for each in (result.scale, result.offset)
    )
    parts = []
    for index in range(number):
        alone = problem.select(torch.tensor([index], device=problem.y.device))
        samples = result.samples[:, index : index + 1]
        residual = check_residual(alone, samples, point_estimate=info.point_estimate)
        own = own_warnings(alone, prior, result.asked, info)
        factor, offset = factors[index], offsets[index]
        # Where nothing is odd about all of them together, nothing is about one.
        found = (
            misfits(
                shifted(alone, offset),
                prior,
                samples - offset,
                residual,
                [factor],
                white=info.white,
            )
            if result.warnings
            else ()
        )
        parts.append(
            replace(
                result,
                samples=samples,
                residual=residual.ratio,
                problem=alone,
                seed=seeds[index],
                seconds=result.seconds / number,
                scale=factor,
                offset=offset,
                warnings=own + found + doubts(alone, prior, info, samples),
            )
        )
    return parts


def _restore(
    item: tuple[int, str, InverseProblem | Lazy],
    prior: Prior,
    *,
    seed: int,
    settings: dict[str, Any],
    moved: bool,
) -> Restored:
    index, name, given = item
    try:
        problem = given if isinstance(given, InverseProblem) else given()
        device = own_device("auto") if moved else str(problem.y.device)
        if moved:
            problem, prior = _on(problem, prior, device)
        number = len(problem.y)
        names = given.names if isinstance(given, _Part) else [f"{name}/{k}" for k in range(number)]
        seeds = [
            named_seed(seed, own)
            for own in (names if number > 1 or isinstance(given, _Part) else [name])
        ]
        result = driver.reconstruct(problem, prior, seed=seeds, **settings)
        return Restored(index, name, result)
    except Exception as error:
        return Restored(index, name, None, sentence(error))


def _on(problem: InverseProblem, prior: Prior, device: str) -> tuple[InverseProblem, Prior]:
    """Problem and prior on the device of a worker."""
    move = getattr(prior, "to", None)
    here = replace(problem, operator=problem.operator.to(device), y=problem.y.to(device))
    return here, prior if move is None else move(device)


def _lost(item: tuple[int, str, Any], why: str) -> Restored:
    return Restored(item[0], item[1], None, why)


def sentence(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    known = isinstance(error, ValueError) or type(error).__module__.startswith("invscore")
    return text if known and text else f"{type(error).__name__}: {text}".rstrip(": ")
