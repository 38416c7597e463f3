"""Probing of a physics of deepinv on a few images: shapes, types, and whether it has an SVD."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from invscore.operators.adapters.layout import Layout, Part, leaves
from invscore.operators.base import Shape
from invscore.operators.cg import inner
from invscore.operators.placement import moved_module

CLOSE = 1e-4
"""Largest relative error of an SVD in single precision."""

EXACT = 1e-10
"""Largest relative error of an SVD in double precision."""

UNUSED = ("noise_model", "sensor_model", "initial_random_state")
"""Attributes of a physics that its ``forward`` uses and its ``A`` does not."""

CACHE = "_auto_grad_adjoint_fn"
"""Attribute in which deepinv's tomography caches the derivative of A."""


@dataclass(frozen=True)
class Found:
    """Shapes, types and SVD of a physics, as found out.

    ``precision`` is the real type in which it computes, None where it has no numbers of its own and
    follows its images; ``one_by_one`` says that it does not take batches; ``coefficients`` is the
    layout of those of its SVD, None where it has none, ``complete`` whether its V spans all images,
    and ``diagonal`` whether ``A^H A = V s^2 V^H`` with ``V V^H = 1``. ``exact`` says that what it
    holds is known to more than single precision where its SVD is concerned.
    """

    physics: Any
    image: Layout
    measurement: Layout
    measured: Tensor | None = None
    one_by_one: bool = False
    precision: torch.dtype | None = None
    coefficients: Layout | None = None
    complete: bool = False
    diagonal: bool = False
    exact: bool = True


@torch.no_grad()
def probe(
    physics: Any, img_size: Any, complex_images: bool | None, linear: bool, decomposable: bool
) -> Found:
    """``Found`` of a physics that takes images of ``img_size``. Raises ``ValueError`` else."""
    bare = _bare(physics)
    pairs = _has_pairs(physics)
    shapes = _shapes(img_size if img_size is not None else _own_size(physics))
    if complex_images is None:
        complex_images = _is_complex(physics)
    kinds = [True] if complex_images else [False, True]
    tries = [(kind, precision) for kind in kinds for precision in _precisions(bare)]
    reason: Exception | None = None
    for as_complex, precision in tries:
        image = _image_layout(shapes, pairs, as_complex)
        try:
            found = _found(bare, image, pairs, precision)
            break
        except Exception as error:  # of the physics' own code
            reason = reason or error
    else:
        raise ValueError(
            f"`img_size` must be that of images which {type(physics).__name__} takes, got "
            f"{img_size}: {reason}"
        ) from reason
    if not linear:
        return found
    return _linear(found, decomposable)


def _found(bare: Any, image: Layout, pairs: bool, precision: torch.dtype | None) -> Found:
    x = _random(bare, image, precision)
    first = bare.A(image.to_theirs(x[:1]))
    measurement = _layout_of(first, pairs)
    try:
        together = measurement.to_ours(bare.A(image.to_theirs(x)))
        alone = [measurement.to_ours(bare.A(image.to_theirs(part))) for part in torch.split(x, 1)]
        batched = together.shape[0] == len(x) and _error(together, torch.cat(alone)) < CLOSE
    except Exception:  # some index a batch as if it were a single image
        batched = False
    return Found(bare, image, measurement, one_by_one=not batched, precision=precision)


def _linear(found: Found, decomposable: bool) -> Found:
    bare, image, measurement = found.physics, found.image, found.measurement
    x = _random(bare, image, found.precision)
    y = torch.cat(
        [measurement.to_ours(bare.A(image.to_theirs(part))) for part in torch.split(x, 1)]
    )
    seen = (y != 0).any(dim=0)
    found = replace(found, measured=None if bool(seen.all()) or not bool(seen.any()) else seen)
    if not image.is_complex:
        back = leaves(bare.A_adjoint(measurement.to_theirs(y[:1])))
        if any(array.is_complex() for array in back):
            parts = tuple(replace(part, is_complex=True) for part in image.parts)
            found = replace(found, image=replace(image, parts=parts))
    if not decomposable or found.one_by_one:
        return found
    return _with_factors(found)


def _with_factors(found: Found) -> Found:
    """``found`` with the layout of an SVD that is one, or with ``diagonal``."""
    bare: Any = found.physics
    image, measurement = found.image, found.measurement
    x = _random(bare, image, found.precision)
    theirs = bare.V_adjoint(image.to_theirs(x))
    mask = torch.as_tensor(bare.mask)
    normal = image.to_ours(bare.V(mask.abs().square() * theirs))
    product = image.to_ours(bare.A_adjoint(bare.A(image.to_theirs(x))))
    complete = _error(image.to_ours(bare.V(theirs)), x) < CLOSE
    found = replace(found, diagonal=complete and _error(normal, product) < CLOSE, complete=complete)
    coefficients = _coefficients(theirs, mask, image)
    if coefficients is None:
        return found
    error = _factors_error(bare, image, measurement, coefficients, found.precision)
    if error > CLOSE:
        return found
    try:
        double = moved_module(bare, _doubled)
        exact = _factors_error(double, image, measurement, coefficients, torch.float64) < EXACT
    except Exception:  # a precision of its own
        exact = False
    return replace(found, coefficients=coefficients, exact=exact)


