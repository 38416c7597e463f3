"""Warnings on misfits between a measurement, its declared model and posterior samples.

Each cause leaves a mark of its own on the residual ``y - A(x')`` in units of the noise:

- zeros that were not measured: exactly 0 in y, beside numbers that are far from it;
- hot and dead pixels: single numbers that do not fit, where all others do (``outliers``);
- the border: large along it alone (``border``);
- a noise map: off in some regions (``regions``);
- the level of the noise: off at the highest frequencies, where y has nothing but noise;
- the kernel: as declared there, large in a band in between, where transfer functions differ; or
  large at the highest, in another way than white noise, where the picture is sharper (``kernel``);
- noise that is not white: large in one band, and small at the highest frequencies;
- an image that the prior does not know: large at the lowest frequencies, which every kernel keeps.

Whatever else does not fit is told by the size of the residual alone (``residual``).
"""

from __future__ import annotations

import torch
from torch import Tensor

from invscore.likelihood import GaussianNoise, InverseProblem
from invscore.operators import MRI, Identity, Inpainting, LinearOperator, SuperResolution
from invscore.uncertainty.border import border_warnings
from invscore.uncertainty.kernel import sharper_warnings
from invscore.uncertainty.outliers import outlier_warnings
from invscore.uncertainty.regions import has_noise_map, region_warnings
from invscore.uncertainty.residual import Residual, unit_of
from invscore.uncertainty.spectrum import RINGS, SECTORS, ResidualSpectrum, residual_spectrum
from invscore.uncertainty.standardised import residuals

TOLERANCE = 1.4
"""Largest ratio of the power in a band to that of the noise, or its inverse, without a warning:
good methods stay within 1.3."""

CHANCE = 1e-5
"""Probability under the right model of a power so large, in any one band, below which there is a
warning."""

HIGHEST = 3
"""Number of rings at the highest frequencies from which the noise is taken."""

STEEP = 2.0
"""Ratio of the power at the lowest frequencies to that at the highest from which on it is not the
noise."""

WITHOUT_KERNEL = (Identity, Inpainting, MRI)
"""Operators in which nothing can be wrong but the mask."""

HEAVY = 0.4
"""Noise of a shrunken picture, over the spread of its numbers, from which on a band is no sign of
another operator: a prior errs by as much. Of 37 photographs of 64 x 64 pixels, halved, at noise
0.2, three had such a band behind the right operator."""

LEAST, MOST = 0.75, 1.33
"""Range of the ratio of the noise that a prior sees to that which is declared without a warning: on
held-out photographs of 64 pixels a right prior sees 0.82 to 1.22 times the noise."""

SINGLE_PIXELS = (Identity, Inpainting)
CLIPPED, FEWEST = 0.01, 16
"""Share and number of values equal to the largest from which on a measurement counts as clipped; as
many zeros are told."""

FAR = 6.0
"""Standard deviations of the noise by which a zero must differ from its neighbours to be no
measurement."""


@torch.no_grad()
def misfit_warnings(
    problem: InverseProblem, samples: Tensor, residual: Residual, *, white: bool
) -> tuple[str, ...]:
    """Sentences on the likely cause of a misfit of ``samples``, (n, b, \\*in_shape).

    ``residual`` is that of the samples. ``white``: they come from a method whose residuals are
    white noise under the right model, so that their spectrum tells the cause; nothing is found
    then in 99 of 100 samples of the true posterior.

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import check_residual, misfit_warnings
    >>> misfit_warnings(problem, samples, check_residual(problem, samples), white=True)
    ()
    """
    each = residuals(problem, samples)
    found = (
        _zeros(problem, samples)
        or _saturated(problem, samples)
        or outlier_warnings(problem, each)
        or border_warnings(problem, each)
    )
    if white:
        found = found or region_warnings(problem, each)
    if not isinstance(problem.operator, LinearOperator):
        # Whose steps may have ended before they explain y: then the spectrum tells no cause.
        found = found or residual.warnings()
    if white and not found:
        spectrum = residual_spectrum(problem, samples, each)
        found = () if spectrum is None else _bands(problem, spectrum)
    return found or residual.warnings()


