"""What became of measurements that earlier versions restored wrongly, beside their figures then.

    python examples/benchmarks/measurement_table.py [PART ...]

PARTs: boundary, noise, random, scale, tiny, huge, counts, tensors, pairs; all by default. Each
prints rows of a table in Markdown: what was measured, the figure of the version before (measured
then, on problems alike but not the same), and the figure now, by the default path of ``invscore
reconstruct --measurement FILE`` wherever a file is read. Photographs are of scikit-image, measured
by numpy and scipy, restored with two samples.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import limits
import numpy as np
import own_measurements as own
import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, PoissonNoise, Prior, load_prior, reconstruct
from invscore.exact import exact_posterior
from invscore.images import crop_and_shrink, load_image
from invscore.operators import Blur, Inpainting, from_function
from invscore.priors import StationaryGaussianPrior
from invscore.tasks import measured
from invscore.tasks.specs import parse_spec

Row = tuple[str, str, str]  # what, before, now
SIZE = 64


def photographs() -> Prior:
    return load_prior("photos-gray")


def field() -> StationaryGaussianPrior:
    return StationaryGaussianPrior.power_law(limits.SHAPE, exponent=3.0, variance=1 / 16, mean=0.5)


def case(folder: Path, kind: str, noise: float, picture: str = "camera") -> own.Case:
    scene = crop_and_shrink(load_image(picture), 2 * SIZE)[0].double().numpy()
    return own.make(kind, scene, SIZE, noise, np.random.default_rng(0), folder / kind)


def boundary(folder: Path) -> Iterator[Row]:
    """Blur that goes on beyond the border, PSNR of the measurement and of the default's result."""
    prior = photographs()
    for kind, before in (("gaussian", "23.2, result 11.1"), ("motion", "20.3, result 4.7")):
        seen = case(folder, kind, 0.01)
        shown = own.decibels(seen.shown, seen.truth)
        now, _ = own.restored(seen, prior, None, 2)
        yield f"1. {kind} blur, measurement", f"{before} dB", f"{shown:.1f}, result {now:.1f} dB"


def noise(folder: Path) -> Iterator[Row]:
    """The noise not told: its estimate, and what not knowing it costs."""
    prior = photographs()
    kinds = (("small", "superres"), ("noisy", "denoising"))
    for kind, name in kinds:
        for level in (0.05, 0.1):
            seen = case(folder, kind, level)
            default, found = own.restored(seen, prior, None, 2)
            told, _ = own.restored(seen, prior, level, 2)
            yield (
                f"2. {name}, noise {level:g} not told",
                "taken as 0.01, loses 2 to 6 dB",
                f"taken as {found:.3f}, loses {told - default:.2f} dB",
            )


def random(folder: Path) -> Iterator[Row]:
    """Operators that draw what only the instrument knows."""
    y, file = np.random.default_rng(0).random((SIZE, SIZE)), folder / "y.npy"
    for op in ("inpaint(keep=0.3)", "mri", "cs", "shake"):
        np.save(file, y + 1j * y if op == "mri" else y)
        try:
            job = measured.measured_task(
                parse_spec(op),
                str(file),
                shape=(1, SIZE, SIZE),
                noise=0.01,
                device="cpu",
            )
        except ValueError as refused:
            now = f"refused: {str(refused).replace(str(file), file.name)[:80]} ..."
        else:
            now = "; ".join(job.assumed)
        yield f"3. {op} of a file", "drawn at random without a word", now


def scale(folder: Path) -> Iterator[Row]:
    """A measurement in other units, PSNR after division by the factor."""
    prior = photographs()
    seen = case(folder, "gaussian", 0.01)
    y = np.load(seen.file)
    before = {1.0: 27.6, 2.5: 16.4, 3.0: 13.6, 4.5: 7.6}
    for factor, then in before.items():
        np.save(folder / "scaled.npy", factor * y)
        job = measured.measured_task(
            parse_spec(seen.op),
            str(folder / "scaled.npy"),
            shape=None,
            noise="auto",
            device="cpu",
            fit_prior=lambda operator: prior,
        )
        result = reconstruct(job.problem, prior, samples=2, scale=job.scale)
        now = own.decibels(result.seen.mean[0, 0].double().numpy() / factor, seen.truth)
        yield f"4. values times {factor:g}", f"{then} dB", f"{now:.1f} dB"


