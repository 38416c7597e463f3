"""Augmentation labels: how an image was augmented, which the network knows in training alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from invscore.networks.unet import FourierEmbedding


class LabelEmbedding(nn.Linear):
    """Adds ``W labels`` to an embedding; nothing while there are no ``labels``, (b, inputs).

    W begins as 0 and there is no constant: labels that are all 0 say nothing either, so that a
    prior does without W.
    """

    labels: Tensor | None = None

    def __init__(self, inputs: int, embedding: int) -> None:
        super().__init__(inputs, embedding, bias=False)
        nn.init.zeros_(self.weight)

    def forward(self, embedding: Tensor) -> Tensor:
        if self.labels is None:
            return embedding
        return embedding + super().forward(self.labels)


def add_label_embedding(network: nn.Module, inputs: int) -> None:
    """Let the embedding of the noise level in ``network`` take so many labels."""
    for module in [m for m in network.modules() if isinstance(m, FourierEmbedding)]:
        linear: nn.Linear = module.mix[0]  # type: ignore[assignment]
        added = LabelEmbedding(inputs, linear.out_features).to(linear.weight.device)
        module.add_module("augmentation", added)
        module.register_forward_hook(_after)


def _after(embedding: nn.Module, given: Any, result: Tensor) -> Tensor:  # noqa: ARG001
    added: LabelEmbedding = embedding.augmentation  # type: ignore[assignment]
    return added(result)


@contextmanager
def labelled(network: nn.Module, labels: Tensor | None) -> Iterator[None]:
    """``network`` knows ``labels``, (b, inputs), of the b images that it is given meanwhile."""
    embeddings = [module for module in network.modules() if isinstance(module, LabelEmbedding)]
    for embedding in embeddings:
        embedding.labels = labels
    try:
        yield
    finally:
        for embedding in embeddings:
            embedding.labels = None
