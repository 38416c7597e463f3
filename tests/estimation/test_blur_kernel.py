"""Kernels that are found in blurred pictures."""

import pytest
import torch
from torch import Tensor

from invscore.estimation.blur_kernel import Candidate, KernelEstimate, estimate_kernel
from invscore.estimation.periodogram import Periodogram
from invscore.images import crop_and_shrink, load_image, to_gray
from invscore.operators import Blur
from invscore.operators.kernels import motion_kernel

SIZE = 96


def photograph(name: str) -> Tensor:
    return to_gray(crop_and_shrink(load_image(name), SIZE + 24)).double()


def blurred(name: str, candidate: Candidate, noise: float = 0.01) -> Tensor:
    image = photograph(name)
    seen = Blur(candidate.kernel, image.shape, boundary="valid")(image[None])[0]
    top, left = ((n - SIZE) // 2 for n in seen.shape[1:])
    seen = seen[:, top : top + SIZE, left : left + SIZE]
    return seen + noise * torch.randn(
        seen.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize(
    ("name", "truth", "within"),
    [
        ("coins", Candidate("motion", (11.0, 30.0)), (0.6, 3.0)),
        ("gravel", Candidate("motion", (9.0, 130.0)), (0.6, 4.0)),
        ("coffee", Candidate("defocus", (3.0,)), (0.25,)),
        ("chelsea", Candidate("gaussian", (1.8,)), (0.35,)),
    ],
)
def test_kernel_and_noise_are_found(name: str, truth: Candidate, within: tuple[float, ...]) -> None:
    found = estimate_kernel(blurred(name, truth))
    assert found.model == truth.model
    for number, known, error, most in zip(
        found.numbers, truth.numbers, found.errors, within, strict=True
    ):
        assert abs(number - known) < most
        assert abs(number - known) < 4 * error
    assert found.noise == pytest.approx(0.01, rel=0.1)
    assert found.kernel.sum().item() == pytest.approx(1.0)
    assert found.std.shape == found.kernel.shape
    assert str(found).startswith(f"{truth.model}, ")


def test_what_is_sharp_or_noise_tells_no_kernel() -> None:
    for picture in (photograph("coins"), torch.rand(1, 64, 64, dtype=torch.float64)):
        with pytest.raises(ValueError, match="does not tell its kernel"):
            estimate_kernel(picture, models=("motion", "defocus"))
    with pytest.raises(ValueError, match="as a regular pattern has"):
        estimate_kernel(blurred("brick", Candidate("motion", (9.0, 130.0))), models=("motion",))
    with pytest.raises(ValueError, match="32 pixels a side or more"):
        estimate_kernel(torch.rand(1, 20, 64))


def test_a_motion_that_may_be_longer_than_those_tried_is_refused() -> None:
    for name, motion, size in (("gravel", (20.0, 40.0), 72), ("coins", (15.0, 40.0), 56)):
        picture = blurred(name, Candidate("motion", motion))[:, :size, :size]
        with pytest.raises(ValueError, match=f"a motion of more than {size // 4} pixels, the long"):
            estimate_kernel(picture, models=("motion",))
    found = estimate_kernel(blurred("coins", Candidate("motion", (20.0, 10.0))))
    assert abs(found.numbers[0] - 20) < 1


def test_a_peak_narrower_than_the_grid_is_found() -> None:
    """Two of the likeliest on the grid lie beside it, one somewhere else."""
    image = to_gray(crop_and_shrink(load_image("coffee"), 160)).double()
    generator = torch.Generator().manual_seed(4072)
    uniform = [float(torch.rand(1, generator=generator)) for _ in range(2)]
    truth = (6 + 8 * uniform[0], 180 * uniform[1])
    kernel = Candidate("motion", truth).kernel
    rows, columns = (88 + n - 1 for n in kernel.shape)
    top = int(torch.randint(0, 160 - rows + 1, (1,), generator=generator))
    left = int(torch.randint(0, 160 - columns + 1, (1,), generator=generator))
    part = image[:, top : top + rows, left : left + columns]
    seen = Blur(kernel, part.shape, boundary="valid")(part[None])[0]
    noise = torch.randn(seen.shape, dtype=torch.float64, generator=generator)
    found = estimate_kernel(seen + 0.01 * noise)
    assert found.model == "motion"
    assert abs(found.numbers[0] - truth[0]) < 0.5
    assert abs(found.numbers[1] - truth[1]) < 2


def test_the_periodogram_of_a_field_has_the_expected_likelihood() -> None:
    """Of a field of exponent 2.7 behind a disk: the true kernel before half and twice of it."""
    generator = torch.Generator().manual_seed(0)
    n = 128
    frequency = torch.fft.fftfreq(n, dtype=torch.float64)
    radius = torch.hypot(frequency[:, None], frequency)
    radius[0, 0] = 1.0
    white = torch.randn(n, n, dtype=torch.float64, generator=generator)
    field = torch.fft.ifft2(torch.fft.fft2(white) * radius**-1.35).real[None]
    truth = Candidate("defocus", (2.5,)).kernel
    seen = Blur(truth, (1, n, n))(field[None])[0]
    scale = 0.01 * float(seen.std())
    seen = seen + scale * torch.randn(1, n, n, dtype=torch.float64, generator=generator)
    periodogram = Periodogram(seen, scale)
    values = {
        r: periodogram.log_likelihood(Candidate("defocus", (r,)).kernel)
        for r in (1.25, 2.25, 2.5, 2.75, 5.0)
    }
    assert max(values, key=values.__getitem__) == 2.5
    fitted = Periodogram(seen)
    fitted.log_likelihood(truth)
    assert fitted.noise == pytest.approx(scale, rel=0.05)


def test_a_fit_begins_at_that_of_another_kernel_and_ends_at_its_own() -> None:
    """Whatever has been fitted before, the likelihood is that of a fit from nothing."""
    picture = blurred("coffee", Candidate("gaussian", (1.6,)))
    kernels = [Candidate("gaussian", (s,)).kernel for s in (0.8, 1.6, 3.0)]
    kernels.append(Candidate("motion", (11.0, 30.0)).kernel)
    for noise in (0.01, None):
        seen = Periodogram(picture, noise)
        known = [seen.log_likelihood(kernel) for kernel in kernels]
        assert known == pytest.approx(
            [Periodogram(picture, noise).log_likelihood(kernel) for kernel in kernels], abs=0.02
        )
    # One that is out of reach is given up early, and told to be less than what it would have been.
    declared = seen.log_likelihood(kernels[1])
    assert seen.log_likelihood(kernels[3], declared) < declared


def test_kernels_are_drawn_as_likely_as_they_are() -> None:
    """Numbers spread by their errors: lengths of lines are read off the second moment."""
    kernel = motion_kernel(9.0, 0.0)
    found = KernelEstimate("motion", (9.0, 0.0), (0.5, 0.0), kernel, kernel, 0.01)
    place = torch.arange(kernel.shape[1], dtype=torch.float64) - kernel.shape[1] // 2
    drawn = torch.stack([found.drawn(seed) for seed in range(400)])
    assert drawn.shape[1:] == kernel.shape
    assert not torch.equal(drawn[0], drawn[1])
    torch.testing.assert_close(found.drawn(0), drawn[0], rtol=0, atol=0)
    moment = (drawn.sum(dim=1) * place**2).sum(dim=1)
    lengths = (12 * moment.clamp_min(0)).sqrt()
    assert abs(float(lengths.mean()) - float(lengths.median())) < 0.2
    assert 0.35 < float(lengths.std()) < 0.6
