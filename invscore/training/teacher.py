"""Distillation: a prior that has been trained says what another one is to give back."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from invscore.batches import per_image
from invscore.priors.library import load_prior
from invscore.priors.network import NetworkPrior
from invscore.training.batches import Batch


class Teacher:
    """The prior ``name``, a shipped one's or a file: its D is the target of white noise.

    An image is its own target with the variance of all that the noise leaves open; a teacher's D
    has none (distillation: Hinton et al. 2015, for classifiers). Where noise differs between pixels
    the target is the image, as ever.

    Raises ``ValueError`` for a teacher of other images than those of ``pupil``.
    """

    def __init__(self, name: str, pupil: NetworkPrior) -> None:
        prior = load_prior(name)
        ours, theirs = (_kind(p.channels, p.complex) for p in (pupil, prior))
        if theirs != ours:
            raise ValueError(
                f"`teacher` must be a prior of such images as it is to teach, {ours}, got {name!r} "
                f"of {theirs}"
            )
        if isinstance(prior, nn.Module):
            prior.to(next(pupil.parameters()).device)
        self.prior = prior

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Batch:
        """``batch`` with its targets.

        A teacher knows of no augmentation: neither is the pupil told of it where it is taught.
        """
        taught = white(batch)
        target = batch.clean.clone()
        if taught.any():
            level = batch.sigma if batch.maps is None else batch.maps.flatten(1)[:, 0]
            clean, sigma, noise = (t[taught] for t in (batch.clean, level, batch.noise))
            noisy = clean + per_image(sigma, clean) * noise
            target[taught] = self.prior.denoise(noisy, sigma).to(target.dtype)
        labels = batch.augmentation
        if labels is not None:
            labels = labels.where(~taught[:, None], 0)
        return replace(batch, target=target, augmentation=labels)


def _kind(channels: int | None, complex_images: bool) -> str:
    parts = "complex" if complex_images else "real"
    return f"{parts} images of {channels} channels"


def white(batch: Batch) -> Tensor:
    """Mask of the images of ``batch`` whose noise is the same at all pixels, (b,)."""
    if batch.maps is None:
        return torch.ones(len(batch.clean), dtype=torch.bool, device=batch.clean.device)
    pixels = batch.maps.flatten(1)
    return pixels.amax(dim=1) == pixels.amin(dim=1)
