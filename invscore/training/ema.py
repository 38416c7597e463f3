"""Running averages of the weights of a network."""

from __future__ import annotations

import torch
from torch import nn


class Average:
    """``average = decay average + (1 - decay) weights`` after every step.

    In the first steps the decay is less, ``(1 + step) / (10 + step)``, so that the weights that a
    run starts from are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: w.detach().clone() for name, w in network.named_parameters()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights of ``network`` after the step that had the number ``step``."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.weights.values()), list(network.parameters()), 1 - decay)

    @torch.no_grad()
    def give_to(self, network: nn.Module) -> None:
        """Overwrite the weights of ``network`` with the average."""
        for name, w in network.named_parameters():
            w.copy_(self.weights[name])
