"""Scores of binary images: ratios of probabilities between an image and its one-bit neighbours.

Bits are 0 and 1 in floating point, batched (b, \\*shape).
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
