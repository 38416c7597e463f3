"""Inverse problem from a user's words, with the truth where it is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from invscore.estimation.scale import KNOTS
from invscore.images import crop_and_shrink, is_sample, load_image
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import (
    Interferometer,
    LinearOperator,
    NonCartesianMRI,
    Operator,
    Tomography,
)
from invscore.operators.real_images import of_real_images
from invscore.priors.base import Prior
from invscore.priors.channelwise import Channelwise
from invscore.priors.grayscale import Grayscale
from invscore.priors.multiband import Multiband
from invscore.priors.volume import PLANES, VolumePrior
from invscore.readers import Part
from invscore.readers.geometry import finer
from invscore.tasks.builtin import build, option_defaults
from invscore.tasks.custom import load_custom
from invscore.tasks.noise_laws import law_of, problem_with, simulated
from invscore.tasks.noises import Declared
from invscore.tasks.specs import Spec

SAMPLE_SIZE = 256
"""Sample images are shrunk to this unless told otherwise: a prior of any size is quick there."""

BANDS = 3
"""Most channels that a gray prior takes one by one: those of photographs."""

PIXELS_TOGETHER = 2**20
"""Pixels, over all channels and samples, that are treated together: up to 1 GB of memory, 4 GB with
derivatives."""

DARK = KNOTS[1][0]
"""Peak below which images are brought to the range of the prior."""

REMEMBERED = 2**18
"""Largest image, in numbers, whose operator is cached for the next measurement."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Draws:
    """Draws of an operator from those that a measurement makes as likely, by a seed.

    ``problem`` has the operator drawn, of the same shapes; ``arrays`` those of several seeds.
    """

    problem: Callable[[int], InverseProblem]
    arrays: Callable[[Sequence[int]], Mapping[str, Tensor]]


@dataclass(frozen=True)
class Task:
    """A problem with one measurement, (1, \\*out_shape), and its true image, (1, \\*in_shape).

    The truth may be known in the window alone that the measurement shows. ``assumed``: sentences on
    what was not declared, and what was taken for it. ``gain_is_one``: whether a picture that was
    measured is one in the units of images: by an operator that is known to leave a constant image
    as it is, in shades of gray and not in counts. ``unweighted``: the problem before a noise map
    has weighted it, if one has. ``apart``: what of the operator the measurement itself has told;
    only those that have told the same are treated together. ``found``: arrays that were found in
    the measurement before it was restored, such as a kernel, which are saved beside the result.
    ``draws``: other problems than this, the likeliest, where the operator was found and is not
    known.
    """

    problem: InverseProblem
    truth: Tensor | None
    assumed: tuple[str, ...] = ()
    gain_is_one: bool = False
    unweighted: InverseProblem | None = None
    apart: Hashable = None
    found: Mapping[str, Tensor] = field(default_factory=dict)
    draws: Draws | None = None

    @property
    def in_units(self) -> InverseProblem:
        """The problem with y in the units of the measurement, to be shown and saved."""
        return self.problem if self.unweighted is None else self.unweighted

    @property
    def seen_truth(self) -> Tensor | None:
        """The truth in the part of the image that the measurement shows (``Operator.window``)."""
        window, truth = self.problem.operator.window, self.truth
        if truth is None or window is None or truth.shape[1:] != self.problem.operator.in_shape:
            return truth
        return truth[(..., *window)]

    @property
    def noise(self) -> float:
        """The standard deviation of the noise, in the units of the measurement."""
        law = self.in_units.noise
        assert isinstance(law, GaussianNoise)
        level = float(torch.as_tensor(law.sigma).flatten()[0])
        return float(
            f"{level:.6g}"
        )  # as it was written, where it has been through single precision

    @cached_property
    def scale(self) -> float | Literal["auto"]:
        """1 where the truth, or else a picture that was measured, is of 8 or 16 bits: in [0, 1].

        Otherwise the driver finds the factor between units. Operators of one's own may have any
        gain, so that their measurements do not tell; nor do pictures that are darker than images
        which a prior takes as they are, as those of cameras of 12 bits in files of 16.
        """
        operator = self.problem.operator
        told = self.truth
        if told is None and operator.view == "image" and self.gain_is_one:
            told = self.in_units.y
            if float(told.abs().max()) < DARK:
                return "auto"
        return 1.0 if told is not None and in_steps_of_a_file(told) else "auto"

    @property
    def peak(self) -> float:
        """The peak of PSNR: the truth's largest magnitude, or 1 where it lies in [0, 1].

        That is a real one that does not exceed 1 and reaches 1/2 at least: photographs are in
        [0, 1], whatever their brightest pixel. Without a truth, 1.
        """
        if self.truth is None:
            return 1.0
        brightest = float(self.truth.abs().max())
        in_unit = not self.truth.is_complex() and 0.5 <= brightest <= 1
        return 1.0 if in_unit or brightest == 0 else brightest


def simulated_task(
    spec: Spec,
    image: str,
    *,
    size: int | None,
    noise: Declared,
    seed: int,
    device: str,
    part: Part | None = None,
) -> Task:
    """The measurement of an image that is known: a file or the name of a sample."""
    truth = load_image(image, **(part or {}))
    if size is None and is_sample(image):
        size = min(SAMPLE_SIZE, *truth.shape[-2:])
    if size is not None:
        truth = crop_and_shrink(truth, size)
    return task_of_image(spec, truth, noise=noise, seed=seed, device=device)


