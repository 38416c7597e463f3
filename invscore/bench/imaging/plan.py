"""Cells that a configuration asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import TypeVar

from invscore.bench.held_out import choose_collection
from invscore.bench.imaging.algorithms import Algorithm, find_algorithm
from invscore.bench.imaging.cells import Cell
from invscore.bench.imaging.config import ImagingConfig, MethodConfig, TaskConfig
from invscore.bench.imaging.sources import BenchmarkImage, find_sources
from invscore.calibration.factors import factors_of
from invscore.calibration.setting import weights_digest
from invscore.methods import MethodInfo
from invscore.priors import Prior, load_prior

Chosen = TypeVar("Chosen")
STRIDE = 10**4
"""Distance between the seeds of two images, larger than any number of samples."""
REPEAT = 1000 * STRIDE
"""Distance between the seeds of two repetitions."""


def plan(config: ImagingConfig) -> list[Cell]:
    """The cells of every task, image by image, so that those of one measurement are neighbours.

    Raises ``ValueError`` for a method, an option, a prior, an image or a calibration that there is
    not, before anything is run.
    """
    for method in config.methods:
        _check(method, config)
    return [cell for task in config.tasks for cell in _of_task(config, task)]


def selected(
    config: ImagingConfig,
    *,
    methods: Sequence[str] | None = None,
    tasks: Sequence[str] | None = None,
) -> ImagingConfig:
    """``config`` with only these ``methods``, by label or name, and only these ``tasks``.

    Raises ``ValueError`` for one that it does not have.
    """
    for kind, names in {"methods": methods, "tasks": tasks}.items():
        if names is not None and not names:
            raise ValueError(f"`{kind}` must name at least one of the configuration, got none")
    kept_tasks = {task.name: task for task in config.tasks}
    if tasks is not None:
        kept_tasks = {name: _found(name, kept_tasks, "task") for name in tasks}
    kept_methods = {method.label: method for method in config.methods}
    if methods is not None:
        named: dict[str, list[MethodConfig]] = {}
        for method in config.methods:
            named.setdefault(method.name, []).append(method)
        named |= {label: [method] for label, method in kept_methods.items()}
        kept_methods = {m.label: m for name in methods for m in _found(name, named, "method")}
    return config.model_copy(
        update={
            "tasks": tuple(kept_tasks.values()),
            "methods": tuple(_with_tasks(method, kept_tasks) for method in kept_methods.values()),
        }
    )


def _with_tasks(method: MethodConfig, tasks: Collection[str]) -> MethodConfig:
    """``method`` with its options for these ``tasks`` alone."""
    kept = {task: options for task, options in method.tasks.items() if task in tasks}
    return method.model_copy(update={"tasks": kept})


def _of_task(config: ImagingConfig, task: TaskConfig) -> Iterator[Cell]:
    collection, _ = _known(task.prior or config.prior)
    sources = find_sources(task.images or config.images, collection, task.size or config.size)
    for number, source in enumerate(sources[: config.limit]):
        for repeat in range(config.repeats):
            seed = config.seed + STRIDE * number + REPEAT * repeat
            for method in config.methods:
                prior = task.prior or method.prior or config.prior
                yield _cell(task, source, method, prior, seed, repeat)


def _cell(
    task: TaskConfig,
    source: BenchmarkImage,
    method: MethodConfig,
    prior: str,
    seed: int,
    repeat: int,
) -> Cell:
    who = find_algorithm(method.name)
    needed = isinstance(who, MethodInfo) or who.uses_prior
    return Cell(
        task=task.name,
        op=task.op,
        noise=task.noise,
        source=source,
        method=method.name,
        label=method.label,
        options=who.options(method.options_for(task.name)),
        samples=method.samples,
        prior=prior if needed else None,
        weights=_known(prior)[1] if needed else "",
        seed=seed,
        repeat=repeat,
        precision=method.precision,
    )


def _check(method: MethodConfig, config: ImagingConfig) -> None:
    who: Algorithm = find_algorithm(method.name)
    factors_of(method)
    kind = None if method.prior is None else _known(method.prior)[0]
    if kind is not None and kind != _known(config.prior)[0]:
        raise ValueError(
            f"`prior` of method {method.label!r} must be one of {_known(config.prior)[0]} images, "
            f"as is {config.prior!r}, got {method.prior!r} of {kind} images"
        )
    for task in config.tasks:
        who.options(method.options_for(task.name))
    if who.point_estimate and method.samples > 1:
        raise ValueError(
            f"`samples` of method {method.label!r} must be 1, as it gives point estimates, got "
            f"{method.samples}"
        )


def _found(name: str, known: dict[str, Chosen], kind: str) -> Chosen:
    if name not in known:
        raise ValueError(f"unknown {kind} {name!r}: the configuration has {', '.join(known)}")
    return known[name]


@cache
def _known(prior: str) -> tuple[str, str]:
    """The collection of images that a prior knows, and the digest of its weights."""
    network: Prior = load_prior(prior)
    collection = choose_collection(network.channels, complex_valued=network.complex)
    return collection, weights_digest(network)