def noise_warnings(problem: InverseProblem, seen: Tensor | None) -> tuple[str, ...]:
    """A sentence where the prior sees noise that is not the declared one, ``seen`` times it, (b,).

    See ``invscore.estimation.noise_level.noise_seen``, which says ``None`` where it cannot tell.

    After the example of ``invscore.uncertainty``:

    >>> from invscore.uncertainty import noise_warnings
    >>> noise_warnings(problem, torch.tensor([1.0]))
    ()
    """
    if seen is None or not isinstance(problem.noise, GaussianNoise):
        return ()
    worst = int(seen.log().abs().argmax())
    ratio = float(seen[worst])
    if LEAST <= ratio <= MOST:
        return ()
    if has_noise_map(problem):
        return (
            f"the measurement has noise of about {ratio:.2g} times what its map says, where the "
            "prior tells it from the image, unless the image is unlike those that the prior knows",
        )
    level = torch.as_tensor(problem.noise.sigma).cpu()
    declared = float(level[worst] if level.ndim else level)
    if isinstance(problem.operator, MRI):
        complex_image = ", unless the image is complex: mri(real=false)" if ratio > 1 else ""
        return (
            f"opposed frequencies differ as by noise of about {ratio * declared:.2g}, not "
            f"{declared:.2g} as declared{complex_image}",
        )
    return (
        f"the measurement has noise of about {ratio * declared:.2g} where the prior tells it from "
        f"the image, not {declared:.2g} as declared, unless the image is unlike those that the "
        "prior knows",
    )


def _zeros(problem: InverseProblem, samples: Tensor) -> tuple[str, ...]:
    """Numbers that are exactly 0 beside others far above the noise, as unmeasured ones are."""
    y = problem.y
    if y.ndim < 3 or y.is_complex():
        return ()
    zero = y == 0
    if problem.operator.measured is not None:
        zero = zero & problem.operator.measured.to(zero.device)
    number = int(zero.sum())
    if number < FEWEST:
        return ()
    rows = y.abs().reshape(-1, 1, *y.shape[-2:])
    beside = torch.nn.functional.max_pool2d(rows, 3, stride=1, padding=1).reshape(y.shape)
    far = beside > FAR * problem.noise.estimated_variance(beside).sqrt()
    count = int((zero & far).sum())
    # Black areas of a picture have zeros whose neighbours are dark as well.
    if count < max(FEWEST, number / 2) or _is_an_end(problem, samples, zero & far, -1):
        return ()
    return (
        f"{count} numbers of the measurement are exactly 0 beside others of at least {FAR:g} times "
        "the noise: if they were not measured, declare them by a mask",
    )


def _saturated(problem: InverseProblem, samples: Tensor) -> tuple[str, ...]:
    """Many numbers that are exactly the largest, which noise would have told apart."""
    y, operator = problem.y, problem.operator
    if y.is_complex() or operator.view != "image" or isinstance(operator, SINGLE_PIXELS):
        return ()
    images = y.flatten(1)
    largest = images.amax(dim=1, keepdim=True)
    noise = problem.noise.estimated_variance(y).sqrt().expand(y.shape).flatten(1)
    even = images.amin(dim=1, keepdim=True) == largest  # a picture of one shade tells nothing
    full = (images == largest) & (images > FAR * noise) & ~even
    share = float(full.float().mean(dim=1).max())
    if share < CLIPPED or share * images.shape[1] < FEWEST:
        return ()
    if _is_an_end(problem, samples, full.reshape(y.shape), 1):
        return ()
    return (
        f"{share:.0%} of the numbers of the measurement are exactly its largest: if they are "
        "saturated, A x is more there than they say, and edges around them ring; measure again, "
        "darker, or restore a part without them",
    )


def _is_an_end(problem: InverseProblem, samples: Tensor, places: Tensor, sign: int) -> bool:
    """Whether the operator itself ends at the numbers in ``places``, as one that clips does.

    Images that are far brighter, or darker, measure the same there.
    """
    if isinstance(problem.operator, LinearOperator):
        return False
    farther = problem.operator(samples[0] + sign * samples[0].abs().amax())
    noise = problem.noise.estimated_variance(problem.y).sqrt()
    return bool(((sign * (farther - problem.y) <= noise) | ~places).all())


