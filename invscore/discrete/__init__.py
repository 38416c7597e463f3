"""Scores of binary images: ratios of probabilities between an image and its one-bit neighbours.

Bits are 0 and 1 in floating point, batched (b, \\*shape).

The examples of its functions go on from this one:

>>> import torch
>>> from invscore.rng import SampleRNG
>>> law = torch.tensor([[0.4, 0.1], [0.1, 0.4]])
>>> bits = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
>>> rng = SampleRNG([(seed,) for seed in range(3)])
"""

from invscore.discrete.network import BitNetwork
from invscore.discrete.objectives import (
    concrete_score_matching,
    denoising_concrete_score_matching,
    denoising_score_entropy,
    score_entropy,
)
from invscore.discrete.process import exact_log_ratios, flip, flip_probability, noised_law
from invscore.discrete.sampler import euler, reverse, tweedie

__all__ = [
    "BitNetwork",
    "concrete_score_matching",
    "denoising_concrete_score_matching",
    "denoising_score_entropy",
    "euler",
    "exact_log_ratios",
    "flip",
    "flip_probability",
    "noised_law",
    "reverse",
    "score_entropy",
    "tweedie",
]
