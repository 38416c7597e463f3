"""The optimisers of a network by their name in the configuration."""

from __future__ import annotations

import torch
from torch import nn

from invscore.training.muon import Muon

EDGES = {"stem", "head", "embed", "maps"}
"""Layers at the edge of a network, which act on pixels and noise levels instead of features."""


def make_optimisers(
    network: nn.Module, name: str, *, learning_rate: float, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """``adamw`` for all weights, or ``muon`` for the matrices within the network and AdamW for the
    rest: biases and what is at the edges, where orthogonal updates do worse (Jordan et al. 2024).
    """
    inner: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for path, w in network.named_parameters():
        matrix = w.ndim >= 2 and not EDGES & set(path.split("."))
        (inner if name == "muon" and matrix else others).append(w)
    optimisers: list[torch.optim.Optimizer] = []
    if others:
        optimisers.append(
            torch.optim.AdamW(others, lr=learning_rate, weight_decay=weight_decay, fused=True)
        )
    if inner:
        optimisers.append(Muon(inner, learning_rate, weight_decay=weight_decay))
    return optimisers
