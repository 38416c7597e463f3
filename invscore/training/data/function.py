"""Training data that a Python function makes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from invscore.plugins.modules import find_object, where
from invscore.training.data.base import Source

SPECIMENS = 16


class FunctionSource(Source):
    """``function(count, random, split, **options)`` gives ``count`` images (count, c, h, w).

    ``address`` is ``file.py:function`` or ``package.module:function``. Arrays and tensors are
    taken, in any real or complex type, all finite and of one shape. Raises ``ValueError`` where the
    function is missing, fails or returns anything else.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from invscore.training.data import FunctionSource
    >>> code = "def draw(count, random, split): return random.random((count, 1, 8, 8))"
    >>> file = Path(tempfile.mkdtemp()) / "noise.py"
    >>> _ = file.write_text(code)
    >>> source = FunctionSource(f"{file}:draw", split="train", options={})
    >>> source.batch(2, np.random.default_rng(0)).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self, address: str, *, split: str, options: Mapping[str, Any], together: int = 1
    ) -> None:
        self.address = address
        self.function = find_object(address)
        if not callable(self.function):
            raise ValueError(f"callable {address!r} is of type {type(self.function).__name__}")
        self.split = split
        self.options = dict(options)
        self.together = together
        _, *shape = self._made(1, np.random.default_rng(0)).shape
        self.shape = (shape[0], shape[1], shape[2])

    def batch(self, count: int, random: np.random.Generator) -> Tensor:
        images = self._made(count, random)
        if images.shape[1:] != self.shape:
            raise ValueError(
                f"callable {self.address!r} must give images of one shape, got "
                f"{tuple(images.shape[1:])} after {self.shape}"
            )
        return torch.from_numpy(images)

    def _made(self, count: int, random: np.random.Generator) -> npt.NDArray[Any]:
        try:
            made = self.function(count, random, self.split, **self.options)
        except (Exception, SystemExit) as error:
            raise ValueError(
                f"callable {self.address!r} fails: {where(error, __file__)}"
            ) from error
        images = np.asarray(made)
        if images.ndim != 4 or len(images) != count or images.dtype.kind not in "buifc":
            raise ValueError(
                f"callable {self.address!r} must give numbers of shape ({count}, c, h, w), "
                f"got {images.dtype} of shape {images.shape}"
            )
        images = np.array(images, dtype=np.complex64 if images.dtype.kind == "c" else np.float32)
        if not np.isfinite(images).all():
            raise ValueError(
                f"callable {self.address!r} must give finite values, got NaN or infinite ones"
            )
        return images

    def digest(self) -> str:
        """SHA-256 of images that it makes from a fixed seed: nothing else is known about them."""
        images = self.batch(SPECIMENS, np.random.default_rng(0))
        return hashlib.sha256(images.numpy().tobytes()).hexdigest()
