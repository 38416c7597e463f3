"""Comparison of samples of a digit prior with real digits: classes and likelihoods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from invscore.priors.base import Prior
from invscore.rng import SampleRNG
from invscore.sampling import dequantise, log_likelihood

CONFIDENT = 0.9
"""Probability above which a classifier is said to have recognised a digit."""


class Classifier(Protocol):
    """Interface of scikit-learn's classifiers with probabilities."""

    def predict_proba(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Probabilities of the classes, (n, classes), of flat images (n, pixels)."""


@dataclass(frozen=True)
class Recognised:
    """The share of images that a classifier assigns with confidence, and its histogram of classes:
    the share of all images that is most probably of each class."""

    confident: float
    histogram: tuple[float, ...]

    @property
    def largest_deviation(self) -> float:
        """Largest deviation of a class's share from 1 / classes."""
        return max(abs(share - 1 / len(self.histogram)) for share in self.histogram)


def recognise(classifier: Classifier, images: Tensor) -> Recognised:
    """Classes and confidences of ``images``, (n, 1, h, w), clipped to [0, 1]."""
    flat = images.clamp(0, 1).flatten(1).numpy()
    probabilities = classifier.predict_proba(flat)
    counts = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    return Recognised(
        confident=float((probabilities.max(axis=1) > CONFIDENT).mean()),
        histogram=tuple((counts / len(flat)).tolist()),
    )


def moved(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """``images``, (n, ..., h, w), and their copies moved by a pixel in eight directions.

    (9 n, ..., h, w), the images as they are first. What is moved out on one side comes in on the
    other.
    """
    steps = (0, 1, -1)
    return np.concatenate(
        [np.roll(images, (down, right), (-2, -1)) for down in steps for right in steps]
    )


def spoiled(images: Tensor, seed: int = 0) -> dict[str, Tensor]:
    """``images`` (n, 1, h, h) as no digits any more: pixels shuffled, and turned by 90 degrees.

    Every image is shuffled in its own way, so that nothing but its values stays.
    """
    flat = images.flatten(1)
    order = SampleRNG([(seed, k) for k in range(len(images))]).normal_like(flat).argsort(dim=1)
    shuffled = flat.gather(1, order).reshape(images.shape)
    return {"shuffled": shuffled, "rotated": images.rot90(dims=(-2, -1))}


def likelihoods(prior: Prior, images: Tensor, **options: Any) -> dict[str, Tensor]:
    """Log-likelihoods in nats, (n,), of ``images`` (8 bits in [0, 1]) and of what spoils them.

    Values k / 255 are spread over their cells first; ``options`` are those of
    ``invscore.sampling.log_likelihood``. Each image has the same probes in all three guises.
    """
    guises = {"digits": images, **spoiled(images)}
    return {
        name: log_likelihood(prior, dequantise(guise), **options).nats
        for name, guise in guises.items()
    }


def mean_and_error(values: Tensor) -> tuple[float, float]:
    """The mean of ``values``, (n,), and its standard error."""
    wide = values.double()
    return float(wide.mean()), float(wide.std() / torch.tensor(len(wide)).sqrt())
