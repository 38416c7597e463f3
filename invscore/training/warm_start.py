"""A run that starts from the weights of another prior."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from invscore.networks import Potential
from invscore.priors.library import load_prior


@torch.no_grad()
def warm_start(network: nn.Module, source: str) -> None:
    """Give ``network`` the weights of the prior ``source``, a shipped one's name or a file.

    Where the priors' images differ in their number of channels, the first layer, ``stem``, and the
    last, ``head``, are adapted: an image whose channels are all alike gives the same features, and
    each channel of the result is the mean of those there were. Of C channels, feature k of the
    stem sees channel k mod C: features of the mean alone, blind to colour, would learn it slowly.

    A ``Potential`` takes the network N of a prior that is none as N / 2: were N linear, with the
    symmetric Jacobian of a denoiser, ``<u, N u> / 2`` would have the gradient N u.

    Raises ``ValueError`` where the networks differ in anything else, and ``CheckpointError`` where
    there is no such prior.
    """
    source_network = load_prior(source).network
    theirs = source_network.state_dict()
    if isinstance(network, Potential) and not isinstance(source_network, Potential):
        theirs = {f"network.{name}": _halved_head(w, name) for name, w in theirs.items()}
    ours = network.state_dict()
    strangers = sorted(ours.keys() ^ theirs.keys())
    if strangers:
        raise ValueError(
            f"init {source!r} has another architecture: {len(strangers)} tensors, such as "
            f"{strangers[0]!r}, are in one network alone"
        )
    fitted = {name: _fitted(theirs[name], w, name) for name, w in ours.items()}
    for name, w in ours.items():
        if fitted[name].shape != w.shape:
            raise ValueError(
                f"init {source!r} has another architecture: its {name!r} has shape "
                f"{tuple(theirs[name].shape)}, the network's {tuple(w.shape)}"
            )
        w.copy_(fitted[name])


def _fitted(tensor: Tensor, like: Tensor, name: str) -> Tensor:
    """``tensor`` with the image channels of ``like`` where ``name`` is one of stem or head."""
    if tensor.shape == like.shape:
        return tensor
    if name.endswith("stem.weight"):  # (width, channels, rows, columns)
        count = like.shape[1]
        seen = torch.eye(count)[torch.arange(len(tensor)) % count]
        return tensor.sum(dim=1, keepdim=True) * seen[:, :, None, None]
    if name.endswith(("head.weight", "head.bias")):  # (channels, ...)
        return tensor.mean(dim=0, keepdim=True).expand(len(like), *tensor.shape[1:])
    return tensor


def _halved_head(tensor: Tensor, name: str) -> Tensor:
    return tensor / 2 if name.startswith("head.") else tensor
