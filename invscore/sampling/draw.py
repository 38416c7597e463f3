"""Images from a prior: seeds, batches and the watch over what a sampler does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from invscore.batches import PerImage
from invscore.hardware import memory
from invscore.options.argument_checks import require_at_least, require_type
from invscore.priors.base import Prior
from invscore.rng import sample_rng
from invscore.sampling import terminal
from invscore.sampling.base import PARTS, NotFiniteError, get_sampler, noise_only
from invscore.sampling.guidance import GUIDANCE, autoguided

COPIES = 3
"""Arrays of the size of all images that are held: as drawn, joined, and as pictures."""


@dataclass(frozen=True)
class Drawn:
    """Images drawn from a prior, (n, \\*shape), and what they took.

    ``evaluations`` of the denoiser for each image, on average.

    After the example of ``invscore.sampling``:

    >>> drawn = sample(prior, (1, 4, 4), n=2, steps=5)
    >>> drawn.samples.shape, drawn.sampler
    (torch.Size([2, 1, 4, 4]), 'heun')
    """

    samples: Tensor
    evaluations: float
    seconds: float
    sampler: str
    options: dict[str, Any] = field(repr=False)
    seed: int


@torch.no_grad()
def sample(
    prior: Prior,
    shape: tuple[int, ...],
    *,
    n: int = 1,
    sampler: str = "heun",
    seed: int = 0,
    guide: Prior | None = None,
    guidance: float = GUIDANCE,
    batch_size: int | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    on_step: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Drawn:
    """``n`` images of ``shape`` from ``prior``, from pure noise down to none.

    Image k draws from a random stream of its own, seeded by ``seed + k``: it does not depend on
    ``n`` or on ``batch_size``, how many are drawn together (default: all). ``on_step(done, total)``
    is told of progress. ``options`` are the sampler's own, such as ``steps``. With a ``guide``, a
    weaker version of ``prior`` for images of the same shape, they are drawn by autoguidance with
    the weight ``guidance``, of at least 1: clearer images, no longer of the law of ``prior``, for
    twice the evaluations (Karras et al. 2024).

    Raises ``ValueError`` for unknown samplers and options, and ``NotFiniteError`` when images
    are not finite.

        >>> import torch
        >>> from invscore import GaussianPrior
        >>> from invscore.sampling import sample
        >>> prior = GaussianPrior(torch.zeros(1, 4, 4), 0.25)
        >>> sample(prior, (1, 4, 4), n=2, steps=5).samples.shape
        torch.Size([2, 1, 4, 4])
    """
    info = get_sampler(sampler)
    chosen = info.options(options)
    require_type("prior", prior, Prior)
    require_at_least(1, n=n, batch_size=batch_size, steps=chosen.get("steps"))
    require_at_least(0, seed=seed)
    number = math.prod(shape) * (2 if dtype.is_complex else 1)
    memory.require(memory.FLOAT * COPIES * n * number, f"`n` = {n} images", "a smaller `n`")
    own = {name: value for name, value in chosen.items() if name != "steps"}
    sigmas = info.spacing(chosen.get("steps", PARTS), prior, noise_only(prior))
    evaluate = prior.denoise if guide is None else autoguided(prior, guide, guidance)
    networks = 1 if guide is None else 2
    size, evaluated = batch_size or n, 0
    batches = [range(first, min(first + size, n)) for first in range(0, n, size)]
    total = len(batches) * (len(sigmas) - 1)

    def denoise(x: Tensor, sigma: PerImage) -> Tensor:
        nonlocal evaluated
        evaluated += networks * len(x)
        return evaluate(x, sigma)

    finished, done, began = [], 0, time.monotonic()
    for batch in batches:
        rng = sample_rng(seed + batch[0], len(batch), "sample", device)
        like = torch.empty(len(batch), *shape, dtype=dtype, device=device)
        x = terminal.draw(prior, like, sigmas[0], rng)
        for state in info.run(denoise, x, sigmas, rng, **own):
            x, done = state, done + 1
            on_step(done, total)
        if not bool(x.isfinite().all()):
            raise NotFiniteError(
                f"sampler {sampler!r} diverged to NaN or infinity: more steps or another "
                "sampler may help"
            )
        finished.append(x)
    return Drawn(
        samples=torch.cat(finished),
        evaluations=evaluated / n,
        seconds=time.monotonic() - began,
        sampler=sampler,
        options=chosen,
        seed=seed,
    )
