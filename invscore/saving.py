"""Output of a result: files, a figure, a page in a notebook, a line in a session."""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from invscore.batches import PerImage
from invscore.figures import COMPRESSION, middle_slice, panel, picture, side_by_side
from invscore.files import atomic_folder
from invscore.images import to_uint8
from invscore.likelihood import InverseProblem
from invscore.metrics import SSIM_WINDOW, psnr, ssim
from invscore.tasks.pictures import Window, measurement_picture, window_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRICS = "metrics.json"
ARRAYS = "arrays.npz"
PICTURES = ("reconstruction", "measurement", "truth", "std", "figure")


class Result(Protocol):
    """Interface of ``invscore.Result``, as far as it is used here."""

    @property
    def samples(self) -> Tensor: ...
    @property
    def mean(self) -> Tensor: ...
    @property
    def std(self) -> Tensor: ...
    @property
    def problem(self) -> InverseProblem | None: ...
    @property
    def method(self) -> str: ...
    @property
    def asked(self) -> str: ...
    @property
    def options(self) -> dict[str, Any]: ...
    @property
    def seed(self) -> int | tuple[int, ...]: ...
    @property
    def paired(self) -> bool: ...
    @property
    def tails(self) -> float: ...
    @property
    def scale(self) -> float | Tensor: ...
    @property
    def offset(self) -> float | Tensor: ...
    @property
    def residual(self) -> Tensor: ...
    @property
    def evaluations(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


def write(
    folder: Path,
    *,
    pictures: Mapping[str, Tensor],
    arrays: Mapping[str, Tensor],
    facts: Mapping[str, Any],
    names: tuple[str, ...] = (),
    more: Callable[[Path], None] | None = None,
) -> None:
    """Write a folder of results, as a whole or not at all.

    ``pictures``: (c, h, w) in [0, 1], by the names of their files without ``.png``. ``more`` adds
    to what is written. ``names``: files of an earlier result that go if they are not written again.
    """
    wanted = {ARRAYS, METRICS, *names, *(f"{name}.png" for name in pictures)}
    with atomic_folder(folder, names=sorted(wanted), mark=METRICS) as partial:
        drawn: dict[int, bytes] = {}  # a picture under two names is compressed once
        for name, image in pictures.items():
            if id(image) not in drawn:
                drawn[id(image)] = _compressed(image)
            (partial / f"{name}.png").write_bytes(drawn[id(image)])
        plain: dict[str, Any] = {name: tensor.cpu().numpy() for name, tensor in arrays.items()}
        np.savez(partial / ARRAYS, **plain)
        if more is not None:
            more(partial)
        text = json.dumps(facts, indent=2, allow_nan=False) + "\n"
        (partial / METRICS).write_text(text, encoding="utf-8")


def _compressed(image: Tensor) -> bytes:
    """(c, h, w) in [0, 1] as the bytes of a PNG."""
    written = io.BytesIO()
    Image.fromarray(to_uint8(image)).save(written, format="PNG", **COMPRESSION)
    return written.getvalue()


def save(result: Result, folder: Path, truth: Tensor | None) -> Path:
    """``Result.save``."""
    count = result.samples.shape[1]
    several = len(result.samples) > 1
    arrays = {
        **({} if result.problem is None else {"y": result.problem.y}),
        "mean": result.mean,
        **({"std": result.std} if several else {}),
        **({} if truth is None else {"truth": truth}),
    }
    if count == 1:  # as the command line writes it: no axis for the image
        arrays = {name: tensor[0] for name, tensor in arrays.items()}
    arrays["samples"] = result.samples[:, 0] if count == 1 else result.samples
    pictures: dict[str, Tensor] = {}
    panels = []
    for index in range(count):
        end = "" if count == 1 else f"-{index}"
        shown, spread = views(result, truth, index)
        pictures |= {f"{name}{end}": image for name, image in shown.items()}
        if spread is not None:
            white = float(spread.max()) or 1.0
            pictures[f"std{end}"] = picture(spread, peak=white)
        panels.append((f"figure{end}.png", shown, spread))

    def figures(partial: Path) -> None:
        for name, shown, spread in panels:
            if shown:
                panel(shown, partial / name, deviation=spread)

    write(
        folder,
        pictures=pictures,
        arrays=arrays,
        facts={**quality(result, truth), **facts_of(result)},
        names=_possible(count),
        more=figures,
    )
    return folder


def _possible(count: int) -> tuple[str, ...]:
    """Names of all pictures that a result of so many images may have."""
    ends = [""] if count == 1 else [f"-{index}" for index in range(count)]
    return tuple(f"{name}{end}.png" for name in PICTURES for end in ends)


def plot(result: Result, truth: Tensor | None) -> Figure:
    """``Result.plot``. Raises ``ValueError`` for results that are no images."""
    shown, spread = views(result, truth, 0)
    if not shown:
        shape = tuple(result.samples.shape[2:])
        raise ValueError(f"a figure must be of images (c, h, w), got the shape {shape}")
    return side_by_side(shown, deviation=spread)


def views(
    result: Result, truth: Tensor | None, index: int
) -> tuple[dict[str, Tensor], Tensor | None]:
    """The pictures of an image by name, (c, h, w) in [0, 1], and its spread, (1, h, w)."""
    mean = result.mean[index]
    window = window_of(mean if truth is None else truth[index], _of_image(result.scale, index))
    found = {
        "measurement": _measurement(result.problem, index, window),
        "reconstruction": picture(window(mean)) if mean.ndim > 1 else None,
        "truth": None if truth is None or mean.ndim < 2 else picture(window(truth[index])),
    }
    shown = {name: image for name, image in found.items() if image is not None}
    several = len(result.samples) > 1 and mean.ndim > 1
    spread = result.std[index].cpu() if several else None
    if spread is not None:
        spread = middle_slice(spread)
        spread = spread.reshape(-1, *spread.shape[-2:]).mean(dim=0, keepdim=True)
    return shown, spread


def _measurement(problem: InverseProblem | None, index: int, window: Window) -> Tensor | None:
    if problem is None:
        return None
    return measurement_picture(
        problem.select(torch.tensor([index], device=problem.y.device)), window
    )


def facts_of(result: Result) -> dict[str, Any]:
    """Facts on how a result was made."""
    number = result.samples.shape[1]
    factors = [_of_image(result.scale, index) for index in range(number)]
    offsets = [_of_image(result.offset, index) for index in range(number)]
    return {
        "method": result.method,
        "asked": result.asked or result.method,
        "options": result.options,
        "samples": len(result.samples),
        "paired": result.paired,
        "tails": result.tails,
        "seed": result.seed,
        "scale": factors[0] if len(set(factors)) == 1 else factors,
        "offset": offsets[0] if len(set(offsets)) == 1 else offsets,
        "evaluations": result.evaluations,
        "seconds": round(result.seconds, 3),
        "warnings": list(result.warnings),
    }


def _of_image(values: PerImage, index: int) -> float:
    """The number of an image."""
    each = torch.as_tensor(values).flatten()
    return float(each[index if len(each) > 1 else 0])


def quality(result: Result, truth: Tensor | None) -> dict[str, Any]:
    """PSNR in dB and SSIM of the mean where the ``truth`` is known, and the residual."""
    numbers: dict[str, Any] = {"residual": finite(result.residual.mean())}
    if truth is not None:
        mean, peak = result.mean, float(truth.abs().max()) or 1.0
        numbers["psnr"] = finite(psnr(mean, truth, peak).mean())
        if mean.ndim == 4 and min(mean.shape[-2:]) >= SSIM_WINDOW:
            numbers["ssim"] = finite(ssim(mean, truth, peak).mean())
    return numbers


def finite(number: float | Tensor) -> float | None:
    """Four decimals; JSON knows no infinity, which the PSNR of equal images is."""
    value = float(number)
    return round(value, 4) if math.isfinite(value) else None


def named(asked: str, ran: str) -> str:
    """``auto: matched_spectrum`` where the choice was left to invscore."""
    return ran if asked in ("", ran) else f"{asked}: {ran}"


def in_words(result: Result) -> str:
    """``Result(2 samples of 1 image (1, 8, 8) by auto: matched_spectrum, residual 1.02, 3 s)``."""
    samples, count, *shape = result.samples.shape
    residual = float(result.residual.mean())
    warned = f", {len(result.warnings)} warnings" if result.warnings else ""
    method = named(result.asked, result.method)
    return (
        f"Result({samples} sample{'s' * (samples > 1)} of {count} image{'s' * (count > 1)} "
        f"{tuple(shape)} by {method}, residual {residual:.2f}, {result.seconds:.1f} s"
        f"{warned})"
    )


def as_html(result: Result) -> str:
    """Pictures and figures of the first image, for notebooks."""
    shown, spread = views(result, None, 0)
    if spread is not None:
        white = float(spread.max()) or 1.0
        shown[f"standard deviation (white: {white:.3g})"] = picture(spread, peak=white)
    cells = "".join(
        f'<figure style="display:inline-block;margin:4px;text-align:center">'
        f'<img src="data:image/png;base64,{_png(image)}" alt="{html.escape(name)}" '
        f'style="height:180px;image-rendering:pixelated"><figcaption>{html.escape(name)}'
        f"</figcaption></figure>"
        for name, image in shown.items()
    )
    warned = "".join(f"<div>warning: {html.escape(each)}</div>" for each in result.warnings)
    return f"<div>{cells}<div>{html.escape(in_words(result))}</div>{warned}</div>"


def _png(image: Tensor) -> str:
    return base64.b64encode(_compressed(image)).decode("ascii")
