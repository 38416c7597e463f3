"""Operators of other libraries, each taken in once, at the edge."""

from invscore.operators.adapters.deepinv import from_deepinv

__all__ = ["from_deepinv"]
