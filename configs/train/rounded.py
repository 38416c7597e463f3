"""Weights that compress better: round those of a prior to fewer bits of significand.

    python configs/train/rounded.py runs/photos/photos.safetensors photos.safetensors [--bits 6]

float16 has 11 bits. With 6 a file takes three quarters of the room in an archive, and the denoising
of photographs changes by some 0.005 dB.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from invscore import load_prior


def rounded(weights: Tensor, bits: int) -> Tensor:
    """The nearest numbers to real ``weights`` with ``bits`` bits of significand."""
    significand, exponent = torch.frexp(weights)
    return torch.ldexp((significand * 2**bits).round() / 2**bits, exponent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prior", help="name or file")
    parser.add_argument("out", type=Path)
    parser.add_argument("--bits", type=int, default=6, choices=range(1, 12))
    options = parser.parse_args()
    prior = load_prior(options.prior)
    with torch.no_grad():
        for weights in prior.parameters():
            weights.copy_(rounded(weights, options.bits))
    prior.save(options.out)


if __name__ == "__main__":
    main()
