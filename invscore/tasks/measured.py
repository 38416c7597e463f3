"""A user's own measurement as an inverse problem: nothing is invented, what is assumed is said.

What an operator would draw at random for a simulation (a mask, a kernel, a matrix) belongs to the
measurement here: it is given, or found in the measurement, or the operator is refused. Blurs have
the border of a camera (``boundary="valid"``): what lies beyond the picture is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Literal

from torch import Tensor

from invscore.estimation.noise_level import estimate_noise
from invscore.estimation.noise_of_kspace import level_left
from invscore.images import (
    as_image,
    load_image,
    read_measurement,
)
from invscore.noise import Noise
from invscore.operators import MRI, Inpainting, LinearOperator, Operator, Tomography
from invscore.priors.base import Prior
from invscore.readers import Part
from invscore.tasks import blind, multicoil, noncartesian
from invscore.tasks.builtin import option_defaults
from invscore.tasks.counts import counts_of_file, in_law
from invscore.tasks.noises import Declared, Law
from invscore.tasks.noisy import law_of, problem_with
from invscore.tasks.random_options import require_known
from invscore.tasks.shapes import image_shape
from invscore.tasks.specs import Spec
from invscore.tasks.task import Shape, Task, make_operator
from invscore.tasks.told import (
    knows_its_mask,
    linear_in_the_light,
    require_cartesian,
    with_its_angles,
    with_its_holes,
    with_its_noise,
    with_its_pattern,
)

FitPrior = Callable[[Operator], Prior]

FROM_ZEROS = ("inpaint", "mri")
"""Operators whose mask may be read from the zeros of a measurement."""

GEOMETRY = (
    *("sigma", "length", "angle", "radius", "factor", "kernel", "size", "position"),
    *("angles", "span"),
)
"""Options whose defaults are as good as any for a simulation, and hardly for a measurement."""

SINOGRAM = ", of channels, angles and detectors"
"""What the axes of a tomography's measurements are."""

NEAR_BLACK = 2 / 255
"""Of the largest value: pixels as dark as this, beside exact zeros, make these doubtful."""

FEW = 0.02
"""Near-black pixels, as a share of the zeros, that do not."""


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
    if not spec.is_plugin and spec.name == noncartesian.NAME:
        return _along_trajectory(spec, measurement, shape, noise, device, part or {})
    y, axes = read_measurement(measurement, **(part or {}))
    if not spec.is_plugin and spec.name == blind.NAME:
        y = as_image(y, repr(measurement), axes=axes)
        return _of_unknown_kernel(spec, y, noise, device)
    found: tuple[str, ...] = ()
    apart: Hashable = None
    if not (part and part.get("reader")):
        key = (part or {}).get("key")
        spec, found = with_its_holes(spec, measurement)
        require_cartesian(spec, measurement, key)
        spec = with_its_noise(spec, measurement, key)
        spec, angles = with_its_angles(spec, measurement, key)
        spec, filters = with_its_pattern(spec, measurement, key)
        found = (*found, *angles, *filters, *linear_in_the_light(spec, measurement))
        apart = spec.options["angles"] if angles else None
    y, law, counted = counts_of_file(noise, y, measurement, part or {})
    found = (*found, *counted)
    if counted:  # the law of another row or file is another one
        apart = object() if isinstance(law, Noise) else (apart, str(law))
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
    )
    return replace(job, assumed=(*job.assumed, *found), apart=apart or job.apart)


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
        noise, found = _noise_of_coils(exact, y[None], outer)
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


def _noise_of_coils(exact: LinearOperator | None, y: Tensor, outer: float) -> tuple[float, str]:
    """The noise of k-space, at most that of its ``outer`` frequencies, and a sentence on it.

    ``exact``: the operator, if it is right to the noise, as one with estimated maps is not.
    """
    left = None if exact is None else level_left(exact, y)
    if left is None or left >= outer:
        return outer, f"noise {outer:.3g}, estimated from the highest frequencies"
    return left, f"noise {left:.3g}, what the image that fits best leaves of k-space"


