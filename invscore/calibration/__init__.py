"""Calibration: intervals that hold the fraction of pixels that they promise."""

from invscore.calibration.measure import calibrate, check_count
from invscore.calibration.record import Calibration, Held

__all__ = ["Calibration", "Held", "calibrate", "check_count"]
