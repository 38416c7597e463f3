"""A FITS image of the sky with a variance map and a measured point spread function.

Counts a second of a camera whose background and exposure differ over the field, with dead pixels;
the result is a FITS image with the coordinates of the measurement.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from scenes import gray
from scipy.ndimage import generic_filter
from scipy.signal import fftconvolve
from skimage.restoration import richardson_lucy

BASELINE = "Richardson-Lucy, best of 1 to 40 iterations"
COMMAND = (
    'reconstruct --op "blur(kernel={folder}/psf.fits)" --prior photos-gray '
    '--measurement {folder}/sky.fits --key SCI --noise "map(file={folder}/sky.fits, key=VAR)"'
)
SIZE, MARGIN = 64, 8


def moffat() -> np.ndarray:
    """A point seen through the atmosphere, (17, 17): Moffat 1969, beta 3, 4 pixels wide."""
    t = np.arange(17) - 8.0
    beta, width = 3.0, 4.0
    alpha = width / (2 * np.sqrt(2 ** (1 / beta) - 1))
    profile = (1 + (t**2 + t[:, None] ** 2) / alpha**2) ** -beta
    return profile / profile.sum()


def measure(folder: Path) -> np.ndarray:
    """``sky.fits`` with the units SCI and VAR, and ``psf.fits``; the image, in 1000 counts."""
    rng = np.random.default_rng(0)
    scene = 1000 * gray("coins", SIZE + 2 * MARGIN)
    seen = fftconvolve(scene, moffat(), mode="valid")  # what is beyond the field is unknown
    exposure = np.linspace(0.3, 3.0, SIZE)[:, None] * np.ones(SIZE)
    variance = (seen.clip(0) + 100.0) / exposure
    sky = seen + np.sqrt(variance) * rng.standard_normal(seen.shape)
    dead = rng.random(sky.shape) < 0.01
    sky[dead], variance[dead] = np.nan, 0.0
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "BUNIT": "counts"})
    header.update({"CRPIX1": 32.5, "CRPIX2": 32.5, "CRVAL1": 83.6, "CRVAL2": 22.0})
    header.update({"CDELT1": -1e-4, "CDELT2": 1e-4})
    units = [
        fits.PrimaryHDU(),
        fits.ImageHDU(sky.astype(np.float32), header, name="SCI"),
        fits.ImageHDU(variance.astype(np.float32), name="VAR"),
    ]
    fits.HDUList(units).writeto(folder / "sky.fits", overwrite=True)
    fits.PrimaryHDU(moffat().astype(np.float32)).writeto(folder / "psf.fits", overwrite=True)
    return scene[None, MARGIN:-MARGIN, MARGIN:-MARGIN].astype(np.float32)


def baseline(folder: Path) -> np.ndarray:
    """Richardson-Lucy, dead pixels the median of their neighbours, stopped where it is best."""
    with fits.open(folder / "sky.fits") as units:
        sky = np.array(units["SCI"].data, dtype=float)
    around = generic_filter(sky, np.nanmedian, size=3, mode="reflect")
    sky = np.where(np.isnan(sky), around, sky).clip(1)
    padded = np.pad(sky, MARGIN, mode="reflect") / 1000
    truth = 1000 * gray("coins", SIZE + 2 * MARGIN)[MARGIN:-MARGIN, MARGIN:-MARGIN]
    found = [
        1000 * richardson_lucy(padded, moffat(), n, clip=False)[MARGIN:-MARGIN, MARGIN:-MARGIN]
        for n in range(1, 41)
    ]
    best = min(found, key=lambda image: float(((image - truth) ** 2).sum()))
    return best[None].astype(np.float32)