def _of_unknown_kernel(
    spec: Spec, y: Tensor, noise: Declared | Literal["auto"], device: str
) -> Task:
    """The problem of a blurred picture, with the blur that it tells."""
    operator, level, found, told = blind.found_blur(y, spec.options, noise)
    moved = operator.to(device)
    law = law_of(level, moved)
    problem, unweighted, weighted = problem_with(moved, y[None].to(device), law)
    return Task(
        problem,
        truth=None,
        assumed=(*told, *weighted),
        gain_is_one=True,
        unweighted=unweighted,
        apart=object(),
        found=found,
    )


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
) -> Task:
    """The problem of a measurement ``y`` of the user's own; ``assumed`` says what was not given.

    Images and measurements are (c, h, w) or (h, w), k-space likewise; ``shape`` is that of the
    image, or of the part that is seen, where the operator cannot tell, and ``axes`` says what those
    of y are ("chw"), if that is known; ``depth`` which of them has the slices of a volume, if y
    is one. ``noise`` may be a law itself, and is estimated with the prior that ``fit_prior`` has
    for the operator. Raises ``ValueError`` where the operator would draw at random what only the
    user knows, or where shapes do not fit.
    """
    assumed, spec = options_assumed(spec), as_of_a_camera(spec)
    masked = not spec.is_plugin and spec.name in FROM_ZEROS and not knows_its_mask(spec)
    coils = not spec.is_plugin and spec.name == multicoil.NAME
    if not masked and not coils:
        require_known(spec)
    if shape is not None:
        shape = _whole(spec, shape, y, axes)
    if not spec.is_plugin and spec.name == "ct":  # whose detectors are the columns of y
        spec = replace(spec, options={"detectors": y.shape[-1], **spec.options})
    if shape is None and not spec.is_plugin:
        # Mixtures by a matrix are a vector, which image_shape has a sentence for.
        y = (
            y
            if spec.options.get("matrix")
            else as_image(y, name, axes=axes, finite=False, depth=depth)
        )
        shape = image_shape(spec.name, tuple(y.shape), spec.options)
    operator: Operator
    if coils:
        y = multicoil.whitened(y.nan_to_num(0.0), spec.options)
        operator, told = multicoil.measured_coils(y, spec.options, name, moving=depth == "t")
        assumed = (*assumed, *told)
    elif masked:
        assert shape is not None
        y = _fitted(y, shape, name)
        operator, found = _of_zeros(spec, y, name)
        assumed = (*assumed, found)
    else:
        operator = make_operator(spec, shape)
        rays = isinstance(operator, Tomography)
        y = _fitted(y, operator.out_shape, name, SINOGRAM if rays else "")
    operator, y = operator.to(device), y[None].to(device)
    if noise == "auto" and coils and spec.options.get("noise_covariance") is not None:
        noise = 1.0
    if noise == "auto" and coils:
        assert operator.measured is not None
        assert isinstance(operator, LinearOperator)
        exact = operator if spec.options.get("maps") is not None else None
        outer = multicoil.corner_noise(y[0], operator.measured)
        noise, found = _noise_of_coils(exact, y, outer)
        assumed = (*assumed, found)
    if noise == "auto":
        if not bool(y.any()):
            raise ValueError(
                f"`noise` must be given for {name}, which is zero everywhere and tells none"
            )
        prior = None if fit_prior is None else fit_prior(operator)
        noise = float(estimate_noise(operator, y, prior))
        assumed = (*assumed, f"noise {noise:.3g}, estimated from the measurement")
    law = law_of(noise, operator)
    if isinstance(noise, Law) and isinstance(law, Noise):
        y, told = in_law(y, noise, law)
        assumed = (*assumed, *told)
    problem, unweighted, told = problem_with(operator, y, law)
    return Task(
        problem,
        truth=None,
        assumed=(*assumed, *told),
        gain_is_one=not spec.is_plugin,
        unweighted=unweighted,
        # Coils estimated from one measurement are those of no other.
        apart=object() if coils and spec.options.get("maps") is None else None,
    )


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
    if spec.name == "ct" and "span" in left:
        left["span"] = 360.0 if "source_distance" in spec.options else 180.0
    if not isinstance(spec.options.get("angles", 0), int):
        left.pop("span", None)  # which is that of a number of angles
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


def _whole(spec: Spec, shape: Shape, y: Tensor, axes: str) -> Shape | None:
    """``shape`` where it is that of the whole image, None where it is that of what is seen."""
    if spec.is_plugin or spec.options.get("boundary") != "valid" or len(shape) != 3:
        return shape
    return None if tuple(as_image(y, axes=axes, finite=False).shape[-2:]) == shape[-2:] else shape


def _of_zeros(spec: Spec, y: Tensor, name: str) -> tuple[Operator, str]:
    """The operator whose mask is what is not exactly zero in ``y``, and a sentence about it."""
    if bool((unknown := y.isnan().any(dim=0)).any()):
        found = f"mask: {int(unknown.sum())} of {unknown.numel()} entries are NaN, not measured"
        real = bool(spec.options.get("real", True))
        shape = tuple(y.shape)
        return (
            MRI(~unknown, shape, real) if spec.name == "mri" else Inpainting(~unknown, shape)
        ), found
    seen = (y != 0).any(dim=0)
    zeros = int((~seen).sum())
    share = f"{zeros} of {seen.numel()} entries ({zeros / seen.numel():.0%})"
    if not bool(seen.any()):
        raise ValueError(f"{name} is zero everywhere: it measures nothing")
    if spec.name == "mri":
        real = bool(spec.options.get("real", True))
        found = f"mask: {share} are exactly 0 and count as not measured"
        return MRI(seen, tuple(y.shape), real), found
    _refuse_black(y, seen, name)
    return Inpainting(seen, tuple(y.shape)), f"mask: {share} are exactly 0 and count as missing"


def _refuse_black(y: Tensor, seen: Tensor, name: str) -> None:
    """Raise ``ValueError`` where zeros may be black pixels of the image, or are none."""
    zeros = int((~seen).sum())
    advice = "give mask=FILE, white where measured, or seed= of the simulation"
    if not zeros:
        raise ValueError(
            f"no pixel of {name} is exactly 0, so none is known to be missing: {advice}"
        )
    brightness = y.abs().amax(dim=0)
    dark = int((seen & (brightness <= NEAR_BLACK * brightness.max())).sum())
    if dark > FEW * zeros:
        raise ValueError(
            f"{name} has {zeros} pixels that are exactly 0 and {dark} that are almost: the zeros "
            f"may be black in the image itself; {advice}"
        )


def _fitted(y: Tensor, out_shape: Shape, name: str, called: str = "") -> Tensor:
    """``y`` in the layout of ``out_shape``: a channel axis is added or moved to the front."""
    layouts = [y]
    layouts += [y[None]] if y.ndim == 2 else []
    layouts += [y.movedim(-1, 0)] if y.ndim == 3 else []
    layouts += [y[0]] if y.ndim > 1 and len(y) == 1 else []
    for layout in layouts:
        if tuple(layout.shape) == tuple(out_shape):
            return layout
    raise ValueError(
        f"{name} must have the operator's shape {tuple(out_shape)}{called}, got {tuple(y.shape)}"
    )
