"""Training objectives: functions of what is taught (a score, a velocity) and of data.

Each loss is one number. In the mean, its gradient is that of the squared distance from the true
score or velocity, up to a weight: all losses for scores have the same minimiser. What is random in
them is an argument.

The examples of its functions go on from this one:

>>> import torch
>>> x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0))
>>> noise = torch.randn(500, 2, generator=torch.Generator().manual_seed(1))
>>> score = lambda x: -x
>>> noisy_score = lambda x: -x / 2
"""

from invscore.training.objectives.bridge import bridge_matching
from invscore.training.objectives.controlled import controlled_score_matching
from invscore.training.objectives.coupling import optimal_pairing
from invscore.training.objectives.denoising import denoising_score_matching
from invscore.training.objectives.densities import (
    GaussianDensity,
    LaplaceDensity,
    NoiseDensity,
    StudentDensity,
)
from invscore.training.objectives.divergence import (
    exact_divergence,
    hutchinson_divergence,
    random_signs,
)
from invscore.training.objectives.fields import (
    ScalarField,
    Schedule,
    TimeField,
    VectorField,
    score_of,
)
from invscore.training.objectives.flow import flow_matching
from invscore.training.objectives.implicit import (
    hutchinson_score_matching,
    implicit_score_matching,
    sliced_score_matching,
)
from invscore.training.objectives.matching import explicit_score_matching
from invscore.training.objectives.noise import noise_score_matching
from invscore.training.objectives.process import process_score_matching
from invscore.training.objectives.stable import stable_target, stable_target_score_matching
from invscore.training.objectives.times import ImportanceTimes

__all__ = [
    "GaussianDensity",
    "ImportanceTimes",
    "LaplaceDensity",
    "NoiseDensity",
    "ScalarField",
    "Schedule",
    "StudentDensity",
    "TimeField",
    "VectorField",
    "bridge_matching",
    "controlled_score_matching",
    "denoising_score_matching",
    "exact_divergence",
    "explicit_score_matching",
    "flow_matching",
    "hutchinson_divergence",
    "hutchinson_score_matching",
    "implicit_score_matching",
    "noise_score_matching",
    "optimal_pairing",
    "process_score_matching",
    "random_signs",
    "score_of",
    "sliced_score_matching",
    "stable_target",
    "stable_target_score_matching",
]
