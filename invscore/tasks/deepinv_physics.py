"""``deepinv:NAME(option=value, ...)``: a forward model of deepinv by the name of its class."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invscore.options.words import meant
from invscore.plugins.modules import where

if TYPE_CHECKING:
    from invscore.operators import Operator

Shape = tuple[int, ...]

PREFIX = "deepinv:"

NOT_OPTIONS = ("self", "device", "rng", "noise_model", "sensor_model", "kwargs")
"""Parameters that are not options of a command line: ``seed`` stands for ``rng``, --noise for the
noise."""


def deepinv_operator(name: str, options: Mapping[str, Any], in_shape: Shape | None) -> Operator:
    """The operator of the class ``name`` of ``deepinv.physics``, on images of ``in_shape``.

    ``options`` are the arguments of the class, ``img_size`` and ``img_width`` being taken from
    ``in_shape`` where they are not given; files (a mask, a filter, coil maps) are read into
    tensors, and ``seed`` makes the random generator. Raises ``ValueError`` for an unknown class or
    option and for what the class refuses.
    """
    import torch

    from invscore.operators import LinearOperator, from_deepinv
    from invscore.operators.probe import adjoint_is_off

    found = _class(name)
    what = f"operator '{PREFIX}{name}'"
    parameters = _parameters(found)
    known = [*parameters, *(["seed"] if _draws(found) else [])]
    for option in options:
        if option not in known:
            near = meant(option, known)
            raise ValueError(f"{what} has no option {option!r}: it has {', '.join(known)}{near}")
    size = options.get("img_size", None if in_shape is None else _theirs(found, in_shape))
    given = {key: _value(value, parameters[key]) for key, value in options.items() if key != "seed"}
    if size is not None and "img_size" in parameters:
        given.setdefault("img_size", tuple(size))
    if size is not None and "img_width" in parameters:
        given.setdefault("img_width", size[-1])
    if _draws(found):
        given["rng"] = torch.Generator().manual_seed(int(options.get("seed", 0)))
    for parameter in parameters.values():
        if parameter.default is parameter.empty and parameter.name not in given:
            raise ValueError(f"{what} needs an option {parameter.name!r}")
    try:
        physics = found(**given)
    except (Exception, SystemExit) as error:
        raise ValueError(f"{what} fails: {where(error, __file__)}") from error
    shape = None if size is None else tuple(size)
    try:
        operator, _ = from_deepinv(physics, shape)
        if isinstance(operator, LinearOperator) and adjoint_is_off(operator, torch.zeros(1)):
            operator, _ = from_deepinv(physics, shape, adjoint="autograd")
            warnings.warn(
                f"{what} has an adjoint in deepinv that is off: A is differentiated instead",
                stacklevel=2,
            )
    except ValueError as error:
        left = [p.name for p in parameters.values() if p.name not in given and _is_tensor(p)]
        if not left:
            raise
        raise ValueError(f"{error} ({' and '.join(left)} not given)") from error
    except (Exception, SystemExit) as error:  # of the physics' own code
        raise ValueError(f"{what} fails: {where(error, __file__)}") from error
    return operator


def draws_at_random(name: str, options: Mapping[str, Any]) -> bool:
    """Whether the class would draw what belongs to a measurement: no seed, no file given."""
    found = _class(name)
    told = "seed" in options or any(_is_file(value) for value in options.values())
    return _draws(found) and not told


def _class(name: str) -> Any:
    from deepinv import physics

    classes = {
        key: value
        for key, value in vars(physics).items()
        if inspect.isclass(value) and issubclass(value, physics.Physics)
    }
    if name not in classes:
        near = meant(name, classes)
        raise ValueError(
            f"`op` must name a class of deepinv.physics after {PREFIX!r}, got {name!r}{near}"
        )
    return classes[name]


def _parameters(found: Any) -> dict[str, inspect.Parameter]:
    return {
        key: parameter
        for key, parameter in inspect.signature(found.__init__).parameters.items()
        if key not in NOT_OPTIONS
    }


def _draws(found: Any) -> bool:
    return "rng" in inspect.signature(found.__init__).parameters


def _theirs(found: Any, in_shape: Shape) -> Shape:
    """The size that deepinv gives images of ``in_shape``: complex ones are two channels."""
    from deepinv.utils.mixins import MRIMixin

    if not issubclass(found, MRIMixin):
        return in_shape
    return (2, *in_shape[1:]) if in_shape[0] == 1 else (2, *in_shape)


def _is_tensor(parameter: inspect.Parameter) -> bool:
    return parameter.default is None and "Tensor" in str(parameter.annotation)


def _is_file(value: Any) -> bool:
    return isinstance(value, str) and Path(value).suffix != "" and Path(value).is_file()


def _value(value: Any, parameter: inspect.Parameter) -> Any:
    """A tensor where the class wants one: of a file, or of a list of numbers."""
    import torch

    if _is_file(value):
        return _read(value)
    wanted = str(parameter.annotation)
    if isinstance(value, tuple) and "Tensor" in wanted:
        return torch.tensor(value)
    if isinstance(value, str) and "Tensor" in wanted and "str" not in wanted:
        raise ValueError(
            f"`{parameter.name}` must be a file or numbers, got {value!r}: no such file"
        )
    return value


def _read(file: str) -> Any:
    """The numbers in a file, as they are but in single precision; a picture as gray."""
    import numpy as np
    import torch

    from invscore.readers import as_numbers, pick, read

    name = f"the file {file!r}"
    recording = pick(read(file), name)
    numbers = as_numbers(np.asarray(recording.values), name, recording.white)
    if recording.axes == "chw" and recording.white is not None:
        numbers = numbers.mean(axis=0)
    tensor = torch.from_numpy(np.ascontiguousarray(numbers))
    return tensor.to(torch.complex64 if tensor.is_complex() else torch.float32)
