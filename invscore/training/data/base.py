"""The contract of training data: images of one split, as a function of a random generator."""

from __future__ import annotations

import abc

import numpy as np
from torch import Tensor


class Source(abc.ABC):
    """Clean images of shape (c, h, w) in image units, from which any number can be drawn.

    ``together`` is how many images are drawn by one call of ``batch`` in training. The images of
    a step come from several generators, one for every ``together`` of them, so that they do not
    depend on the number of processes.

    >>> import numpy as np
    >>> import torch
    >>> from invscore.training.data import Source
    >>> class Stripes(Source):
    ...     shape = (1, 8, 8)
    ...     def batch(self, count, random):
    ...         rows = torch.from_numpy(random.random((count, 1, 8, 1), dtype=np.float32))
    ...         return rows.expand(count, *self.shape)
    ...     def digest(self):
    ...         return "stripes of 8 by 8 pixels"
    >>> Stripes().batch(2, np.random.default_rng(0)).shape
    torch.Size([2, 1, 8, 8])
    """

    shape: tuple[int, int, int]
    together: int = 1

    @abc.abstractmethod
    def batch(self, count: int, random: np.random.Generator) -> Tensor:
        """``count`` images, float32 or complex64 (count, c, h, w), all chance from ``random``.

        May be called from another thread than the one that made the source.
        """

    @abc.abstractmethod
    def digest(self) -> str:
        """A fingerprint of all that the images are made of: which data a prior has seen."""
