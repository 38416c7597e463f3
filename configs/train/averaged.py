"""The mean of the weights of several priors of one kind, which is often better than each of them.

    python configs/train/averaged.py digits runs/digits/digits.safetensors averaged.safetensors

They have to lie close together: all trained further from the same weights (model soups: Wortsman et
al. 2022). Those of separate runs have no mean that denoises.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from invscore import load_prior
from invscore.files.checkpoint import CheckpointError

ABOUT_ONE_RUN = ("step", "ema", "validation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("priors", nargs="+", help="names or files")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    try:
        prior, *others = (load_prior(name) for name in options.priors)
    except CheckpointError as error:
        sys.exit(str(error))
    for name, other in zip(options.priors[1:], others, strict=True):
        for key in ("architecture", "parametrisation"):
            if other.metadata[key] != prior.metadata[key]:
                sys.exit(f"{name!r} differs from {options.priors[0]!r} in its {key}")
    with torch.no_grad():
        for weights, *further in zip(*(p.parameters() for p in (prior, *others)), strict=True):
            weights.copy_(torch.stack([weights, *further]).mean(dim=0))
    for key in ABOUT_ONE_RUN:
        prior.metadata.pop(key, None)
    prior.save(options.out)


if __name__ == "__main__":
    main()
