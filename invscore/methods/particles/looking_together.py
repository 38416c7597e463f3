"""The Jacobian of the denoiser as particles of a set see it together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods.particles.local_gaussian import (
    LocalGaussian,
    flatten,
    measured_numbers,
    rows_of,
    told_of,
    unflatten,
)
from invscore.methods.particles.low_rank import LowRank, Rest
from invscore.priors.base import Prior

SHARE = 10
"""Where directions are fewer than numbers, of so many one is an axis of the particles, and another
tells what J is in all that is not looked at."""
ROUNDING = 1e-3
"""Noise of such an axis, as a share of it, which makes one of what is no axis."""
FEWEST = 4
"""Least number of directions of a set."""
TINY = 1e-30
HIDING = 8.0
"""Standard deviations of a pixel up to which a function must know noise, so that its highest level
hides what tells the modes of images apart."""


def agree(prior: Prior) -> bool:
    """Whether particles of ``prior`` see one J: where it is known at any level, or is a function of
    levels that hide images, as no network is."""
    if math.isinf(prior.sigma_max):
        return True
    return prior.function and prior.sigma_max >= HIDING * prior.variance**0.5


class Beyond(NamedTuple):
    """Directions of which only the mean of J is asked for, by those that are ``held`` (g, h, n).

    Those of ``outer`` (g, r, n), None for all, and not of ``inner``.
    """

    outer: Tensor | None
    inner: Tensor
    held: Tensor


class Directions(NamedTuple):
    """Orthonormal directions of g sets in which J is looked at: a ``basis``, (g, q, n), from which
    it is known, and those ``beyond``."""

    basis: Tensor
    beyond: tuple[Beyond, ...]

    @property
    def every(self) -> Tensor:
        """All in which J is looked at, those that are held the last."""
        return torch.cat([self.basis, *(each.held for each in self.beyond)], dim=1)


@dataclass
class Together:
    """Sets of particles behind a linear operator, each of which has one J, the mean of it.

    A particle tells its products with few directions, others the rest: of a Gaussian prior J is the
    same at all, so nothing is lost. Directions are the rows of the operator, or mixtures of them
    where they are too many, axes along which the particles spread, as modes do, and random ones.
    Which particle is asked for what is drawn anew at every level: neighbours are alike, and no
    direction shall be told by one mode.

    ``problem`` of g sets, ``rows`` (m, n) of the operator and an orthonormal ``span`` (s, n) of
    them, ``gram`` their products (m, m). ``products`` of each of the ``particles``. ``unlike``
    (g,): by what share of their squares products of particles that were asked for the same differed
    when they last looked, 0 where no two were.
    """

    problem: InverseProblem
    rows: Tensor
    span: Tensor
    gram: Tensor
    particles: int
    products: int
    at_once: int
    generator: torch.Generator
    unlike: Tensor

    @classmethod
    def of(cls, problem: InverseProblem, particles: int, products: int, at_once: int) -> Together:
        """Where each of ``particles`` is asked for so many ``products``, more if they are few."""
        generator = torch.Generator().manual_seed(0)
        rows = rows_of(problem, problem.y, measured_numbers(problem))[0]
        span = torch.linalg.qr(rows.mT).Q.mT
        gram = rows @ rows.mT
        products = max(products, math.ceil(FEWEST / particles))
        unlike = rows.new_zeros(len(problem.y))
        return cls(problem, rows, span, gram, particles, products, at_once, generator, unlike)

    @property
    def partial(self) -> bool:
        """Whether directions are fewer than the numbers of an image."""
        return self.particles * self.products < self.rows.shape[1]

    def look(self, prior: Prior, x: Tensor, sigma: float, places: Tensor) -> LocalGaussian:
        """The Gaussians of x0 given ``x``, (g k, \\*shape), of k particles a set.

        ``places`` (g k, n): what is known of x0 so far.
        """
        each = places.reshape(len(self.problem.y), self.particles, -1)
        directions = self.directions(each - each.mean(dim=1, keepdim=True))
        order = torch.randperm(self.particles * self.products, generator=self.generator)
        asked = (order % directions.every.shape[1]).reshape(self.particles, -1)
        return self._look(prior, x, sigma, directions, asked)

    def look_once(self, prior: Prior, x: Tensor, sigma: float) -> LocalGaussian:
        """That given one image ``x`` a set, (g, \\*shape), asked for all directions."""
        directions = self.directions(flatten(x)[:, None])
        every = torch.arange(directions.every.shape[1])
        return self._look(prior, x, sigma, directions, every[None])

    def directions(self, spread: Tensor) -> Directions:
        """As many as the particles can tell, some of them axes of their ``spread``, (g, k, n)."""
        n, s = spread.shape[2], len(self.span)
        count = min(self.particles * self.products, n)
        some = math.ceil(count / SHARE)
        every = self.span.expand(len(spread), -1, -1)
        if not self.partial:
            outside = self._outside(spread[:, :0], n - s)
            return Directions(torch.cat([every, outside], dim=1), ())
        beyond: list[Beyond] = []
        outside = self._outside(self._axes(spread, some), min(max(2 * some, count - s), n - s))
        apart = min(some, outside.shape[1] // 2)
        axes, held = torch.split(outside, [outside.shape[1] - apart, apart], dim=1)
        if held.shape[1]:
            beyond.append(Beyond(None, torch.cat([every, axes], dim=1), held))
        room = count - outside.shape[1]
        if room < s:
            given = [self._axes(spread, some) @ self.span.mT, self._normal(spread, room, s)]
            mixed = torch.linalg.qr(torch.cat(given, dim=1)[:, :room].mT).Q.mT @ self.span
            inside, held = torch.split(mixed, [room - some, some], dim=1)
            beyond.append(Beyond(every, inside, held))
            every = inside
        return Directions(torch.cat([every, axes], dim=1), tuple(beyond))

    def _axes(self, spread: Tensor, count: int) -> Tensor:
        """Mixtures of the ``spread`` of particles, in which its main axes are, (g, count, n)."""
        mixed = self._normal(spread, count, spread.shape[1]) @ spread
        mixed = mixed / mixed.norm(dim=2, keepdim=True).amax(dim=1, keepdim=True).clamp_min(TINY)
        return mixed + ROUNDING * self._normal(spread, count, spread.shape[2])

    def _outside(self, first: Tensor, count: int) -> Tensor:
        """So many orthonormal directions beside the rows, of which ``first`` say the first."""
        found = torch.cat([first, self._normal(first, count, first.shape[2])], dim=1)[:, :count]
        for _ in range(2):
            found = found - (found @ self.span.mT) @ self.span
        return torch.linalg.qr(found.mT).Q.mT

    def _normal(self, like: Tensor, *shape: int) -> Tensor:
        """Standard normal numbers, alike in all sets of ``like``."""
        drawn = torch.randn(*shape, generator=self.generator, dtype=like.dtype).to(like)
        return drawn.expand(len(like), *shape)

    def _look(
        self, prior: Prior, x: Tensor, sigma: float, directions: Directions, asked: Tensor
    ) -> LocalGaussian:
        """Particles, p a set, are ``asked`` for some of the directions each, (p, products)."""
        asked, sets = asked.to(x.device), len(self.problem.y)
        every = directions.every
        owners = torch.arange(sets, device=x.device).repeat_interleave(len(asked))
        places = torch.split(torch.arange(len(x), device=x.device), self.at_once)
        means, products = [], []
        for part, place in zip(torch.split(x, self.at_once), places, strict=True):
            denoised, pull = prior.pullback(part, sigma)
            each = every[owners[place][:, None], asked[place % len(asked)]].unbind(dim=1)
            means.append(denoised)
            products.append(torch.stack([flatten(pull(unflatten(u, x))) for u in each], dim=1))
        found = torch.cat(products).reshape(sets, -1, every.shape[2])
        total = torch.zeros_like(every).index_add(1, asked.flatten(), found)
        count = torch.bincount(asked.flatten(), minlength=every.shape[1]).to(found)
        sizes = [directions.basis.shape[1], *(each.held.shape[1] for each in directions.beyond)]
        average = total / count[:, None]
        self.unlike = _unlike(found, average[:, asked.flatten()], count[asked.flatten()])
        told, *held = torch.split(average, sizes, dim=1)
        jacobian = LowRank.of(told, directions.basis)
        pairs = zip(directions.beyond, held, strict=True)
        rest = tuple(_rest(jacobian, each, products) for each, products in pairs)
        jacobian = replace(jacobian, rest=rest)

        denoised = torch.cat(means)
        clean, mean = self.problem.operator(denoised), flatten(denoised)
        y, variance = told_of(self.problem.select(owners), clean)
        return LocalGaussian(
            mean=mean,
            jacobian=jacobian,
            rows=self.rows[None],
            y=y + mean @ self.rows.mT,
            variance=variance.to(mean),
            alike=isinstance(self.problem.noise, GaussianNoise),
            gram=self.gram,
        )


def _unlike(products: Tensor, average: Tensor, count: Tensor) -> Tensor:
    """The share of ``products`` (g, k, n) that differs from the ``average``, of ``count`` (k,)."""
    several = (count > 1).to(products)
    free = several * count / (count - 1).clamp_min(1)
    apart = (products - average).square().sum(dim=2) @ free
    return apart / (products.square().sum(dim=2) @ several).clamp_min(TINY)


def _rest(jacobian: LowRank, beyond: Beyond, products: Tensor) -> Rest:
    """What ``jacobian`` leaves out ``beyond``, by the ``products`` with what is held, (g, h, n)."""
    held = beyond.held
    taken = jacobian.apply(lambda j: j, held.flatten(0, 1)).reshape(held.shape)
    low, true = ((each * held).sum(dim=2).mean(dim=1, keepdim=True) for each in (taken, products))
    return Rest(beyond.outer, beyond.inner, low, torch.maximum(low, true))
