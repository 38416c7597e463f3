"""How strong the fine detail of photographs is where coarser detail is known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from typing import Any, Self

import torch
from torch import Tensor

COUNT = 10
"""Bands, each half an octave below the one before; the last has all that is coarser."""
OCTAVES = 0.5
"""Octaves from one band to the next; the first is at half a cycle a pixel."""
FLOOR = 1e-7
"""Power that is added to each, a thirteenth of that of rounding to 8 bits."""
TAILS = 1.2
"""Standard deviation of the logarithm of the variance of errors over what is told, where detail is
told by its law; found on validation photographs."""
TAILS_ELSEWHERE = 0.9
"""The same where the prior alone tells how uncertain a pixel is."""
SMALL = 2**18
"""Largest image, in pixels, whose bands are remembered for the next of its shape."""
LEAST = 1e-20
"""Weight of a frequency in a window below which it has none: a processor is slow at numbers that
are next to none."""
FINE = 4
"""Bands, the finest, in which channels are compared."""
EVERY = 5
"""Pixels from one to the next at which photographs are looked at."""


class DetailBands:
    """Half octaves of images (\\*, h, w), down from the finest, and their local powers.

    ``numbers``, (COUNT,): frequencies that a band has of h w.
    ``twice``: how often each column of these counts in the whole spectrum, 2 but at its ends.
    """

    def __init__(self, like: Tensor) -> None:
        self.sides = h, w = like.shape[-2:]
        down = torch.fft.fftfreq(h, dtype=like.dtype, device=like.device)
        along = torch.fft.rfftfreq(w, dtype=like.dtype, device=like.device)
        self.radius = torch.hypot(down[:, None], along)
        self._place = _place(self.radius)
        self.twice = torch.full_like(along, 2.0)
        self.twice[0] = 1.0
        if w % 2 == 0:
            self.twice[-1] = 1.0
        self._kept: dict[tuple[str, int], Tensor] = {}
        self.numbers = torch.stack([(self.share(k) * self.twice).sum() for k in range(COUNT)])

    @staticmethod
    def of(like: Tensor) -> DetailBands:
        """The bands of images as ``like``: those made before, where images are small."""
        sides = like.shape[-2:]
        made = _remembered if sides.numel() <= SMALL else _made
        return made(sides, like.dtype, like.device)

    def share(self, k: int) -> Tensor:
        """Share of band k at each frequency of ``torch.fft.rfft2``, (h, w // 2 + 1).

        Those of all bands sum to 1 but at frequency 0, which is in none.
        """
        return self._once("share", k, lambda: (1 - (self._place - k).abs_()).clamp_min_(0))

    def density(self, power: Tensor, radius: Tensor | None = None) -> Tensor:
        """Mean square of a coefficient of orthonormal waves of a ``radius`` in cycles a pixel, 0
        where it is 0, of images whose bands have this ``power``, (COUNT,): by default of those of
        ``torch.fft.rfft2``."""
        each = power * self.sides[0] * self.sides[1] / self.numbers.clamp_min(1)
        if radius is None:
            shares = (self.share(k) for k in range(COUNT))
        else:
            place = _place(radius)
            shares = ((1 - (place - k).abs()).clamp_min_(0) for k in range(COUNT))
        density = torch.zeros_like(self.radius if radius is None else radius)
        for of_band, share in zip(each, shares, strict=True):
            density.addcmul_(of_band, share)
        return density

    def image(self, spectrum: Tensor) -> Tensor:
        """The images of spectra, (\\*, h, w // 2 + 1)."""
        return torch.fft.irfft2(spectrum, s=self.sides)

    def band(self, spectrum: Tensor, k: int) -> Tensor:
        """The part of images of a ``spectrum`` in band k."""
        return self.image(spectrum * self._once("root", k, lambda: self.share(k).sqrt()))

    def log_power(self, spectrum: Tensor, k: int) -> Tensor:
        """Logarithm of the mean square of band k about each pixel."""
        window = self._once("window", k, lambda: self._window(k))
        square = self.band(spectrum, k).square_()
        return self.image(torch.fft.rfft2(square) * window).clamp_min_(0).add_(FLOOR).log_()

    def energy(self, spectrum: Tensor) -> Tensor:
        """Part of each frequency in the mean square of an image, (\\*, h, w // 2 + 1)."""
        energy = spectrum.real.square() + spectrum.imag.square()
        return energy.mul_(self.twice / (self.sides[0] * self.sides[1]) ** 2)

    def power(self, energy: Tensor, k: int) -> Tensor:
        """Mean square of band k of an image of this ``energy``, (\\*,)."""
        return (energy * self.share(k)).sum((-2, -1))

    def _window(self, k: int) -> Tensor:
        deviation = 2 ** (OCTAVES * k)  # half a wavelength
        window = torch.exp(-2 * (math.pi * deviation * self.radius) ** 2)
        return window.where(window > LEAST, 0.0)

    def _once(self, name: str, k: int, make: Callable[[], Tensor]) -> Tensor:
        """What ``make`` gives, of small images that of the first time."""
        if self.sides.numel() > SMALL:
            return make()
        if (name, k) not in self._kept:
            with torch.inference_mode(False):
                self._kept[name, k] = make()
        return self._kept[name, k]


def _place(radius: Tensor) -> Tensor:
    """The band of each frequency of a ``radius``, between two where it is no whole number."""
    place = (-(2 * radius).clamp_min(1e-9).log2() / OCTAVES).clamp_(0, COUNT - 1)
    return place.masked_fill_(radius == 0, math.inf)


@torch.inference_mode(False)
def _made(sides: torch.Size, dtype: torch.dtype, device: torch.device) -> DetailBands:
    return DetailBands(torch.zeros((), dtype=dtype, device=device).expand(sides))


_remembered = lru_cache(maxsize=4)(_made)


@dataclass(frozen=True)
class DetailLaw:
    """Local powers of photographs in bands of half an octave: how one tells of another.

    About a pixel of a photograph, the logarithms of the powers of ``DetailBands`` have a ``mean``,
    (COUNT,), and a ``covariance``, (COUNT, COUNT), and are taken for Gaussian; ``power``, (COUNT,),
    is the mean square of a band, all of one channel, whose peak is about 1. ``common``: the
    correlation of two channels of an image in the finest bands, 0 for gray ones. ``tails``: the
    standard deviation of the logarithm of the variance that errors have over what is told of it,
    where detail is told so: a few edges err by far. ``tails_elsewhere``: where the prior tells it.

    >>> import torch
    >>> from invscore.priors.detail import DetailLaw
    >>> law = DetailLaw.of_images([torch.rand(1, 32, 32), torch.rand(1, 32, 48)])
    >>> law.covariance.shape
    torch.Size([10, 10])
    """

    mean: Tensor
    covariance: Tensor
    power: Tensor
    common: float = 0.0
    tails: float = TAILS
    tails_elsewhere: float = TAILS_ELSEWHERE

    def to(self, like: Tensor) -> Self:
        """The law in the dtype and on the device of ``like``."""
        mean, covariance, power = self.mean.to(like), self.covariance.to(like), self.power.to(like)
        return replace(self, mean=mean, covariance=covariance, power=power)

    @classmethod
    def of_images(cls, images: list[Tensor]) -> Self:
        """The law of ``images``, each (\\*, h, w), of which all channels count alike.

        Raises ``ValueError`` for none, and for ones too small to have every band.
        """
        seen = []
        together, apart = 0.0, 0.0
        for image in images:
            x = image.double()
            bands = DetailBands(x)
            if not bool((bands.numbers > 0).all()):
                raise ValueError(
                    f"each of `images` must have all of {COUNT} bands, got one of "
                    f"{x.shape[-2]} x {x.shape[-1]} pixels"
                )
            spectrum = torch.fft.rfft2(x)
            powers = [bands.log_power(spectrum, k)[..., ::EVERY, ::EVERY] for k in range(COUNT)]
            seen.append(torch.stack([each.flatten() for each in powers]))
            if x.ndim > 2 and len(x) > 1:
                fine = torch.stack([bands.band(spectrum, k) for k in range(FINE)]).flatten(2)
                covariance = fine @ fine.mT
                own = covariance.diagonal(dim1=-2, dim2=-1).sum()
                together += float(covariance.sum() - own) / (len(x) - 1)
                apart += float(own)
        if not seen:
            raise ValueError("`images` must hold at least one, got none")
        logs = torch.cat(seen, dim=1)
        common = together / apart if apart > 0 else 0.0
        return cls(logs.mean(1), torch.cov(logs), logs.exp().mean(1), common)

    @classmethod
    def from_metadata(cls, told: Mapping[str, Any]) -> Self:
        """The law that ``metadata`` tells. Raises ``ValueError`` where they do not tell one."""
        try:
            parts = [
                torch.tensor(told[name], dtype=torch.float64)
                for name in ("mean", "covariance", "power")
            ]
            common = float(told.get("common", 0.0))
        except (KeyError, TypeError, ValueError):
            parts, common = [], 0.0
        if [each.shape for each in parts] != [(COUNT,), (COUNT, COUNT), (COUNT,)]:
            raise ValueError(
                f"the law of detail must have a mean, a covariance and a power of {COUNT} bands"
            )
        mean, covariance, power = parts
        return cls(mean, covariance, power, common)

    @property
    def metadata(self) -> dict[str, Any]:
        """All numbers, to five digits, as a file may hold them."""
        numbers = {
            name: [float(f"{value:.5g}") for value in part]
            if part.ndim == 1
            else [[float(f"{value:.5g}") for value in row] for row in part.tolist()]
            for name, part in (
                ("mean", self.mean),
                ("covariance", self.covariance),
                ("power", self.power),
            )
        }
        return {**numbers, "common": float(f"{self.common:.5g}")}


def shipped_law(prior: str) -> DetailLaw | None:
    """The law of the photographs that a ``prior`` that comes with invscore has learned from."""
    file = resources.files("invscore.priors.shipped").joinpath("photographs.json")
    for told in json.loads(file.read_text(encoding="utf-8")):
        if prior in told["priors"]:
            return DetailLaw.from_metadata(told)
    return None
