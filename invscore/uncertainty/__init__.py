"""What posterior samples tell of an unknown image, and whether their residuals are believable."""

from invscore.uncertainty.border import border_warnings
from invscore.uncertainty.intervals import Interval, credible_interval, quantile
from invscore.uncertainty.residual import Residual, check_residual

__all__ = [
    "Interval",
    "Residual",
    "border_warnings",
    "check_residual",
    "credible_interval",
    "quantile",
]