def tiny(folder: Path) -> Iterator[Row]:  # noqa: ARG001
    """Deblurring with almost no noise, beside the best regularised pseudo-inverse."""
    operator, prior = limits.tasks()["deblur"], field()
    truth = crop_and_shrink(load_image("camera"), limits.SHAPE[-1])[None]
    clean = operator.to(dtype=torch.float64)(truth.double())
    white = torch.randn(clean.shape, generator=torch.Generator().manual_seed(1)).double()
    for level in (1e-5, 1e-7):
        y = (clean + level * white).float()
        best = limits.best_pseudo_inverse(operator, y, truth)
        for method, then in (("auto", "-151"), ("ddnm", "-308"), ("diffpir", "-32")):
            name = "matched_spectrum" if method == "auto" else method
            now = limits.figure(operator, y, level, truth, prior, name)
            yield (
                f"9. deblurring, noise {level:g}, {method}",
                f"{then} dB at 1e-5",
                f"{now:.1f} dB (best pseudo-inverse {best:.1f})",
            )


def huge(folder: Path) -> Iterator[Row]:  # noqa: ARG001
    """Noise of 1e6: how far from the prior's mean a sample is, in the prior's deviations."""
    operator, prior = limits.tasks()["deblur"], field()
    truth = crop_and_shrink(load_image("camera"), limits.SHAPE[-1])[None]
    y = operator(truth) + 1e6 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
    for method in ("dds", "dps", "mcg"):
        distance = limits.figure(operator, y, 1e6, truth, prior, method)
        now = distance / float(prior.variance) ** 0.5
        yield f"10. noise 1e6, {method}", "6 to 72 deviations", f"{now:.2f} deviations (1 is right)"


def counts(folder: Path) -> Iterator[Row]:  # noqa: ARG001
    """Poisson counts of a bright spot in the dark: the residual that is told."""
    truth = torch.full((1, *limits.SHAPE), 0.002)
    truth[..., 12:20, 12:20] = 0.8
    law = PoissonNoise(photons=100)
    operator = Blur.gaussian(1.6, limits.SHAPE)
    rates = 100 * operator(truth).double().clamp(min=0)
    y = torch.poisson(rates, torch.Generator().manual_seed(0)).float() / 100
    result = reconstruct(InverseProblem(operator, y, law), field(), samples=2, scale=1.0)
    yield "11. counts on a dark background, residual", "7.2 times", f"{result.residual.item():.2f}"


def tensors(folder: Path) -> Iterator[Row]:  # noqa: ARG001
    """Kinds of tensors that broke."""
    prior, truth = field(), torch.full((1, *limits.SHAPE), 0.5)
    blur = Blur.gaussian(1.6, limits.SHAPE)

    def run(operator: object, y: Tensor) -> str:
        try:
            result = reconstruct(
                InverseProblem(operator, y, GaussianNoise(0.05)),  # type: ignore[arg-type]
                prior,
                samples=1,
                steps=4,
            )
        except (TypeError, ValueError) as error:
            return f"one sentence: {str(error)[:60]}"
        return "served" if bool(result.mean.isfinite().all()) else "not finite"

    with torch.inference_mode():
        yield "12. inference_mode", "no clear behaviour", run(blur, blur(truth))
    yield "12. a measurement in half precision", "no clear behaviour", run(blur, truth.half())
    conjugate = from_function(
        lambda x: torch.fft.fft2(x).conj() / 32, limits.SHAPE, out_complex=True
    )
    yield (
        "12. an operator that ends in .conj()",
        "no clear behaviour",
        run(conjugate, conjugate(truth)),
    )
    try:
        Inpainting(torch.zeros(limits.SHAPE, dtype=torch.bool), limits.SHAPE)
    except ValueError as refused:
        yield "12. a mask that measures nothing", "no clear behaviour", f"one sentence: {refused}"


def pairs(folder: Path) -> Iterator[Row]:  # noqa: ARG001
    """The told deviation of antithetic pairs over the true one."""
    shape = (1, 16, 16)
    prior = StationaryGaussianPrior.power_law(shape, exponent=3.0, variance=1 / 16, mean=0.5)
    operator, count = Blur.gaussian(1.0, shape), 48
    clean = prior.sample(count, 0)
    y = operator(clean) + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    problem = InverseProblem(operator, y, GaussianNoise(0.1))
    true = exact_posterior(problem.select(torch.tensor([0])), prior).std
    for n, then in ((2, 1.41), (4, 1.15)):
        result = reconstruct(
            problem, prior, method="matched_spectrum", samples=n, scale=1.0, steps=40
        )
        now = math.sqrt(float((result.std.double() / true.double()).square().mean()))
        yield f"13. deviation told by {n} samples over the true one", f"{then}", f"{now:.2f}"


PARTS: dict[str, Callable[[Path], Iterator[Row]]] = {
    part.__name__: part
    for part in (boundary, noise, random, scale, tiny, huge, counts, tensors, pairs)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("parts", metavar="PART", nargs="*", help=f"of {', '.join(PARTS)}")
    asked = parser.parse_args().parts or list(PARTS)
    print("| what | before | now |\n| --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for part in asked:
            for what, before, now in PARTS[part](Path(folder)):
                print(f"| {what} | {before} | {now} |", flush=True)


if __name__ == "__main__":
    main()
