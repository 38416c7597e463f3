"""Where the axis of rotation of a tomograph lies, by the centres of mass of its projections.

A parallel projection has the mass of the image, and its centre of mass is that of the image,
projected: ``c + x cos(a) + y sin(a)`` at the angle a, with c the column of the axis (the first two
of the conditions of Helgason and Ludwig). A least-squares fit tells c, and by what it leaves how
well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.operators import FanBeam, Operator, Tomography

ALIKE = 0.05
"""Largest deviation of the masses of projections, over their mean, of an image seen whole."""

FEWEST = 8
"""Least number of projections for a fit of three numbers."""

SURE = 6.0
"""Least distance from the declared column, in standard errors, that is no accident."""

FAR = 1.0
"""Least such distance, in columns, that a reconstruction shows."""


def rotation_axis(operator: Tomography, y: Tensor) -> tuple[float, float] | None:
    """The column on which the axis lies and its standard error, of sinograms (b, c, angles, s).

    None where projections are too few, or have unlike masses, as of an image that reaches beyond
    the detectors.
    """
    angles = torch.tensor(operator.angles, dtype=torch.float64).deg2rad()
    rows = y.detach().cpu().double().sum(dim=(0, 1))
    mass = rows.sum(dim=1)
    if len(angles) < FEWEST or not float(mass.mean()) > 0:
        return None
    if float(mass.std()) > ALIKE * float(mass.mean()):
        return None
    centres = rows @ torch.arange(rows.shape[1], dtype=torch.float64) / mass
    waves = torch.stack([torch.ones_like(angles), angles.cos(), angles.sin()], dim=1)
    inverse = torch.linalg.pinv(waves.T @ waves)
    found = inverse @ (waves.T @ centres)
    left = (centres - waves @ found).square().sum() / (len(angles) - 3)
    return float(found[0]), float((left * inverse[0, 0]).sqrt())


def another_axis(operator: Operator, y: Tensor, name: str) -> tuple[str, ...]:
    """A sentence where projections of parallel rays turn about another column than declared."""
    if not isinstance(operator, Tomography) or isinstance(operator, FanBeam):
        return ()
    if not bool(y.isfinite().all()) or (found := rotation_axis(operator, y)) is None:
        return ()
    column, error = found
    if abs(column - operator.center) <= max(FAR, SURE * error):
        return ()
    return (
        f"the projections in {name} turn about column {column:.1f} of their detectors, by their "
        f"centres of mass, and not about {operator.center:g}, as `center` says: center="
        f"{column:.1f}",
    )