def _doubled(tensor: Tensor) -> Tensor:
    number = tensor.is_floating_point() or tensor.is_complex()
    return tensor.to(torch.promote_types(tensor.dtype, torch.float64)) if number else tensor


def _factors_error(
    bare: Any, image: Layout, measurement: Layout, c: Layout, precision: torch.dtype | None
) -> float:
    """Relative error of U, s and V as an SVD of A, their columns orthonormal where s is not 0."""
    x = _random(bare, image, precision)
    mask = torch.as_tensor(bare.mask)
    s = c.to_ours(mask.expand(1, *c.parts[0].theirs)).real

    def through(function: Any, batch: Tensor, source: Layout, target: Layout) -> Tensor:
        return target.to_ours(function(source.to_theirs(batch)))

    coefficients = through(bare.V_adjoint, x, image, c)
    y = through(bare.A, x, image, measurement)
    other = torch.where(s > 0, _random_like(coefficients), 0)
    u = through(bare.U, other, c, measurement)
    v = through(bare.V, other, c, image)
    z, w = _random_like(y), _random_like(x)
    return max(
        _error(through(bare.U, s * coefficients, c, measurement), y),
        _error(torch.where(s > 0, through(bare.U_adjoint, u, measurement, c), 0), other),
        _error(torch.where(s > 0, through(bare.V_adjoint, v, image, c), 0), other),
        _mismatch(u, z, other, through(bare.U_adjoint, z, measurement, c)),
        _mismatch(v, w, other, through(bare.V_adjoint, w, image, c)),
    )


def _coefficients(theirs: Tensor, mask: Tensor, image: Layout) -> Layout | None:
    """The layout of an SVD's coefficients; None where singular values are not from 0."""
    if mask.is_complex() or bool((mask < 0).any()) or theirs.is_complex():
        return None
    shape = tuple(theirs.shape[1:])
    values = mask.expand(1, *shape)
    pairs = image.single and image.parts[0].pairs and shape[0] == 2
    if pairs and not bool((values[:, 0] == values[:, 1]).all()):
        return None
    return Layout((Part(shape, pairs, pairs),))


def _bare(physics: nn.Module) -> nn.Module:
    """The physics without noise, sensor and generators, which A does not need: pickle takes it."""
    from deepinv.physics.generator import PhysicsGenerator

    bare = moved_module(physics, lambda tensor: tensor)
    for part in list(bare.modules()):
        if _has_pairs(part) and isinstance(mask := part._buffers.get("mask"), Tensor):
            part._buffers["mask"] = _interleaved(mask)
        for held in (part._modules, part._buffers, part.__dict__):
            for name, value in list(held.items()):
                if isinstance(value, PhysicsGenerator | torch.Generator):
                    held[name] = None
                elif name in UNUSED or _is_identity(value):
                    del held[name]
                    part.__dict__[name] = identity
    return bare


def _interleaved(mask: Tensor) -> Tensor:
    """The same numbers, (b, 2, ...), with those of a pair beside each other in memory.

    Products with it lie like it, as complex numbers do, and need not be copied to become them.
    """
    if mask.ndim < 3 or mask.shape[1] != 2:
        return mask
    return mask.movedim(1, -1).contiguous().movedim(-1, 1)


def without_caches(physics: nn.Module) -> nn.Module:
    """The physics without what it keeps of the last call: functions of tensors where it was."""
    cached = [part for part in physics.modules() if part.__dict__.get(CACHE) is not None]
    if not cached:
        return physics
    bare = moved_module(physics, lambda tensor: tensor)
    for part in bare.modules():
        if CACHE in part.__dict__:
            part.__dict__[CACHE] = None
    return bare


def identity(x: Any, **_: Any) -> Any:
    """Identity in the place of deepinv's ``lambda x: x``, which pickle does not take."""
    return x


def _is_identity(value: object) -> bool:
    code = getattr(value, "__code__", None)
    plain: Any = lambda x: x  # noqa: E731
    return code is not None and code.co_code == plain.__code__.co_code and not code.co_freevars


