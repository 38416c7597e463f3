"""Batches of samples and measurements, and their seeds."""

from __future__ import annotations

from collections.abc import Sequence

Place = tuple[int, int]
"""Index of a sample, and that of its measurement."""


def seeds_and_streams(seed: int | Sequence[int], count: int) -> tuple[list[int], list[int]]:
    """The first seed of each of ``count`` measurements, and the number of its stream."""
    one = isinstance(seed, int)
    seeds = [seed] * count if isinstance(seed, int) else list(seed)
    if min(seeds, default=0) < 0:
        raise ValueError(f"`seed` must be at least 0, got {min(seeds)}")
    if len(seeds) != count:
        raise ValueError(
            f"`seed` must be a number or one for each of {count} measurements, got {len(seeds)}"
        )
    return seeds, list(range(count)) if one else [0] * count


def particle_sets(places: list[Place], seeds: Sequence[int], size: int) -> list[list[Place]]:
    """The samples of one particle set of an image together, see ``methods.particles``."""
    together: dict[tuple[int, int], list[Place]] = {}
    for k, image in places:
        together.setdefault(((seeds[image] + k) // size, image), []).append((k, image))
    return list(together.values())


def of_one_factor(chunk: list[Place], factors: list[float]) -> list[list[Place]]:
    """The places of ``chunk``, those of images with one factor together."""
    alike: dict[float, list[Place]] = {}
    for place in chunk:
        alike.setdefault(factors[place[1]], []).append(place)
    return list(alike.values())
