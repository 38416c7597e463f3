"""Any denoiser as a prior: ranges, levels, sizes, channels, precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from invscore.priors import DenoiserPrior, GaussianPrior, check_prior
from invscore.priors.sizes import Sizes

F64 = torch.float64
LEVELS = {"sigma_min": 0.01, "sigma_max": 2.0}


def wiener(z: Tensor, s: Tensor, mean: float = 0.5, variance: float = 1 / 16) -> Tensor:
    return mean + variance / (variance + s.reshape(-1, 1, 1, 1) ** 2) * (z - mean)


def exact(x: Tensor, sigma: float | Tensor) -> Tensor:
    """The mean of pixels N(1/2, 1/16)."""
    prior = GaussianPrior(torch.full((4,), 0.5, dtype=F64), torch.eye(4, dtype=F64) / 16)
    return prior.denoise(x.flatten(1), sigma).reshape(x.shape)


@pytest.mark.parametrize("given", [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_ranges(given: tuple[float, float]) -> None:
    """A denoiser of another range is told the level in its units: twice, on [-1, 1]."""
    low, high = given
    width = high - low

    def own(z: Tensor, s: Tensor) -> Tensor:
        return wiener(z, s, mean=(low + high) / 2, variance=(width / 4) ** 2)

    prior = DenoiserPrior(own, channels=1, range=given, **LEVELS)
    x = torch.rand(3, 1, 2, 2, dtype=F64)
    for sigma in (0.01, 0.3, torch.tensor([0.05, 0.5, 2.0], dtype=F64)):
        torch.testing.assert_close(prior.denoise(x, sigma), exact(x, sigma), rtol=0, atol=1e-12)
    check_prior(prior, (1, 2, 2), dtype=F64).raise_if_failed()


def test_levels_beyond_those_that_it_knows() -> None:
    """Below sigma_min the score stays; above sigma_max D is asked as there."""
    told: list[float] = []

    def own(z: Tensor, s: Tensor) -> Tensor:
        told.append(float(s))
        return wiener(z, s)

    prior = DenoiserPrior(own, channels=1, sigma_min=0.1, sigma_max=0.5)
    x = torch.rand(1, 1, 2, 2, dtype=F64)
    torch.testing.assert_close(prior.score(x, 0.02), prior.score(x, 0.1))
    torch.testing.assert_close(prior.denoise(x, 0.0), x)
    torch.testing.assert_close(prior.denoise(x, 3.0), prior.denoise(x, 0.5))
    assert min(told) == pytest.approx(0.1)
    assert max(told) == pytest.approx(0.5)


def test_complex_images_are_two_channels() -> None:
    """Real and imaginary part of each channel in turn, [-1, 1] in the range of D."""
    seen: list[Tensor] = []

    def own(z: Tensor, s: Tensor) -> Tensor:
        seen.append(z)
        return z / (1 + s.reshape(-1, 1, 1, 1) ** 2)

    prior = DenoiserPrior(own, channels=2, complex=True, range=(-0.5, 0.5), **LEVELS)
    x = torch.randn(1, 2, 3, 3, dtype=torch.complex128)
    torch.testing.assert_close(prior.denoise(x, 1.0), x / (1 + 0.5**2))
    torch.testing.assert_close(seen[0][0, :2], torch.view_as_real(x[0, 0]).movedim(-1, 0) / 2)
    check_prior(prior, (2, 3, 3), dtype=torch.complex128).raise_if_failed()


class Halving(nn.Module):
    """Takes multiples of 4 alone, in single precision."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, z: Tensor, s: Tensor) -> Tensor:
        assert z.dtype == s.dtype == torch.float32
        assert z.shape[-1] % 4 == z.shape[-2] % 4 == 0
        return self.weight * z


def test_multiples_and_precision() -> None:
    prior = DenoiserPrior(Halving(), channels=1, multiple=4, **LEVELS)
    x = torch.rand(2, 1, 5, 7, dtype=F64)
    denoised, pull = prior.pullback(x, 0.1)
    assert denoised.dtype == F64
    torch.testing.assert_close(denoised, x / 2, atol=1e-6, rtol=0)
    torch.testing.assert_close(pull(x), x / 2, atol=1e-6, rtol=0)


def test_padding_is_a_reflection() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    seen: list[Tensor] = []
    Sizes(multiple=8).apply(lambda z: seen.append(z) or z, x)  # type: ignore[func-returns-value]
    assert seen[0][0, 0, 0].tolist() == [0, 1, 2, 1, 0, 1, 2, 1]
    assert seen[0][0, 0, :, 0].tolist() == [0, 3, 0, 3, 0, 3, 0, 3]


def test_one_size_and_tiles() -> None:
    """Tiles add up to the whole, whatever the image's size; derivatives too."""

    def own(z: Tensor, s: Tensor) -> Tensor:  # noqa: ARG001
        assert z.shape[-2:] == (8, 8)
        return z.roll(0) ** 2

    alone = DenoiserPrior(own, channels=1, size=8, **LEVELS)
    with pytest.raises(ValueError, match=r"images of 8 x 8, got 9 x 20: `overlap=32` would"):
        alone.denoise(torch.rand(1, 1, 9, 20), 0.1)
    tiled = DenoiserPrior(own, channels=1, size=8, overlap=3, **LEVELS)
    for shape in ((9, 20), (8, 8), (5, 30), (3, 4)):
        x = torch.rand(2, 1, *shape, dtype=F64)
        denoised, pull = tiled.pullback(x, 0.1)
        torch.testing.assert_close(denoised, x**2)
        torch.testing.assert_close(pull(torch.ones_like(x)), 2 * x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"range": (1, -1)}, "`range` must be two rising numbers"),
        ({"sigma_min": 0.0}, "0 < sigma_min <= sigma_max, got 0.0"),
        ({"channels": 0}, "`channels` must be"),
        ({"deviation": 0}, "`deviation` must be positive"),
        ({"overlap": 4}, "`overlap` goes with a `size`"),
        ({"size": 8, "overlap": 8}, r"`overlap` must lie in \[0, 7\]"),
        ({"multiple": 0}, "`multiple` must be"),
    ],
)
def test_arguments_that_make_no_sense(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DenoiserPrior(wiener, **{"channels": 1, **LEVELS, **options})  # type: ignore[arg-type]


def test_images_that_it_does_not_take() -> None:
    prior = DenoiserPrior(wiener, channels=1, **LEVELS)
    with pytest.raises(ValueError, match=r"shape \(b, 1, h, w\), got \(1, 3, 4, 4\)"):
        prior.denoise(torch.rand(1, 3, 4, 4), 0.1)
    with pytest.raises(ValueError, match="takes real images"):
        prior.denoise(torch.rand(1, 1, 4, 4, dtype=torch.complex64), 0.1)
    wrong = DenoiserPrior(lambda z, s: z[:, :, :1], channels=1, **LEVELS)
    with pytest.raises(ValueError, match="`D` must give images of the shape"):
        wrong.denoise(torch.rand(1, 1, 4, 4), 0.1)
    assert "range=[0.0, 1.0]" in repr(prior)


def test_what_a_failing_denoiser_was_given_is_told() -> None:
    prior = DenoiserPrior(lambda z, s: z * s, channels=1, **LEVELS)
    with pytest.raises(RuntimeError) as error:
        prior.denoise(torch.zeros(3, 1, 4, 4), 1.0)
    (note,) = error.value.__notes__
    assert "images of shape (3, 1, 4, 4)" in note
    assert "of shape (3,)" in note
    (row,) = check_prior(prior, (1, 4, 4)).rows
    assert row.name == "shape, dtype"
    assert note in row.message
