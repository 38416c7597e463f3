"""What a network is told of its images while it learns, and is never told afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from invscore.networks.unet import FourierEmbedding


class Hint(nn.Linear):
    """Adds ``W numbers`` to an embedding; nothing while there are no ``numbers``, (b, inputs).

    W begins as 0 and there is no constant: numbers that are all 0 say nothing either, so that a
    prior does without W.
    """

    numbers: Tensor | None = None

    def __init__(self, inputs: int, embedding: int) -> None:
        super().__init__(inputs, embedding, bias=False)
        nn.init.zeros_(self.weight)

    def forward(self, embedding: Tensor) -> Tensor:
        if self.numbers is None:
            return embedding
        return embedding + super().forward(self.numbers)


def listen(network: nn.Module, inputs: int) -> None:
    """Let the embedding of the noise level in ``network`` take a hint of so many numbers."""
    for module in [m for m in network.modules() if isinstance(m, FourierEmbedding)]:
        linear: nn.Linear = module.mix[0]  # type: ignore[assignment]
        module.add_module("hint", Hint(inputs, linear.out_features).to(linear.weight.device))
        module.register_forward_hook(_after)


def _after(embedding: nn.Module, given: Any, result: Tensor) -> Tensor:  # noqa: ARG001
    hint: Hint = embedding.hint  # type: ignore[assignment]
    return hint(result)


@contextmanager
def told(network: nn.Module, numbers: Tensor | None) -> Iterator[None]:
    """``network`` knows ``numbers``, (b, inputs), of the b images that it is given meanwhile."""
    hints = [module for module in network.modules() if isinstance(module, Hint)]
    for hint in hints:
        hint.numbers = numbers
    try:
        yield
    finally:
        for hint in hints:
            hint.numbers = None
