"""Training objectives: each a function of what is learned and of data, with a number as value."""

from invscore.training.objectives.denoising import denoising_score_matching

__all__ = ["denoising_score_matching"]
