"""Other people's checkpoints, each adapted once, at the edge, to D(x, sigma)."""

from invscore.priors.foreign.families import FAMILIES
from invscore.priors.foreign.family import Family, Refusal
from invscore.priors.foreign.loading import load_foreign, read_foreign

__all__ = ["FAMILIES", "Family", "Refusal", "load_foreign", "read_foreign"]
