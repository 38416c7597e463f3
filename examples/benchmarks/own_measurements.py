"""Measurements that invscore has not made, restored as a new user would and as an expert would.

    python examples/benchmarks/own_measurements.py [--size 64] [--samples 2] [CASE ...]

Thirty-six measurements, made by numpy and scipy: of photographs of scikit-image blurs that go on
beyond the border, masks in files and in alpha channels, k-space, small pictures, noise alone, and
blurs of colours; of slices of a brain, which are complex, k-space. Each is
a file, restored by the path of ``invscore reconstruct --measurement FILE --op OPERATOR`` and by the
same with the noise that it has. Prints, as it goes, the PSNR in dB of what was measured (zeros
where nothing was; k-space as the image of its zero-filled Fourier transform; a small picture as
large squares), of both restorations, and the estimate of the noise over the truth; then how often
the default is worse than the measurement, and how far it is from the other.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.ndimage as ndimage
import torch
from PIL import Image

from invscore import Prior, load_prior, reconstruct
from invscore.bench import brain
from invscore.images import crop_and_shrink, load_image
from invscore.metrics import psnr
from invscore.tasks import measured
from invscore.tasks.specs import parse_spec

Array = npt.NDArray[np.float64]

GRAY, COLOUR, COMPLEX = "photos-gray", "photos", "brain-mri"

PICTURES = ("camera", "coins", "moon", "page")
COLOURED = ("astronaut", "coffee", "chelsea")
NOISE = (0.01, 0.03, 0.1)


@dataclass(frozen=True)
class Case:
    """A measurement in ``file``, its image ``truth``, and what the measurement shows of it."""

    name: str
    file: Path
    op: str
    truth: Array
    shown: Array
    noise: float
    prior: str = GRAY


def cases(size: int, folder: Path) -> Iterator[Case]:
    """Thirty-six of them, three noise levels of each kind, pictures in turn."""
    rng = np.random.default_rng(0)
    for kind in KINDS:
        for number, noise in enumerate(NOISE):
            file = folder / f"{kind}-{noise:g}"
            if kind == "colours":
                yield coloured(COLOURED[number], size, noise, rng, file)
            elif kind == "complex":
                yield of_a_brain(brain.NAMES[number], size, noise, rng, file)
            else:
                picture = PICTURES[(number + len(kind)) % len(PICTURES)]
                scene = crop_and_shrink(load_image(picture), 2 * size)[0].double().numpy()
                yield make(kind, scene, size, noise, rng, file)


KINDS = (
    "gaussian",
    "motion",
    "disk",
    "kernel",
    "mask",
    "hole",
    "zeros",
    "small",
    "k-space",
    "noisy",
    "colours",
    "complex",
)


def coloured(picture: str, size: int, noise: float, rng: np.random.Generator, file: Path) -> Case:
    """A photograph in colour out of focus, (h, w, 3), as cameras write it."""
    scene = crop_and_shrink(load_image(picture), 2 * size).double().numpy()
    middle = slice(size // 2, size // 2 + size)
    blurred = ndimage.gaussian_filter(scene, (0, 1.6, 1.6))[:, middle, middle]
    y = blurred + noise * rng.standard_normal(blurred.shape)
    np.save(file.with_suffix(".npy"), np.moveaxis(y, 0, -1))
    op, truth = "deblur(sigma=1.6)", scene[:, middle, middle]
    return Case(file.name, file.with_suffix(".npy"), op, truth, y, noise, COLOUR)


def of_a_brain(name: str, size: int, noise: float, rng: np.random.Generator, file: Path) -> Case:
    """k-space of a complex slice, some of its columns, the others zero."""
    truth = crop_and_shrink(brain.brain_slice(name), size)[0].numpy().astype(complex)
    mask = (rng.random(size) < 0.3) | (np.abs(np.arange(size) - size // 2) < size // 16)
    k = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(truth), norm="ortho"))
    grain = rng.standard_normal(k.shape) + 1j * rng.standard_normal(k.shape)
    k = (k + noise * grain) * mask
    filled = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(k), norm="ortho"))
    np.save(file.with_suffix(".npy"), k)
    op = "mri(real=false)"
    return Case(
        file.name, file.with_suffix(".npy"), op, np.abs(truth), np.abs(filled), noise, COMPLEX
    )


def make(
    kind: str, scene: Array, size: int, noise: float, rng: np.random.Generator, file: Path
) -> Case:
    """The measurement of a ``kind`` of the middle of a ``scene`` twice as large."""
    middle = slice(size // 2, size // 2 + size)
    truth = scene[middle, middle]

    def noisy(clean: Array) -> Array:
        return clean + noise * rng.standard_normal(clean.shape)

    def case(y: npt.NDArray[Any], op: str, shown: Array | None = None) -> Case:
        np.save(file.with_suffix(".npy"), y)
        seen = y if shown is None else shown
        return Case(file.name, file.with_suffix(".npy"), op, truth, seen, noise)

    def blurred(kernel: Array, op: str) -> Case:
        return case(noisy(ndimage.convolve(scene, kernel / kernel.sum())[middle, middle]), op)

    if kind == "gaussian":
        return case(noisy(ndimage.gaussian_filter(scene, 1.6)[middle, middle]), "deblur(sigma=1.6)")
    if kind == "motion":
        return blurred(np.ones((1, 9)), "motion(length=9, angle=0)")
    rows, columns = np.mgrid[-3:4, -3:4]
    if kind == "disk":
        return blurred((rows**2 + columns**2 <= 9.0).astype(float), "defocus(radius=3)")
    if kind == "kernel":
        kernel = np.exp(-np.abs(rows) - np.abs(columns - rows) / 2)
        np.save(file.parent / "kernel.npy", kernel)
        return blurred(kernel, f"blur(kernel={file.parent / 'kernel.npy'})")
    if kind == "mask":
        mask = rng.random(truth.shape) < 0.4
        path = file.parent / f"{file.name}-mask.png"
        Image.fromarray(255 * mask.astype(np.uint8)).save(path)
        return case(noisy(truth) * mask, f"inpaint(mask={path})")
    if kind == "zeros":
        return case(noisy(truth) * (rng.random(truth.shape) < 0.5), "inpaint")
    if kind == "hole":
        alpha = np.full(truth.shape, 255, dtype=np.uint8)
        alpha[size // 3 : size // 2, size // 3 : size // 2] = 0
        y = np.rint(255 * noisy(truth).clip(0, 1)).astype(np.uint8)
        path = file.parent / f"{file.name}.png"
        Image.fromarray(np.stack([y, alpha], axis=-1), "LA").save(path)
        return Case(file.name, path, "inpaint", truth, y / 255 * (alpha > 0), noise)
    if kind == "small":
        y = noisy(truth.reshape(size // 2, 2, size // 2, 2).mean(axis=(1, 3)))
        return case(y, "superres(factor=2)", y.repeat(2, axis=0).repeat(2, axis=1))
    if kind == "k-space":
        mask = (rng.random(size) < 0.3) | (np.abs(np.arange(size) - size // 2) < size // 16)
        k = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(truth), norm="ortho"))
        k = (noisy(k.real) + 1j * noisy(k.imag)) * mask
        filled = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(k), norm="ortho")).real
        return case(k, "mri", filled)
    return case(noisy(truth), "denoise")


def decibels(image: Array, truth: Array) -> float:
    return float(psnr(torch.as_tensor(image)[None, None], torch.as_tensor(truth)[None, None]))


def restored(case: Case, prior: Prior, noise: float | None, samples: int) -> tuple[float, float]:
    """The PSNR of the mean, and the level of noise that was assumed."""
    job = measured.measured_task(
        parse_spec(case.op),
        str(case.file),
        shape=None,
        noise="auto" if noise is None else noise,
        device="cpu",
        fit_prior=lambda operator: prior,
    )
    result = reconstruct(job.problem, prior, samples=samples, scale=job.scale)
    mean = result.seen.mean[0].abs() if prior.complex else result.seen.mean[0]
    assert job.noise is not None
    return decibels(mean.squeeze(0).double().numpy(), case.truth), float(job.noise)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("cases", metavar="CASE", nargs="*", help=f"of {', '.join(KINDS)}")
    parser.add_argument("--size", type=int, default=64, help="pixels along a side")
    parser.add_argument("--samples", type=int, default=2)
    arguments = parser.parse_args()
    rows = []
    print(f"{'':18s}{'measured':>9s}{'default':>9s}{'declared':>9s}{'noise / true':>14s}")
    with tempfile.TemporaryDirectory() as folder:
        for case in cases(arguments.size, Path(folder)):
            if arguments.cases and not any(case.name.startswith(k) for k in arguments.cases):
                continue
            prior = load_prior(case.prior)
            shown = decibels(case.shown, case.truth)
            default, level = restored(case, prior, None, arguments.samples)
            declared, _ = restored(case, prior, case.noise, arguments.samples)
            rows.append((shown, default, declared))
            ratio = level / case.noise
            print(
                f"{case.name:18s}{shown:9.2f}{default:9.2f}{declared:9.2f}{ratio:14.2f}", flush=True
            )
    behind = sorted(declared - default for _, default, declared in rows)
    worse = sum(default < shown for shown, default, _ in rows)
    within = sum(loss <= 1 for loss in behind)
    median = math.nan if not behind else float(np.median(behind))
    print(f"worse than the measurement: {worse} of {len(rows)}")
    print(f"within 1 dB of everything declared: {within} of {len(rows)}, median {median:.2f} dB")


if __name__ == "__main__":
    main()
