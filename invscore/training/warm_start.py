"""A run that starts from the weights of another prior."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from invscore.networks import Potential
from invscore.networks.attention import SelfAttention
from invscore.networks.noise_maps import LocalFilm, MapFeatures
from invscore.networks.unet import FourierEmbedding
from invscore.priors.library import load_prior
from invscore.priors.network import NetworkPrior
from invscore.priors.parametrisation import describe
from invscore.training.widen import widened


@torch.no_grad()
def warm_start(prior: NetworkPrior, source: str) -> None:
    """Give ``prior`` the weights of the prior ``source``, a shipped one's name or a file.

    Its images are moved and stretched to the new mean m and to the new sigma_data, k times the old:
    ``D(m + k z, k sigma) = m + k (D'(m' + z, sigma) - m')`` with D' and m' of ``source``. For this
    the network, which sees standardised images, is told their noise level in standard deviations.

    Where the network is wider, the features of ``source`` come first and take nothing from the
    others, see ``widened``: it starts as the same function.

    Attention that the network of ``source`` lacks keeps the weights that it has in ``prior``: in
    one that has learned nothing, it is nearly the identity. Likewise what takes noise maps, which
    then says nothing; of a ``source`` that takes them, a network that does not takes all the rest,
    and denoises white noise alike.

    Where the priors' images differ in their number of channels, the first layer, ``stem``, and the
    last, ``head``, are adapted: an image whose channels are all alike gives the same features, and
    each channel of the result is the mean of those there were. Of C channels, feature k of the
    stem sees channel k mod C: features of the mean alone, blind to colour, would learn it slowly.

    A ``Potential`` takes the network N of a prior that is none as N / 2: were N linear, with the
    symmetric Jacobian of a denoiser, ``<u, N u> / 2`` would have the gradient N u.

    Raises ``ValueError`` where the networks differ in anything else or do not predict the same, and
    ``CheckpointError`` where there is no such prior.
    """
    origin, network = load_prior(source), prior.network
    if not isinstance(origin, NetworkPrior):
        raise ValueError(
            f"init must be a prior that invscore has trained, got {source!r}, a "
            f"{type(origin).__name__}"
        )
    if origin.parametrisation != prior.parametrisation:
        raise ValueError(
            f"`prior.parametrisation` must be that of init {source!r}, "
            f"{describe(origin.parametrisation)!r}, got {describe(prior.parametrisation)!r}"
        )
    theirs = origin.network.state_dict()
    if not getattr(network, "noise_maps", False):
        theirs = {
            name: w for name, w in theirs.items() if name not in _told_of_maps(origin.network)
        }
    if isinstance(network, Potential) and not isinstance(origin.network, Potential):
        theirs = {f"network.{name}": _halved_head(w, name) for name, w in theirs.items()}
    ours = network.state_dict()
    attention = _names(network, SelfAttention)
    fresh = (attention | _told_of_maps(network)) - theirs.keys()
    strangers = sorted((ours.keys() ^ theirs.keys()) - fresh)
    if strangers:
        raise ValueError(
            f"init {source!r} has another architecture: {len(strangers)} tensors, such as "
            f"{strangers[0]!r}, are in one network alone"
        )
    for name, w in ours.items():
        if name in fresh:
            continue
        fitted = _fitted(theirs[name], w, name)
        if fitted.shape != w.shape and name not in attention:
            fitted = widened(fitted, w, name)
        if fitted.shape != w.shape:
            raise ValueError(
                f"init {source!r} has another architecture: its {name!r} has shape "
                f"{tuple(theirs[name].shape)}, the network's {tuple(w.shape)}"
            )
        w.copy_(fitted)
    for module in network.modules():
        if isinstance(module, FourierEmbedding):  # it sees ln(sigma) / 4
            module.shift(math.log(origin.sigma_data / prior.sigma_data) / 4)


def _told_of_maps(network: nn.Module) -> set[str]:
    """The names of all weights that take noise maps."""
    return _names(network, MapFeatures) | _names(network, LocalFilm)


def _names(network: nn.Module, kind: type[nn.Module]) -> set[str]:
    """The names of all weights in modules of this ``kind``."""
    return {
        f"{place}.{name}"
        for place, module in network.named_modules()
        if isinstance(module, kind)
        for name in module.state_dict()
    }


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
