"""How often the default command notices that what is declared is not so, and cries wolf.

    python examples/benchmarks/misfits.py [--quick] [--size 64] [--images 4] [--noise 0.01] [CASE]

Held-out photographs are measured in one way and restored as if in another: with another kernel,
another border, another level of noise, without the mask. A misfit counts as noticed where the
result has a warning, whatever it says; a false alarm is one where nothing is wrong. Prints, as it
goes, the first warning of each, then the shares.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from invscore import GaussianNoise, InverseProblem, Prior, load_prior, reconstruct, simulate
from invscore.bench.held_out import HELD_OUT, gray_photograph
from invscore.operators import MRI, Blur, Identity, Inpainting, LinearOperator, SuperResolution

PRIOR, SHRUNK = "photos-gray", 200
Told = tuple[LinearOperator, LinearOperator, float]
"""The operator that measures a window, the one that is told, and the true noise over the told."""


def cases(shape: tuple[int, ...]) -> dict[str, Told]:
    blur, motion = Blur.gaussian(1.6, shape), Blur.motion(15, 30, shape)
    holes, half, whole = (
        Inpainting.random(shape, keep=0.5),
        SuperResolution(2, shape),
        Identity(shape),
    )
    kspace = MRI.random(shape, real=True)
    right = {"blur": blur, "motion": motion, "holes": holes, "superres": half, "denoise": whole}
    right["mri"] = kspace
    found: dict[str, Told] = {f"{name} right": (op, op, 1.0) for name, op in right.items()}
    for name, op in right.items():
        found[f"{name} noise / 2"] = (op, op, 0.5)
        found[f"{name} noise * 2"] = (op, op, 2.0)
    others = {
        "kernel 1.2 for 1.6": (blur, Blur.gaussian(1.2, shape)),
        "kernel 2.2 for 1.6": (blur, Blur.gaussian(2.2, shape)),
        "angle 45 for 30": (motion, Blur.motion(15, 45, shape)),
        "length 11 for 15": (motion, Blur.motion(11, 30, shape)),
        "no mask": (holes, whole),
    }
    found |= {name: (true, told, 1.0) for name, (true, told) in others.items()}
    return found


def warning(y: Tensor, told: LinearOperator, noise: float, prior: Prior) -> str:
    problem = InverseProblem(told, y, GaussianNoise(noise))
    warnings = reconstruct(problem, prior, scale=1.0).warnings
    return warnings[0] if warnings else ""


def border(name: str, blur: Blur, shape: tuple[int, ...], noise: float, prior: Prior) -> str:
    """A camera's picture, told to be periodic."""
    margin = tuple(size - 1 for size in blur.kernel.shape)
    wide = gray_photograph(name, SHRUNK)[:, : shape[1] + margin[0], : shape[2] + margin[1]]
    valid = Blur(blur.kernel, tuple(wide.shape), boundary="valid")
    y = simulate(valid, wide[None], GaussianNoise(noise), 1)
    return warning(y, Blur(blur.kernel, tuple(y.shape[1:])), noise, prior)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="two images in place of four")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--images", type=int)
    parser.add_argument("--noise", type=float, default=0.01)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="those whose names begin so")
    asked = parser.parse_args()
    torch.manual_seed(0)
    prior, shape = load_prior(PRIOR), (1, asked.size, asked.size)
    names = HELD_OUT[: asked.images or (2 if asked.quick else 4)]
    edge = (SHRUNK - asked.size) // 2
    window = slice(edge, edge + asked.size)
    rows: list[tuple[str, list[bool]]] = []

    def tell(case: str, told: list[str]) -> None:
        rows.append((case, [bool(sentence) for sentence in told]))
        first = next((sentence for sentence in told if sentence), "nothing")
        print(f"{case:20s}{sum(rows[-1][1])} of {len(told)}  {first[:90]}", flush=True)

    for case, (true, told, factor) in cases(shape).items():
        if asked.cases and not any(case.startswith(wanted) for wanted in asked.cases):
            continue
        sentences = []
        for seed, name in enumerate(names):
            truth = gray_photograph(name, SHRUNK)[None, :, window, window]
            y = simulate(true, truth, GaussianNoise(factor * asked.noise), seed)
            sentences.append(warning(y, told, asked.noise, prior))
        tell(case, sentences)
    for label, blur in {
        "border, width 1.6": Blur.gaussian(1.6, shape),
        "border, width 0.8": Blur.gaussian(0.8, shape),
        "border, motion 7": Blur.motion(7, 30, shape),
    }.items():
        if not asked.cases or any(label.startswith(wanted) for wanted in asked.cases):
            tell(label, [border(name, blur, shape, asked.noise, prior) for name in names])
    for what, wanted in (("false alarms", True), ("misfits noticed", False)):
        found = [each for case, told in rows if case.endswith("right") == wanted for each in told]
        if found:
            print(f"{what}: {sum(found)} of {len(found)}")


if __name__ == "__main__":
    main()
