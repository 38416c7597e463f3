"""Reconstruction as a model of deepinv: a measurement and its physics in, an image out."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor

from invscore.driver import DEFAULT_METHOD, reconstruct
from invscore.estimation.noise_level import estimate_noise
from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.methods import get_method
from invscore.noise import Noise
from invscore.operators import from_deepinv
from invscore.operators.base import Shape
from invscore.priors.base import Prior
from invscore.result import Result
from invscore.tasks.task import fit_prior


def deepinv_reconstructor(
    prior: Prior,
    *,
    method: str = DEFAULT_METHOD,
    samples: int = 4,
    seed: int = 0,
    img_size: Shape | tuple[Shape, ...] | None = None,
    noise: Noise | None = None,
    scale: float | Literal["auto"] = "auto",
    **options: Any,
) -> Any:
    """A ``deepinv.models.Reconstructor`` that solves inverse problems with ``prior``.

    ``model(y, physics)`` is the mean of ``samples`` from the posterior, (b, c, h, w) as deepinv
    has images: real and imaginary parts in two channels where the physics has them so, as its MRI.
    ``model.sample(y, physics)`` are the samples, (samples, b, c, h, w), and
    ``model.result(y, physics)`` the whole ``Result``, in the layout of invscore.

    ``method``, ``samples``, ``seed``, ``scale`` and ``options`` are those of ``reconstruct``. The
    noise is that of the physics; ``noise`` takes its place, and where the physics has a law that
    invscore does not know it is estimated as Gaussian. ``img_size`` is that of the images, by
    default what the adjoint of the physics makes of y. A prior of gray images serves each channel
    by itself. Results have no gradient. Importing deepinv takes seconds.

    Raises ``ValueError`` as ``from_deepinv`` and ``reconstruct`` do. See Tachella et al. 2025.

    ```python
    import deepinv
    import torch
    from invscore import load_prior
    from invscore.reconstructor import deepinv_reconstructor

    model = deepinv_reconstructor(load_prior("digits"), samples=2, steps=4)
    physics = deepinv.physics.Inpainting((1, 28, 28), mask=0.5)
    physics.noise_model = deepinv.physics.GaussianNoise(0.05)
    restored = model(physics(torch.rand(1, 1, 28, 28)), physics)
    ```
    """
    import deepinv

    get_method(method).options(options)  # not only once there is a measurement

    class PosteriorMean(deepinv.models.Reconstructor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.prior = prior

        def forward(self, y: Any, physics: Any, **_: Any) -> Any:
            """The mean of the samples."""
            operator, result = _solved(y, physics)
            return operator.image.to_theirs(result.mean)

        def sample(self, y: Any, physics: Any) -> Tensor:
            """The samples, (samples, b, \\*img_size)."""
            operator, result = _solved(y, physics)
            together = operator.image.to_theirs(result.samples.flatten(0, 1))
            return together.unflatten(0, result.samples.shape[:2])

        def result(self, y: Any, physics: Any) -> Result:
            """The result of ``reconstruct``."""
            return _solved(y, physics)[1]

    def _solved(y: Any, physics: Any) -> tuple[Any, Result]:
        operator, known = from_deepinv(
            physics, _size(y, physics) if img_size is None else img_size, prior.complex or None
        )
        adapted: Any = getattr(operator, "operator", operator)  # of a multiple of a physics
        own = adapted.measurement.to_ours(y)
        law = noise or known or GaussianNoise(estimate_noise(operator, own, prior))
        problem = InverseProblem(operator, own, law)
        fitted = fit_prior(prior, operator, type(prior).__name__)
        found = reconstruct(
            problem, fitted, method=method, samples=samples, seed=seed, scale=scale, **options
        )
        return adapted, found

    return PosteriorMean()


def _size(y: Any, physics: Any) -> Shape | None:
    """The shape of the images that ``y`` may be of, where the physics has an adjoint that tells."""
    adjoint = getattr(physics, "A_adjoint", None)
    image = None if adjoint is None else adjoint(y)
    return tuple(image.shape[1:]) if isinstance(image, Tensor) else None
