"""What posterior samples tell of an unknown image, and whether their residuals are believable."""

from invscore.uncertainty.intervals import Interval, credible_interval, quantile
from invscore.uncertainty.misfit import misfit_warnings, noise_warnings
from invscore.uncertainty.pairs import spread
from invscore.uncertainty.residual import Residual, check_residual

__all__ = [
    "Interval",
    "Residual",
    "check_residual",
    "credible_interval",
    "misfit_warnings",
    "noise_warnings",
    "quantile",
    "spread",
]