def _has_pairs(physics: nn.Module) -> bool:
    from deepinv.utils.mixins import MRIMixin

    return any(isinstance(part, MRIMixin) for part in physics.modules())


def _is_complex(physics: nn.Module) -> bool:
    from deepinv.physics import PhaseRetrieval, PtychographyLinearOperator

    return isinstance(physics, PhaseRetrieval | PtychographyLinearOperator)


def _precisions(physics: nn.Module) -> list[torch.dtype | None]:
    """Precisions in which it may compute, the likeliest first: None for any."""
    numbers = [t for t in (*physics.parameters(), *physics.buffers()) if t.dtype.is_floating_point]
    first = numbers[0].dtype if numbers else torch.float32
    others = [dtype for dtype in (torch.float32, torch.float64) if dtype != first]
    return [first, *others]


def _own_size(physics: Any) -> Any:
    size = getattr(physics, "img_size", None)
    for part in getattr(physics, "physics_list", ()):
        size = _own_size(part) if size is None else size
    if size is None:
        raise ValueError(
            f"`img_size` must be given: {type(physics).__name__} does not tell that of its images"
        )
    return size


def _shapes(img_size: Any) -> tuple[Shape, ...]:
    size = tuple(img_size)
    nested = any(isinstance(item, tuple | list | torch.Size) for item in size)
    shapes = tuple(tuple(int(n) for n in part) for part in (size if nested else (size,)))
    if not all(shape and min(shape) > 0 for shape in shapes):
        raise ValueError(f"`img_size` must be a shape such as (1, 64, 64), got {img_size}")
    return shapes


def _image_layout(shapes: tuple[Shape, ...], pairs: bool, as_complex: bool) -> Layout:
    pairs = pairs and len(shapes) == 1 and shapes[0][0] == 2
    parts = tuple(Part(shape, pairs, pairs or as_complex) for shape in shapes)
    return Layout(parts, None if len(parts) == 1 else tensor_list)


def _layout_of(batch: Any, pairs: bool) -> Layout:
    """The layout of the measurements of a single image."""
    arrays = leaves(batch)
    parts = []
    for array in arrays:
        if array.ndim < 2 or len(array) != 1:
            raise ValueError(f"a measurement of shape {tuple(array.shape)} has no axis of images")
        is_pair = pairs and array.shape[1] == 2 and not array.is_complex()
        parts.append(Part(tuple(array.shape[1:]), is_pair, is_pair or array.is_complex()))
    return Layout(
        tuple(parts), None if isinstance(batch, Tensor) else partial(nested, nesting_of(batch))
    )


def nesting_of(batch: Any) -> Any:
    """The nesting of a list of tensors: None for each of these."""
    return None if isinstance(batch, Tensor) else [nesting_of(item) for item in batch]


def nested(nesting: Any, arrays: list[Tensor]) -> Any:
    """``arrays`` in lists of deepinv's that are nested like that."""
    rest = iter(arrays)

    def build(part: Any) -> Any:
        return next(rest) if part is None else tensor_list([build(item) for item in part])

    return build(nesting)


def tensor_list(arrays: list[Any]) -> Any:
    """A list of tensors as deepinv has it."""
    from deepinv.utils import TensorList

    return TensorList(arrays)


def zeros(
    bare: nn.Module, layout: Layout, precision: torch.dtype | None, number: int = 1
) -> Tensor:
    """Images of zeros where the physics is, in a precision."""
    tensors = [*bare.parameters(), *bare.buffers()]
    device = tensors[0].device if tensors else torch.device("cpu")
    dtype = precision or torch.float32
    dtype = dtype.to_complex() if layout.is_complex else dtype
    return torch.zeros(number, *layout.shape, dtype=dtype, device=device)


def _random(bare: nn.Module, layout: Layout, precision: torch.dtype | None) -> Tensor:
    """Three images with values around [0, 1]."""
    return 0.5 + 0.2 * _random_like(zeros(bare, layout, precision, 3))


def _random_like(x: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(x.shape, dtype=x.dtype, generator=generator).to(x.device)


def _error(a: Tensor, b: Tensor) -> float:
    scale = max(float(torch.linalg.vector_norm(a)), float(torch.linalg.vector_norm(b)), 1e-30)
    return float(torch.linalg.vector_norm(a - b)) / scale if a.shape == b.shape else 1.0


def _mismatch(image: Tensor, other: Tensor, x: Tensor, back: Tensor) -> float:
    """``<B x, y> - <x, B^H y>``, relative to the norms."""
    difference = inner(image.flatten(1), other.flatten(1)) - inner(x.flatten(1), back.flatten(1))
    scale = torch.linalg.vector_norm(image) * torch.linalg.vector_norm(other)
    return float(difference.abs().max() / scale.clamp_min(1e-30))
