"""Operators that users choose by name: builders ``(in_shape, **options)``.

The options of a specification are checked against the signature of its builder. Operators, and
with them torch, are imported when one is built.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from invscore import plugins
from invscore.options import ranges
from invscore.options.words import meant
from invscore.tasks.blurs import airy, blind_deblur, blur, deblur, defocus, moffat, motion, shake
from invscore.tasks.instruments import interferometry, lensless
from invscore.tasks.mosaics import cassi, mosaic
from invscore.tasks.nonlinear import hdr, nonlinear_blur, phase
from invscore.tasks.sampled import box, cs, denoise, inpaint, superres
from invscore.tasks.scanners import mri, multicoil_mri, noncartesian_mri
from invscore.tasks.tomography import ct

if TYPE_CHECKING:
    from invscore.operators import Operator

Shape = tuple[int, ...]
Builder = Callable[..., "Operator"]

BUILTIN: dict[str, Builder] = {
    builder.__name__.replace("_", "-"): builder
    for builder in (
        *(deblur, motion, shake, defocus, airy, moffat, blur, blind_deblur, nonlinear_blur),
        lensless,
        *(inpaint, box, mosaic, cassi, superres, mri, multicoil_mri, noncartesian_mri),
        *(interferometry, ct, cs, phase, hdr, denoise),
    )
}


def get_builder(name: str) -> Builder:
    """The builder ``name``. Raises ``ValueError`` for an unknown one."""
    if name not in BUILTIN:
        known = [*BUILTIN, *plugins.installed("operator")]
        raise ValueError(
            f"unknown operator {name!r}: known are {', '.join(known)}, and FILE.py:NAME for one of "
            f"your own{meant(name, known)}"
        )
    return BUILTIN[name]


def build(name: str, in_shape: Shape, options: Mapping[str, Any]) -> Operator:
    """The operator ``name`` on images of ``in_shape``, or on each slice of volumes (c, d, h, w).

    A blur whose kernel is a stack, and MRI of three dimensions, are ones of whole volumes.

    Raises ``ValueError`` for an unknown operator, option or value, and for volumes where the
    operator is not linear.
    """
    if len(in_shape) != 4 or options.get("dimensions") == 3:
        return get_builder(name)(in_shape, **check_options(name, options))
    from invscore.operators import LinearOperator, Slicewise

    if (stack := kernel_stack(name, in_shape, options)) is not None:
        return stack
    channels, depth, *slices = in_shape
    operator = build(name, (channels, *slices), options)
    if not isinstance(operator, LinearOperator):
        raise ValueError(f"operator {name!r} must be linear for volumes, got a nonlinear one")
    return Slicewise(operator, depth)


def kernel_stack(name: str, in_shape: Shape, options: Mapping[str, Any]) -> Operator | None:
    """The blur of volumes (c, d, h, w) where its kernel is a stack (kd, kh, kw), or None."""
    if name != "blur":
        return None
    from invscore.operators import VolumeBlur
    from invscore.operators.files import read_kernel

    given = check_options(name, options)
    kernel = read_kernel(given["kernel"], image=in_shape, stack=True)
    if kernel.ndim != 3:
        return None
    return VolumeBlur(kernel / kernel.sum(), in_shape, given.get("boundary", "circular"))


def option_defaults(name: str) -> Mapping[str, Any]:
    """The options of operator ``name`` and their defaults; ``inspect.Parameter.empty`` for none."""
    return ranges.defaults(get_builder(name))


def option_ranges(name: str) -> Mapping[str, Any]:
    """The types of the options of operator ``name`` with their ranges."""
    return ranges.hints(get_builder(name))


def check_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` once they fit the builder of ``name``. Raises ``ValueError`` otherwise."""
    defaults = option_defaults(name)
    hints = option_ranges(name)
    for option, value in options.items():
        if option not in defaults:
            has = f"it has {', '.join(defaults)}" if defaults else "it has none"
            near = meant(option, defaults)
            raise ValueError(f"operator {name!r} has no option {option!r}: {has}{near}")
        ranges.require(value, hints[option], option, f"operator {name!r}")
    for option, default in defaults.items():
        if default is inspect.Parameter.empty and option not in options:
            example = f"{option}.png" if hints[option] is str else "1"
            raise ValueError(
                f"operator {name!r} needs an option {option!r}: for example "
                f"'{name}({option}={example})'"
            )
    return dict(options)
