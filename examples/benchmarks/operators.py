"""The time of our operators against deepinv's, on the same input, forward and adjoint.

    python examples/benchmarks/operators.py

Each time is the median of interleaved repeats on one thread, so that a busy machine slows both
sides alike; a ratio below one means that ours is faster.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from deepinv import physics
from torch import Tensor

from invscore.operators import MRI, Blur, Inpainting
from invscore.operators.kernels import gaussian_kernel

SIZE = 256
REPEATS = 200

Case = tuple[str, Callable[[], Tensor], Callable[[], Tensor]]


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'operator':<29}{'ours / ms':>12}{'deepinv / ms':>14}{'ratio':>8}{'difference':>12}")
    for batch in (1, 8):
        for name, ours, theirs in cases(batch):
            own, other = medians(ours, theirs)
            error = float((as_channels(ours()) - theirs()).abs().max())
            print(f"{name:<29}{own:>12.3f}{other:>14.3f}{own / other:>8.2f}{error:>12.0e}")


def as_channels(x: Tensor) -> Tensor:
    """A complex image as deepinv has it: two real channels."""
    if not x.is_complex():
        return x
    return torch.view_as_real(x[:, 0]).movedim(-1, 1).contiguous()


@torch.no_grad()
def medians(ours: Callable[[], Tensor], theirs: Callable[[], Tensor]) -> tuple[float, float]:
    """Milliseconds a call."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(REPEATS):
        for function, record in zip((ours, theirs), times, strict=True):
            start = time.perf_counter()
            function()
            record.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[0]), statistics.median(times[1])


def cases(batch: int) -> list[Case]:
    """The same operator on both sides, forward and adjoint."""
    shape = (1, SIZE, SIZE)
    x = torch.rand(batch, *shape)
    z = torch.randn(batch, *shape, dtype=torch.complex64)
    channels = as_channels(z)

    kernel = gaussian_kernel(3.0, 61)
    blur = Blur(kernel, shape)
    their_blur = physics.BlurFFT(img_size=shape, filter=kernel[None, None].float())

    hole = Inpainting.random(shape)
    their_hole = physics.Inpainting(img_size=shape, mask=hole.measured.float())

    mri = MRI.random(shape)
    their_mri = physics.MRI(mask=mri.measured[0].float(), img_size=(2, SIZE, SIZE))

    pairs: list[Case] = [
        ("blur", lambda: blur(x), lambda: their_blur.A(x)),
        ("blur, adjoint", lambda: blur.rmatvec(x), lambda: their_blur.A_adjoint(x)),
        ("inpainting", lambda: hole(x), lambda: their_hole.A(x)),
        ("inpainting, adjoint", lambda: hole.rmatvec(x), lambda: their_hole.A_adjoint(x)),
        ("mri", lambda: mri(z), lambda: their_mri.A(channels)),
        ("mri, adjoint", lambda: mri.rmatvec(z), lambda: their_mri.A_adjoint(channels)),
    ]
    return [(f"{name}, batch {batch}", ours, theirs) for name, ours, theirs in pairs]


if __name__ == "__main__":
    main()