def task_of_image(spec: Spec, truth: Tensor, *, noise: Declared, seed: int, device: str) -> Task:
    """The simulated measurement of ``truth``, (c, h, w)."""
    operator = make_operator(spec, tuple(truth.shape), device)
    if operator.in_shape != tuple(truth.shape):
        raise ValueError(
            f"the image must have shape {operator.in_shape} for operator {spec.name!r}, got "
            f"{tuple(truth.shape)}"
        )
    if truth.is_complex() and not operator.in_complex:
        raise ValueError(f"the image must be real for operator {spec.name!r}, got a complex one")
    x = truth[None].to(device, torch.complex64 if operator.in_complex else None)
    law = law_of(noise, operator)
    problem, unweighted, told = problem_with(operator, simulated(operator, x, law, seed), law)
    return Task(problem, x, told, unweighted=unweighted)


def make_operator(spec: Spec, in_shape: Shape | None, device: str = "cpu") -> Operator:
    """The operator of ``spec`` on images of ``in_shape``, which one's own may know by itself."""
    if spec.is_plugin:
        own = load_custom(spec.address, spec.options, in_shape)
        return (of_real_images(own) if spec.of_real_images else own).to(device)
    if in_shape is None or len(in_shape) not in (3, 4):
        raise ValueError(
            f"`shape` must be that of images (c, h, w), or volumes (c, d, h, w), for operator "
            f"{spec.name!r}, got {in_shape}"
        )
    plain = all(isinstance(value, int | float) for value in spec.options.values())
    if not plain or math.prod(in_shape) > REMEMBERED:  # files may have changed since
        return build(spec.name, in_shape, spec.options).to(device)
    return _remembered(device, spec.name, in_shape, tuple(spec.options), *spec.options.values())


@lru_cache(maxsize=1, typed=True)
def _remembered(
    device: str, name: str, in_shape: Shape, keys: tuple[str, ...], *values: float
) -> Operator:
    """The operator, cached: most of many measurements have the one of the measurement before."""
    return build(name, in_shape, dict(zip(keys, values, strict=True))).to(device)


def fit_operator(spec: Spec, *, complex_valued: bool) -> Spec:
    """``spec`` for such images: complex ones have an MRI that is not ``real``, real ones operators
    of one's own that are restricted to these."""
    if spec.is_plugin:
        return replace(spec, of_real_images=not complex_valued)
    if not complex_valued or "real" not in option_defaults(spec.name):
        return spec
    return replace(spec, options={"real": False, **spec.options})


def fit_prior(prior: Prior, operator: Operator, name: str, planes: Sequence[str] = PLANES) -> Prior:
    """``prior`` for the images of ``operator``: one of gray images serves each colour by itself,
    one of colour images gray ones too, and either volumes (c, d, h, w) by slices in ``planes``."""
    if operator.in_complex != prior.complex:
        given, known = ("complex", "real") if operator.in_complex else ("real", "complex")
        raise ValueError(f"the images must be {known} for prior {name!r}, got {given} ones")
    if len(operator.in_shape) == 4:
        return VolumePrior(_of_channels(prior, operator.in_shape[0], name), planes)
    if len(operator.in_shape) != 3:
        return prior
    return _of_channels(prior, operator.in_shape[0], name)


def _of_channels(prior: Prior, channels: int, name: str) -> Prior:
    if prior.channels in (channels, None):
        return prior
    if prior.channels == 1:
        # Bands are alike as colours are not known to be, for which there are priors of their own.
        spectral = channels > BANDS and not isinstance(prior.mean, Tensor)
        return Multiband(prior, channels) if spectral else Channelwise(prior)
    if channels == 1:
        return Grayscale(prior)
    raise ValueError(
        f"the images must have {prior.channels} channels for prior {name!r}, got {channels}"
    )


def together(problem: InverseProblem) -> int:
    """Number of samples to draw at once, so that memory does not grow with their number."""
    return max(1, PIXELS_TOGETHER // math.prod(problem.operator.in_shape))


def backprojection(problem: InverseProblem) -> Tensor | None:
    """A plain image made of the measurement, to compare with: (1, \\*shape seen), or None.

    The measurement itself where it is an image of the size of what it shows; enlarged (bicubic)
    where it is the same field with coarser pixels; filtered back-projection of a sinogram;
    gridding with density compensation of a trajectory, the dirty image of visibilities; otherwise
    ``A^H y / |A|^2``, which for Cartesian MRI is the zero-filled image. A nonlinear operator has
    none. Where the image reaches beyond what is measured, its ``window``.
    """
    operator, y = problem.operator, problem.y
    seen, out_shape = operator.seen_shape, operator.out_shape
    is_image = operator.view == "image" and not y.is_complex()
    if is_image and out_shape == seen:
        return y
    if is_image and len(seen) == len(out_shape) == 3 and seen[0] == out_shape[0]:
        ratios = [a / b for a, b in zip(seen[1:], out_shape[1:], strict=True)]
        if finer(*ratios):
            return torch.nn.functional.interpolate(y, seen[1:], mode="bicubic")
    if not isinstance(operator, LinearOperator):
        return None
    if isinstance(operator, Tomography):
        return operator.fbp(y)
    if isinstance(operator, NonCartesianMRI | Interferometer):
        return operator.gridded(y)
    plain = operator.rmatvec(y) / operator.norm() ** 2
    return plain if operator.window is None else plain[(..., *operator.window)]


def in_steps_of_a_file(image: Tensor) -> bool:
    """Whether ``image`` lies in [0, 1] in steps of 1 / 255 or of 1 / 65535."""
    if image.is_complex() or not 0 <= float(image.min()) <= float(image.max()) <= 1:
        return False
    steps = [image.double() * white for white in (255, 65535)]
    return any(float((s - s.round()).abs().max()) < 0.01 for s in steps)


def default_name(spec: Spec, source: str) -> str:
    """The name of a folder of results, such as ``camera-deblur``."""
    return f"{Path(source).stem}-{spec.name.rpartition(':')[2]}"
