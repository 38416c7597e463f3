"""Noising processes: the ways from data to noise, and back."""

from invscore.processes.base import Coefficients, Denoiser, Process, Time
from invscore.processes.diffusions import (
    VE,
    VP,
    OrnsteinUhlenbeck,
    SubVP,
    VPCosine,
)
from invscore.processes.interpolants import FlowMatching, Homotopy

__all__ = [
    "VE",
    "VP",
    "Coefficients",
    "Denoiser",
    "FlowMatching",
    "Homotopy",
    "OrnsteinUhlenbeck",
    "Process",
    "SubVP",
    "Time",
    "VPCosine",
]
