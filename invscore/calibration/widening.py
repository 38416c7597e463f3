"""Calibration of the benchmark's intervals on validation images.

The images are restored by the benchmark itself, cell by cell, and the factors follow from the
errors that cells keep, by conformal risk control: see ``conformal``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from invscore.bench.imaging.algorithms import find_algorithm
from invscore.bench.imaging.cells import Outcome, remembered
from invscore.bench.imaging.config import ImagingConfig, MethodConfig
from invscore.bench.imaging.scores import LEVEL, held
from invscore.calibration.conformal import conformal_factor, left_out_factors
from invscore.calibration.measure import check_count
from invscore.files import atomic_file
from invscore.images import save_image


@dataclass(frozen=True)
class Widening:
    """The ``factor`` of a method's intervals in a task, and what they hold, before and after.

    ``before`` and ``after``: the fraction of pixels inside, an image after the other; after, with
    the factor that the other images give, so that it is no self-praise.
    """

    factor: float
    before: tuple[float, ...]
    after: tuple[float, ...]


def write_images(images: Mapping[str, Tensor], folder: Path) -> None:
    """Write images (c, h, w) to ``folder``, of 8 bits, complex ones as arrays; those there go."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = set()
    for name, image in images.items():
        kept.add(file := folder / f"{name}.{'npy' if image.is_complex() else 'png'}")
        if image.is_complex():
            with atomic_file(file) as partial:
                np.save(partial, image.numpy())
        else:
            save_image(file, image)
    for file in set(folder.iterdir()) - kept:
        file.unlink()


def on_validation(config: ImagingConfig, folder: Path, size: int) -> ImagingConfig:
    """``config`` with the images in ``folder`` for every task, and the methods that have intervals.

    Calibrations that it names are to be found, and need not be there.
    Raises ``ValueError`` where no method has them.
    """
    methods = tuple(method for method in config.methods if _spreads(method))
    if not methods:
        raise ValueError(
            "at least one method must sample, with 2 samples or more, to have intervals"
        )
    own: dict[str, Any] = {"images": None, "size": None}
    bare: dict[str, Any] = {"calibration": None}
    return config.model_copy(
        update={
            "images": str(folder),
            "size": size,
            "limit": None,
            "repeats": 1,
            "tasks": tuple(task.model_copy(update=own) for task in config.tasks),
            "methods": tuple(method.model_copy(update=bare) for method in methods),
        }
    )


def widening(outcomes: Sequence[Outcome], folder: Path) -> Widening:
    """The factor that ``outcomes`` need, those of one method and task, remembered in ``folder``.

    Raises ``ValueError`` with the reason of the first that has no intervals, for too few images,
    and where samples agree on too many wrong pixels for any factor to help.
    """
    errors = []
    for outcome in outcomes:
        if outcome.refusal:
            raise ValueError(outcome.refusal)
        stored = remembered(outcome.cell, folder, tensors=True)
        assert stored is not None  # its figures have been read from there
        errors.append(stored.tensors["errors"])
    check_count(len(errors), LEVEL)
    factor, others = conformal_factor(errors, LEVEL), left_out_factors(errors, LEVEL)
    if not all(map(math.isfinite, [factor, *others])):
        raise ValueError("the samples agree on too many wrong pixels for any factor to help")
    before = tuple(held(error, 1.0) for error in errors)
    after = tuple(held(error, other) for error, other in zip(errors, others, strict=True))
    return Widening(factor, before, after)


def _spreads(method: MethodConfig) -> bool:
    return method.samples > 1 and not find_algorithm(method.name).point_estimate
