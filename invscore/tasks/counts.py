"""Counts in files: what a law of counting makes of the numbers there."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from invscore.images import MEASUREMENT_KEYS
from invscore.noise import Noise, PoissonGaussianNoise, PoissonNoise, TransmissionNoise
from invscore.readers import Part, pick, read
from invscore.tasks.noises import Declared, Law, Poisson, PoissonGaussian, Transmission

Told = tuple[str, ...]

FAR = 6.0
"""Standard deviations by which the sum of all counts may fall below that of the background."""


def are_counts(noise: Declared | Literal["auto"]) -> bool:
    """Whether a law says that the numbers of a measurement are counts, and no shades of gray."""
    one = isinstance(noise, Poisson | PoissonGaussian) and noise.photons == 1
    return one or isinstance(noise, Transmission)


def counts_of_file(
    noise: Declared | Literal["auto"], y: Tensor, measurement: str, part: Part
) -> tuple[Tensor, Declared | Noise | Literal["auto"], Told]:
    """``y`` of a file and the law that was declared for it, once its numbers are counts.

    Integers of 8 and 16 bits, which are read as shades of gray, are what they are in the file for
    ``photons=1`` and for transmission. Files of tomography with white fields tell the law
    themselves. Raises ``ValueError`` where nothing does.
    """
    if not isinstance(noise, Poisson | PoissonGaussian | Transmission) or part.get("reader"):
        return y, noise, ()
    recording = read(measurement, part.get("key"), MEASUREMENT_KEYS)
    white = recording.white
    if isinstance(noise, Poisson | PoissonGaussian):
        if white is None or noise.photons != 1:
            return y, noise, ()
        told = (f"counts: the whole numbers of {measurement!r}",)
        counted = replace(noise, photons=white)
        if isinstance(counted, PoissonGaussian):
            counted = replace(counted, sigma=counted.sigma / white)
        return y, counted, told
    flux = recording.header.get("flux") if isinstance(recording.header, dict) else None
    if flux is None:
        if noise.photons is None:
            raise ValueError(
                f"noise 'transmission' needs photons, as {measurement!r} has no white fields: for "
                "example 'transmission(photons=...)'"
            )
        return y if white is None else y * white, noise, ()
    if noise != Transmission():
        raise ValueError(
            f"noise 'transmission' must have no options for {measurement!r}, whose white and dark "
            f"fields tell them, got {noise}"
        )
    place = pick(recording, repr(measurement), part.get("axes"), part.get("index")).place
    photons = flux.row(place.get("z", 0))
    if tuple(y.shape) != photons.counts.shape:
        raise ValueError(
            f"{measurement!r} holds {recording.values.shape[1]} sinograms: index must say which"
        )
    beam, background = torch.from_numpy(photons.beam), torch.from_numpy(photons.background)
    law = TransmissionNoise(beam, background)
    told = (
        f"photons: {np.median(photons.beam):.4g} a ray, by the white fields of {measurement!r} "
        f"(gain {photons.gain:.3g})",
    )
    return law.line_integrals(torch.from_numpy(photons.counts)), law, told


def in_law(y: Tensor, declared: Law, law: Noise) -> tuple[Tensor, Told]:
    """``y`` of a file as the ``law`` has it, and what was done: the background off, logarithms."""
    if isinstance(declared, Transmission):
        assert isinstance(law, TransmissionNoise)
        if y.is_complex() or not float(y.min()) >= 0:
            given = "complex numbers" if y.is_complex() else f"{float(y.min()):g}"
            raise ValueError(
                f"the measurement must hold counts from 0 for noise 'transmission', got {given}"
            )
        _require_counted(y, law.background, 0.0)
        return law.line_integrals(y), ("counts taken for line integrals, -log(counts / photons)",)
    if isinstance(declared, Poisson | PoissonGaussian) and declared.background != 0:
        assert isinstance(law, PoissonNoise)
        read = law.sigma if isinstance(law, PoissonGaussianNoise) else 0.0
        _require_counted(law.photons * y, law.background, law.photons * read)
        return y - law.background / law.photons, ("the background is taken off the measurement",)
    return y, ()


def _require_counted(counts: Tensor, background: float | Tensor, read: float | Tensor) -> None:
    """Raise ``ValueError`` for fewer ``counts`` than the ``background`` makes by itself.

    ``read``: the standard deviation of the noise with which each is read.
    """
    number = counts.numel()
    behind = float(torch.as_tensor(background).to(counts).expand(counts.shape).double().sum())
    counted, spread = float(counts.double().sum()), torch.as_tensor(read).double()
    if counted < behind - FAR * math.sqrt(behind + number * float(spread.square().mean())):
        raise ValueError(
            f"`background` must not exceed what was counted, {counted / number:.4g} on average, "
            f"got {behind / number:.4g}"
        )
