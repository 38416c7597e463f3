"""Parameters of a law that differ between the numbers of a measurement, or are one for all."""

from __future__ import annotations

from torch import Tensor

from invscore.batches import as_tensor


def keep_as_tensors(noise: object, *names: str) -> None:
    """Turns the fields ``names`` of a law, given as arrays of NumPy, into tensors."""
    for name in names:
        value = getattr(noise, name)
        if not isinstance(value, int | float | Tensor):
            object.__setattr__(noise, name, as_tensor(name, value))


def beside(value: float | Tensor, like: Tensor) -> float | Tensor:
    """``value``, one for all or (\\*out_shape), beside a batch of measurements."""
    if not isinstance(value, Tensor):
        return value
    return value.to(device=like.device, dtype=like.real.dtype)


def flattened(
    value: float | Tensor, places: Tensor | None, out_shape: tuple[int, ...]
) -> float | Tensor:
    """``value`` of measurements that are flat: of all numbers, or of those at ``places``."""
    if not isinstance(value, Tensor):
        return value
    whole = value.expand(out_shape).flatten()
    return whole if places is None else whole[places.to(whole.device)]


def require_positive(**values: float | Tensor) -> None:
    """Raise ``ValueError`` for one that is not positive and finite everywhere."""
    for name, value in values.items():
        numbers = as_tensor(name, value)
        if not bool((numbers.isfinite() & (numbers > 0)).all()):
            given = value if not isinstance(value, Tensor) else f"as low as {float(value.min()):g}"
            raise ValueError(f"`{name}` must be a positive number, got {given}")


def require_background(value: float | Tensor) -> None:
    """Raise ``ValueError`` for counts that are negative or not finite."""
    numbers = as_tensor("background", value)
    if not bool((numbers.isfinite() & (numbers >= 0)).all()):
        given = value if not isinstance(value, Tensor) else f"as low as {float(value.min()):g}"
        raise ValueError(f"`background` must be counts from 0, got {given}")
