"""The batches of a step of training: clean images, their noise levels, their noise.

Every random number of image i of step k is drawn from a generator seeded by (seed, k, i), so that
no step depends on another, and no image on the process that works on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from invscore.batches import per_image
from invscore.training.augment import LABELS, augmented
from invscore.training.config import NoiseConfig, TrainConfig
from invscore.training.data import Source
from invscore.training.noise_maps import noise_maps
from invscore.training.objectives import random_signs

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """``clean`` and ``noise`` (b, c, h, w), ``sigma`` (b,) in image units.

    The noise is of unit variance but where its level is overstated: there it is less. For the
    objectives that need them there are ``signs``, of the shape of ``clean`` and +1 or -1 at
    random, and ``reference``, (n, c, h, w), the images of the whole step and further ones, none
    of them augmented. ``augmentation``, (b, labels), says how each clean image was augmented, where
    some are: see ``augment``. ``maps``, like ``clean``, are the level of each pixel in the place of
    ``sigma``, and ``target`` what D is to give back in place of ``clean``, where a ``Teacher``
    says so.
    """

    clean: Tensor
    sigma: Tensor
    noise: Tensor
    signs: Tensor | None = None
    reference: Tensor | None = None
    augmentation: Tensor | None = None
    maps: Tensor | None = None
    target: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        return Batch(
            self.clean.to(device),
            self.sigma.to(device),
            self.noise.to(device),
            None if self.signs is None else self.signs.to(device),
            None if self.reference is None else self.reference.to(device),
            None if self.augmentation is None else self.augmentation.to(device),
            None if self.maps is None else self.maps.to(device),
            None if self.target is None else self.target.to(device),
        )


class Batches:
    """``batches(step)`` are those of one of several processes, one for each part of the step.

    Raises ``ValueError`` where the images of a step cannot be dealt out evenly.
    """

    def __init__(
        self, config: TrainConfig, source: Source, *, rank: int = 0, processes: int = 1
    ) -> None:
        parts, batch = config.optimiser.accumulate, config.optimiser.batch
        portion = processes * parts * source.together
        if batch % portion:
            raise ValueError(
                f"`optimiser.batch` must be a multiple of {portion}, for {processes} "
                f"processes, {parts} parts of a step and {source.together} images drawn "
                f"together, got {batch}"
            )
        self.config = config
        self.source = source
        self.groups = range(batch // source.together)
        share = len(self.groups) // processes
        mine = self.groups[rank * share : (rank + 1) * share]
        self.parts = [mine[k : k + share // parts] for k in range(0, share, share // parts)]

    def __call__(self, step: int) -> list[Batch]:
        mine = {index: self._group(step, index) for part in self.parts for index in part}
        batches = [_joined([mine[index] for index in part]) for part in self.parts]
        if self.config.objective != "stable":
            return batches
        reference = self._reference(step)
        return [replace(batch, reference=reference) for batch in batches]

    def _random(self, step: int, index: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, step, index])

    def _reference(self, step: int) -> Tensor:
        """The images of the step, not augmented, and ``reference`` further ones."""
        # Of the other processes' images no more is needed: each stream begins with them.
        clean = [self._images(self._random(step, index)) for index in self.groups]
        if further := self.config.reference:
            clean.append(self.source.batch(further, self._random(step, len(self.groups))))
        return torch.cat(clean)

    def _images(self, random: np.random.Generator) -> Tensor:
        return self.source.batch(self.source.together, random)

    def _group(self, step: int, index: int) -> Batch:
        random = self._random(step, index)
        clean = self._images(random)
        uniform = random.random(len(clean))
        sigma = noise_levels(self.config, uniform)
        noise = unit_noise(clean, random)
        if self.config.noise.overstated:
            noise = noise * per_image(self._shares(len(clean), random), noise)
        signs = random_signs(clean, random) if self.config.objective == "implicit" else None
        augmentation = None
        if self.config.augment.share:
            clean, augmentation = self._augmented(clean, random)
        maps = (
            noise_maps(self.config, clean.shape, sigma, random) if self.config.noise.maps else None
        )
        return Batch(clean, torch.from_numpy(sigma), noise, signs, None, augmentation, maps)

    def _augmented(self, images: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """The images, a share of them augmented, and how, (b, labels)."""
        clean, how = images.clone(), torch.zeros(len(images), LABELS)
        chosen = torch.from_numpy(random.random(len(clean)) < self.config.augment.share)
        if chosen.any():
            clean[chosen], how[chosen] = augmented(clean[chosen], random)
        return clean, how

    def _shares(self, count: int, random: np.random.Generator) -> Tensor:
        """Share of the declared noise that an image has: 1, or less if overstated."""
        chosen = random.random(count) < self.config.noise.overstated
        return torch.from_numpy(np.where(chosen, random.random(count), 1).astype(np.float32))


def noise_levels(config: TrainConfig, quantiles: np.ndarray) -> np.ndarray:
    """The levels of the configured law, log-normal and clipped, at ``quantiles`` in (0, 1)."""
    law: NoiseConfig = config.noise
    normal = torch.special.ndtri(torch.from_numpy(quantiles)).numpy()
    sigma = np.exp(law.log_mean + law.log_std * normal)
    return sigma.clip(config.prior.sigma_min, config.prior.sigma_max).astype(np.float32)


def unit_noise(like: Tensor, random: np.random.Generator) -> Tensor:
    """Standard normal numbers of the shape of ``like``, in both parts where it is complex."""
    shape = (*like.shape, 2) if like.is_complex() else like.shape
    noise = torch.from_numpy(random.standard_normal(shape, dtype=np.float32))
    return torch.view_as_complex(noise) if like.is_complex() else noise


def prefetched(draw: Callable[[int], T], steps: range, workers: int) -> Generator[T]:
    """``draw(step)`` for each of ``steps`` in turn, made ahead by as many threads."""
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for step in steps:
            waiting.append(pool.submit(draw, step))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _joined(groups: list[Batch]) -> Batch:
    signs = [g.signs for g in groups if g.signs is not None]
    augmentation = [g.augmentation for g in groups if g.augmentation is not None]
    maps = [g.maps for g in groups if g.maps is not None]
    return Batch(
        torch.cat([g.clean for g in groups]),
        torch.cat([g.sigma for g in groups]),
        torch.cat([g.noise for g in groups]),
        torch.cat(signs) if signs else None,
        augmentation=torch.cat(augmentation) if augmentation else None,
        maps=torch.cat(maps) if maps else None,
    )