def _bands(problem: InverseProblem, spectrum: ResidualSpectrum) -> tuple[str, ...]:
    rings, freedom = spectrum.rings()
    high = freedom[-HIGHEST:]
    noise = (rings[:, -HIGHEST:] * high).sum(dim=1) / high.sum()
    half = high.sum() / 2
    above = torch.special.gammaincc(half, half * noise)
    below = torch.special.gammainc(half, half * noise)
    large = (spectrum.power > TOLERANCE) & (spectrum.chance_above() < CHANCE)
    lowest = large[:, 0].any(dim=1) & (rings[:, 0] > STEEP * noise.clamp_min(1))
    more = (noise > TOLERANCE) & (above < CHANCE)
    less = (noise < 1 / TOLERANCE) & (below < CHANCE)
    band = large[:, 1:-HIGHEST].flatten(1).any(dim=1)
    if isinstance(problem.operator, WITHOUT_KERNEL):
        band = torch.zeros_like(band)
    if isinstance(problem.operator, SuperResolution):
        band = band & ~_is_heavy(problem)
    uneven = less & large[:, :-HIGHEST].flatten(1).any(dim=1)
    if bool(uneven.any()):
        return (_colour_sentence(problem, spectrum, noise, uneven),)
    if bool(lowest.any()):
        return (_prior_sentence(problem, spectrum, lowest),)
    if bool(more.any()) and (sharper := sharper_warnings(problem)):
        return sharper
    if bool((more | less).any()):
        return (_noise_sentence(problem, noise, more | less),)
    if bool(band.any()):
        return (_operator_sentence(problem, spectrum, noise, band),)
    return ()


def _is_heavy(problem: InverseProblem) -> Tensor:
    """Whether noise is ``HEAVY`` beside the numbers of each measurement: (b,)."""
    level = problem.noise.estimated_variance(problem.y).sqrt().expand(problem.y.shape)
    return (level.flatten(1).mean(dim=1) > HEAVY * problem.y.flatten(1).std(dim=1)).cpu()


def _prior_sentence(problem: InverseProblem, spectrum: ResidualSpectrum, found: Tensor) -> str:
    size = float(spectrum.power[found, 0].max()) ** 0.5
    return (
        f"the residual y - A x is up to {size:.2g} times {unit_of(problem)} at the lowest "
        "frequencies: the image is unlike those that the prior knows, or the mask or the scale "
        "of the measurement is another"
    )


def _noise_sentence(problem: InverseProblem, power: Tensor, found: Tensor) -> str:
    worst = power[found][(power[found].log().abs()).argmax()]
    factor = float(worst) ** 0.5
    sentence = (
        f"the residual y - A x is {factor:.2g} times {unit_of(problem)} at the highest "
        "frequencies, where the measurement has little but noise: "
    )
    if not isinstance(problem.noise, GaussianNoise):
        return sentence + f"the noise is {'more' if factor > 1 else 'less'} than declared"
    bound = "at least" if factor > 1 else "at most"  # the samples follow a part of the noise
    if has_noise_map(problem):
        return sentence + f"the noise is {bound} {factor:.2g} times what its map says"
    level = torch.as_tensor(problem.noise.sigma).cpu()
    declared = float(level[found][0] if level.ndim else level)
    return sentence + f"the noise is {bound} {factor * declared:.2g}, not {declared:.2g}"


def _colour_sentence(
    problem: InverseProblem, spectrum: ResidualSpectrum, noise: Tensor, found: Tensor
) -> str:
    size, frequency = _largest(spectrum, found, first=0)
    return (
        f"the residual y - A x is {float(noise[found].min()) ** 0.5:.2g} times {unit_of(problem)} "
        f"at the highest frequencies and {size:.2g} times about {frequency:.2f} cycles a pixel: "
        "the noise is not white, as of a picture that was smoothed, resampled or denoised, unless "
        "there is less of it than declared and the operator is another"
    )


def _largest(spectrum: ResidualSpectrum, found: Tensor, first: int) -> tuple[float, float]:
    """The largest residual of a band from ring ``first`` on, and its cycles a pixel."""
    inner = spectrum.power[found, first:-HIGHEST] * (spectrum.freedom[first:-HIGHEST] > 0)
    place = int(inner.flatten().argmax()) % (inner.shape[1] * SECTORS)
    return float(inner.max()) ** 0.5, (place // SECTORS + first + 0.5) / (2 * RINGS)


def _operator_sentence(
    problem: InverseProblem, spectrum: ResidualSpectrum, noise: Tensor, found: Tensor
) -> str:
    size, frequency = _largest(spectrum, found, first=1)
    return (
        f"the residual y - A x is {size:.2g} times {unit_of(problem)} about "
        f"{frequency:.2f} cycles a pixel and {float(noise[found].mean()) ** 0.5:.2f} times at the "
        "highest frequencies, where there is noise alone: the operator is not the instrument's, "
        "its kernel first of all, unless the image is unlike those that the prior knows"
    )
