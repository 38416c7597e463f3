"""Embeddings of the time and the class in a UNet."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from invscore.networks.foreign.blocks import sinusoid


class TimeEmbedding(nn.Module):
    """The time, and the class, as a vector: an MLP of waves, or of a table's rows.

    ``kind``: ``sinusoid``; ``fourier``, waves of ``2 pi w ln t`` with frequencies w that the file
    holds; ``table``, one learned row for each of ``times`` whole times. ``classes``: how many
    there are; ``class_kind``: a ``table`` of vectors, or the class as a second ``time``.
    """

    def __init__(
        self,
        width: int,
        out: int,
        *,
        kind: Literal["sinusoid", "fourier", "table"] = "sinusoid",
        cosine_first: bool = True,
        shift: float = 0.0,
        times: int = 0,
        classes: int | None = None,
        class_kind: Literal["table", "time"] = "table",
    ) -> None:
        super().__init__()
        self.width, self.kind, self.class_kind = width, kind, class_kind
        self.cosine_first, self.shift, self.classes = cosine_first, shift, classes
        if kind == "fourier":
            self.frequencies = nn.Parameter(torch.zeros(width), requires_grad=False)
        if kind == "table":
            self.table = nn.Embedding(times, width)
        first = 2 * width if kind == "fourier" else width
        self.mlp = _mlp(first, out)
        self.label: nn.Module | None = None
        if class_kind == "time":
            self.label = _mlp(first, out)
        elif class_kind == "table" and classes is not None:
            self.label = nn.Embedding(classes, out)

    def forward(self, t: Tensor, label: Tensor | None = None) -> Tensor:
        """(b, out) of times (b,) and classes (b,); without, of no class."""
        embedding = self.mlp(self._waves(t))
        if self.label is None or label is None:
            return embedding
        if self.class_kind == "time":
            label = self._waves(label)
        return embedding + self.label(label)

    def _waves(self, t: Tensor) -> Tensor:
        precision = next(self.mlp.parameters()).dtype
        if self.kind == "table":
            return self.table(t.round().long().clamp(0, self.table.num_embeddings - 1))
        if self.kind == "fourier":
            phase = t.log()[:, None] * self.frequencies * (2 * math.pi)
            return torch.cat([phase.sin(), phase.cos()], dim=1).to(precision)
        waves = sinusoid(t, self.width, cosine_first=self.cosine_first, shift=self.shift)
        return waves.to(precision)


def _mlp(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, out), nn.SiLU(), nn.Linear(out, out))
