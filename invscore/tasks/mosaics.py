"""Mosaics and coded apertures by name, and how many channels are behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Interval

from invscore.options.ranges import Seed

if TYPE_CHECKING:
    from invscore.operators import Operator

Shape = tuple[int, ...]
Side = Annotated[int, Interval(ge=1, le=100000)]
DISPERSION = 1


def mosaic(
    in_shape: Shape, *, pattern: str | tuple[int, ...] = "RGGB", filters: str | None = None
) -> Operator:
    """A colour filter array: letters as RGGB, numbers of bands, or a file of filters (c, h, w)

    y = sum over c of w_c x_c at each pixel, w_c what the filter there lets through of channel c.

    ``pattern``: letters of a square, row by row, as ``RGGB`` (36 of them are an X-Trans sensor); or
    the numbers of bands, from 0.
    ``filters``: file of the transmissions, repeated where smaller than the image.
    """
    from invscore.operators import Mosaic
    from invscore.operators.files import read_filters

    if filters is not None:
        return Mosaic(read_filters(filters, in_shape), in_shape)
    if isinstance(pattern, str):
        if in_shape[0] != 3:
            raise ValueError(
                f"`pattern` must be numbers of bands for {in_shape[0]} channels, got {pattern!r}"
            )
        return Mosaic.bayer(pattern, in_shape)
    return Mosaic.of_bands(whole_numbers(pattern), in_shape)


def cassi(
    in_shape: Shape,
    *,
    mask: str | None = None,
    seed: Seed = 0,
    dispersion: Annotated[int, Interval(ge=0, le=1000)] = DISPERSION,
    channels: Side | None = None,
) -> Operator:
    """Coded aperture spectral imaging: a mask file, and a prism that moves bands by columns

    y(i, j) = sum over bands c of m(i, j - d c) x_c(i, j - d c): each band behind a mask m, moved by
    d c columns (CASSI, Wagadarikar et al. 2008).

    ``mask``: file of the mask, of the scene's size; a random one of ``seed`` in a simulation.
    ``dispersion``: columns d between one band and the next.
    ``channels``: number of bands, for a --measurement.
    """
    import torch

    from invscore.operators import Mosaic
    from invscore.operators.files import read_mask

    if channels not in (None, in_shape[0]):
        raise ValueError(f"`channels` must be those of the image, {in_shape[0]}, got {channels}")
    if mask is None:
        generator = torch.Generator().manual_seed(seed)
        aperture = torch.rand(in_shape[1:], generator=generator) < 0.5
    else:
        aperture = read_mask(mask, image=in_shape, soft=True)
        if tuple(aperture.shape) != tuple(in_shape[1:]):
            raise ValueError(
                f"the mask {mask!r} must have the image's shape {tuple(in_shape[1:])}, got "
                f"{tuple(aperture.shape)}"
            )
        if not bool(aperture.any()):
            raise ValueError(f"the mask {mask!r} must let light through somewhere, got zeros alone")
    return Mosaic.coded_aperture(aperture, in_shape[0], dispersion)


def whole_numbers(values: tuple[Any, ...]) -> tuple[int, ...]:
    """``values`` in one row, of a list or of lists."""
    flat = [each for value in values for each in (value if isinstance(value, tuple) else (value,))]
    return tuple(int(each) for each in flat)


def channels_of_mosaic(options: Mapping[str, Any]) -> int:
    """Number of channels of the image behind a mosaic."""
    pattern = options.get("pattern", "RGGB")
    if options.get("filters") is not None:
        from invscore.operators.files import read_filters

        return len(read_filters(options["filters"], None))
    if isinstance(pattern, str):
        return 3
    if not (bands := whole_numbers(pattern)):
        raise ValueError("`pattern` must be numbers of bands or letters such as RGGB, got none")
    return 1 + max(bands)


def shape_behind_aperture(y_shape: Shape, options: Mapping[str, Any]) -> Shape:
    """The shape of the images of ``cassi``. Raises ``ValueError`` for no channels, or too many."""
    channels = options.get("channels")
    if channels is None:
        raise ValueError("operator 'cassi' needs channels: for example 'cassi(channels=28)'")
    moved = options.get("dispersion", DISPERSION) * (channels - 1)
    if y_shape[-1] <= moved:
        raise ValueError(
            f"the measurement must have more than the {moved} columns by which its last channel is "
            f"moved, dispersion * (channels - 1), got {y_shape[-1]}"
        )
    return (channels, y_shape[-2], y_shape[-1] - moved)
