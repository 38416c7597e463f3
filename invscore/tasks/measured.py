"""A user's own measurement as an inverse problem: nothing is invented, what is assumed is said.

What an operator would draw at random for a simulation (a mask, a kernel, a matrix) belongs to the
measurement here: it is given, or found in the measurement, or the operator is refused. Blurs have
the border of a camera (``boundary="valid"``): what lies beyond the picture is unknown.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from invscore.estimation.noise_level import estimate_noise_range
from invscore.estimation.rotation_axis import another_axis
from invscore.images import (
    as_image,
    load_image,
    read_measurement,
)
from invscore.likelihood import InverseProblem
from invscore.noise import Noise
from invscore.operators import Operator
from invscore.priors.base import Prior
from invscore.readers import Part
from invscore.tasks import blind, noncartesian
from invscore.tasks.builtin import option_defaults
from invscore.tasks.centre import require_centred, warn_of_lost_parts
from invscore.tasks.counts import are_counts, counts_of_file, in_law
from invscore.tasks.header_facts import (
    linear_in_the_light,
    of_real_images,
    require_cartesian,
    share_measured,
    with_its_angles,
    with_its_dimensions,
    with_its_holes,
    with_its_noise,
    with_its_pattern,
)
from invscore.tasks.inferred_facts import Found, finder_of, fitted, noise_of_coils, with_its_size
from invscore.tasks.jpeg import rounding
from invscore.tasks.noise_laws import law_of, problem_with
from invscore.tasks.noises import Declared, Law
from invscore.tasks.random_options import require_known
from invscore.tasks.shapes import image_shape
from invscore.tasks.specs import Spec
from invscore.tasks.task import Draws, Shape, Task, make_operator
from invscore.tasks.unmeasured import filled, without_lost
from invscore.tasks.whole_numbers import at_least_rounding

FitPrior = Callable[[Operator], Prior]
Posed = tuple[InverseProblem, InverseProblem | None, tuple[str, ...]]
"""What ``problem_with`` makes of a measurement."""

GEOMETRY = (
    *("sigma", "length", "angle", "radius", "factor", "kernel", "size", "position"),
    *("angles", "span"),
)
"""Options that must be given for a measurement, though a simulation has defaults for them."""


def measured_task(
    spec: Spec,
    measurement: str,
    *,
    shape: Shape | None,
    noise: Declared | Literal["auto"],
    device: str,
    fit_prior: FitPrior | None = None,
    part: Part | None = None,
) -> Task:
    """The problem of the measurement in a file, whose true image nobody knows."""
    if not spec.is_plugin and spec.name in OF_FILES:
        return OF_FILES[spec.name](spec, measurement, shape, noise, device, part or {})
    y, axes = read_measurement(measurement, shades=not are_counts(noise), **(part or {}))
    spec, found, apart = _with_facts_of_file(spec, measurement, part or {})
    y, law, counted = counts_of_file(noise, y, measurement, part or {})
    law, rounded = at_least_rounding(law, measurement, part or {})
    found = (*found, *counted, *rounded)
    if counted:  # the law of another row or file is another one
        apart = object() if isinstance(law, Noise) else (apart, str(law))
    elif rounded:
        apart = (apart, law)
    job = task_of_measurement(
        spec,
        y,
        shape=shape,
        noise=law,
        device=device,
        fit_prior=fit_prior,
        name=repr(measurement),
        axes=axes,
        depth=(part or {}).get("volume") or "",
        least=0.0 if noise != "auto" or (part and part.get("reader")) else rounding(measurement),
    )
    shades = job.gain_is_one and not are_counts(noise)
    assumed = (*job.assumed, *found)
    return replace(job, assumed=assumed, apart=apart or job.apart, gain_is_one=shades)


def _with_facts_of_file(
    spec: Spec, measurement: str, part: Part
) -> tuple[Spec, tuple[str, ...], Hashable]:
    """``spec`` with what the header of a file says of it, sentences, and angles of its own."""
    if part.get("reader"):
        return spec, (), None
    key = part.get("key")
    spec, holes = with_its_holes(spec, measurement)
    require_cartesian(spec, measurement, key)
    spec = with_its_noise(spec, measurement, key)
    spec, angles = with_its_angles(spec, measurement, key)
    spec, filters = with_its_pattern(spec, measurement, key)
    spec, dimensions = with_its_dimensions(spec, measurement, part)
    light = linear_in_the_light(spec, measurement)
    apart = spec.options["angles"] if angles else None
    return spec, (*holes, *angles, *filters, *dimensions, *light), apart


def _along_trajectory(
    spec: Spec,
    measurement: str,
    shape: Shape | None,
    noise: Declared | Literal["auto"],
    device: str,
    part: Part,
) -> Task:
    """The problem of samples of k-space along a trajectory, that of the file if it has one."""
    own, matrix = noncartesian.told_by(measurement, part)
    if not part.get("reader"):
        spec = with_its_noise(spec, measurement, part.get("key"))
    options = {**({} if own is None else {"trajectory": own}), **spec.options}
    if shape is None and matrix is None:
        image_shape(spec.name, (), options)  # which says that they do not tell it
    image = (1, *matrix) if shape is None and matrix is not None else shape
    assert image is not None
    if len(image) != 3 or image[0] != 1:
        raise ValueError(f"`shape` must be 1,H,W for operator {spec.name!r}, got {image}")
    samples = noncartesian.read_samples(measurement, part)
    operator, y, assumed = noncartesian.measured(samples, image, options, repr(measurement))
    if noise == "auto" and options.get("noise_covariance") is not None:
        noise = 1.0
    if noise == "auto":
        exact = operator if len(y) == 1 or options.get("maps") is not None else None
        outer = noncartesian.outer_noise(y, operator.omega)
        noise, found = noise_of_coils(exact, y[None], outer)
        assumed = (*assumed, found)
    moved, y = operator.to(device), y[None].to(device)
    problem, unweighted, told = problem_with(moved, y, law_of(noise, moved))
    apart = tuple(options.get(name) for name in ("trajectory", "maps", "noise_covariance"))
    several = len(y[0]) > 1 and options.get("maps") is None
    return Task(
        problem,
        truth=None,
        assumed=(*assumed, *told),
        unweighted=unweighted,
        apart=object() if several else apart,
    )


def _of_unknown_kernel(
    spec: Spec,
    measurement: str,
    shape: Shape | None,  # noqa: ARG001
    noise: Declared | Literal["auto"],
    device: str,
    part: Part,
) -> Task:
    """The problem of a blurred picture, with the blur that it tells."""
    y, axes = read_measurement(measurement, **part)
    y = as_image(y, repr(measurement), axes=axes)
    blur, level, found, told = blind.found_blur(y, spec.options, noise)

    def with_kernel(kernel: Tensor) -> Posed:
        operator = blur(kernel).to(device)
        return problem_with(operator, y[None].to(device), law_of(level, operator))

    problem, unweighted, weighted = with_kernel(found.kernel)
    return Task(
        problem,
        truth=None,
        assumed=(*told, *weighted),
        gain_is_one=True,
        unweighted=unweighted,
        apart=object(),
        found={"kernel": found.kernel, "kernel_std": found.std},
        draws=Draws(
            problem=lambda seed: with_kernel(found.drawn(seed))[0],
            arrays=lambda seeds: {"kernels": torch.stack([found.drawn(s) for s in seeds])},
        ),
    )


OF_FILES = {noncartesian.NAME: _along_trajectory, blind.NAME: _of_unknown_kernel}
"""Operators whose measurements have readers of their own, or whose problem is found as a whole."""


def task_of_measurement(
    spec: Spec,
    y: Tensor,
    *,
    shape: Shape | None = None,
    noise: Declared | Noise | Literal["auto"] = "auto",
    device: str = "cpu",
    fit_prior: FitPrior | None = None,
    name: str = "the measurement",
    axes: str = "",
    depth: str = "",
    least: float = 0.0,
) -> Task:
    """The problem of a measurement ``y`` of the user's own; ``assumed`` says what was not given.

    Images and measurements are (c, h, w) or (h, w), k-space likewise; ``shape`` is that of the
    image, or of the part that is seen, where the operator cannot tell, and ``axes`` says what those
    of y are ("chw"), if that is known; ``depth`` which of them has the slices of a volume, if y
    is one. ``noise`` may be a law itself, and is estimated with the prior that ``fit_prior`` has
    for the operator, to be ``least`` at the least, what the format of a file has made of it. Raises
    ``ValueError`` where the operator would draw at random what only the user knows, or where shapes
    do not fit.
    """
    assumed, spec = options_assumed(spec), as_of_a_camera(spec)
    spec, found = _found(spec, y, shape, device, name, axes, depth)
    operator, y = found.operator, found.y[None].to(device)
    require_centred(operator, y, name)
    warn_of_lost_parts(operator, y, name)
    for sentence in another_axis(operator, y, name):
        warnings.warn(sentence, stacklevel=2)
    assumed = (*assumed, *found.assumed)
    if noise == "auto":
        noise, told = _estimated(found, operator, y, name, fit_prior, least)
        assumed = (*assumed, *told)
    law = law_of(noise, operator)
    if isinstance(noise, Law) and isinstance(law, Noise):
        y, told = in_law(y, noise, law)
        assumed = (*assumed, *told)
    law, lost = without_lost(operator, y, law, name)
    problem, unweighted, told = problem_with(operator, y, law)
    return Task(
        problem,
        truth=None,
        assumed=(*assumed, *share_measured(spec, operator), *(lost or told)),
        gain_is_one=not spec.is_plugin,
        unweighted=unweighted,
        apart=object() if found.alone or lost else None,
    )


def _found(
    spec: Spec, y: Tensor, shape: Shape | None, device: str, name: str, axes: str, depth: str
) -> tuple[Spec, Found]:
    """``spec`` with its size, and its operator on ``device`` with ``y`` in its layout."""
    if (find := finder_of(spec)) is None:
        require_known(spec)
    if shape is not None:
        shape = _whole(spec, shape, y, axes)
    spec = with_its_size(spec, y)
    if shape is None and not spec.is_plugin:
        # Mixtures by a matrix are a vector, which image_shape has a sentence for.
        if not spec.options.get("matrix"):
            y = as_image(y, name, axes=axes, finite=False, depth=depth)
        shape = image_shape(spec.name, tuple(y.shape), spec.options)
    if find is None:
        operator = make_operator(spec, shape, device)
        y = fitted(y, operator.out_shape, name, operator.out_axes)
        return spec, Found(operator, y, of_real_images(operator))
    assert shape is not None
    found = find(spec, y, shape, name, depth == "t")
    return spec, replace(found, operator=found.operator.to(device))


def _estimated(
    found: Found,
    operator: Operator,
    y: Tensor,
    name: str,
    fit_prior: FitPrior | None,
    least: float,
) -> tuple[float, tuple[str, ...]]:
    """The noise of ``y``, ``least`` at the least, and sentences on it."""
    if found.noise is not None:
        return found.noise(y)
    if not bool(y.any()):
        raise ValueError(
            f"`noise` must be given for {name}, which is zero everywhere and tells none"
        )
    prior = None if fit_prior is None else fit_prior(operator)
    estimated = estimate_noise_range(operator, filled(operator, y, name), prior)
    noise = max(float(estimated.level), least)
    rounded = f"noise {least:.3g}, the error of JPEG, which hides that of the camera"
    return noise, (rounded if noise == least else str(estimated),)


def known_task(
    spec: Spec,
    measurement: str,
    image: str,
    *,
    noise: float,
    device: str,
    part: Part | None = None,
) -> Task:
    """The problem of a measurement of the user's own, whose true image is in a file.

    The image is as large as what the operator takes or, where that reaches beyond the measurement,
    as what the measurement shows.
    """
    truth = load_image(image, **(part or {}))
    shape = tuple(truth.shape)
    job = measured_task(spec, measurement, shape=shape, noise=noise, device=device, part=part)
    operator = job.problem.operator
    if shape not in (operator.in_shape, operator.seen_shape):
        raise ValueError(
            f"the image {image!r} must have shape {operator.in_shape} for operator {spec.name!r}, "
            f"got {shape}"
        )
    if truth.is_complex() and not operator.in_complex:
        raise ValueError(
            f"the image {image!r} must be real for operator {spec.name!r}, got a complex one"
        )
    return replace(job, truth=truth[None].to(device, job.problem.image_dtype))


def as_of_a_camera(spec: Spec) -> Spec:
    """``spec`` with the border of a camera, unless it has one of its own."""
    if spec.is_plugin or "boundary" not in option_defaults(spec.name):
        return spec
    return replace(spec, options={"boundary": "valid", **spec.options})


def options_assumed(spec: Spec) -> tuple[str, ...]:
    """Sentences on the options of a built-in operator that describe the measurement, not given."""
    if spec.is_plugin:
        return ()
    defaults = option_defaults(spec.name)
    left = {name: value for name, value in defaults.items() if name not in spec.options}
    if spec.name in DEPENDENT:
        depend = DEPENDENT[spec.name](spec.options)
        left |= {name: value for name, value in depend.items() if name in left}
    assumed = []
    plain = {name: left[name] for name in GEOMETRY if isinstance(left.get(name), (int, float, str))}
    if plain:
        values = ", ".join(f"{name}={value}" for name, value in plain.items())
        assumed.append(f"{spec.name}({values}), as nothing else was given")
    if "boundary" in left:
        assumed.append(
            "boundary=valid: nothing is known of what lies beyond the border "
            "(circular is for measurements that were simulated so)"
        )
    return tuple(assumed)


def _turn(options: Mapping[str, Any]) -> dict[str, float | None]:
    """The span of a number of angles, a full turn around a source; a list of them has none."""
    if not isinstance(options.get("angles", 0), int):
        return {"span": None}
    return {"span": 360.0 if "source_distance" in options else 180.0}


DEPENDENT = {"ct": _turn}
"""Operators with defaults that depend on other options."""


def _whole(spec: Spec, shape: Shape, y: Tensor, axes: str) -> Shape | None:
    """``shape`` where it is that of the whole image, None where it is that of what is seen."""
    if spec.is_plugin or spec.options.get("boundary") != "valid" or len(shape) != 3:
        return shape
    return None if tuple(as_image(y, axes=axes, finite=False).shape[-2:]) == shape[-2:] else shape
