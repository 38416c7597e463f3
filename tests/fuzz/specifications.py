"""What describes a measurement: files, operators and laws of noise, with options by chance."""

from __future__ import annotations

import random
from dataclasses import fields

from invscore.tasks.builtin import BUILTIN, option_defaults
from invscore.tasks.noises import LAWS

MEASUREMENTS = [
    *("counts.npy", "sinogram.npy", "odd.npy", "stack.npy", "one-slice.npy", "constant.npy"),
    *("spokes.npy", "coils.npy", "coded.npy", "gray.npy", "kspace.npy", "zeros.npy"),
]
"""Good files of the measurements of instruments."""

DESCRIPTIONS = [
    *("trajectory.npy", "wide-trajectory.npy", "kernel.npy", "large-kernel.npy", "kernel-3d.npy"),
    *("filters.npy", "covariance.npy", "angles.txt", "words.txt", "deviations.npy", "beam.npy"),
]
"""Good files that describe an instrument or its noise, for some measurement."""

FILES = [
    *MEASUREMENTS,
    *DESCRIPTIONS,
    *("colour.png", "mask.png", "empty.png", "text.png", "cut.png", "noise.png", "gray.png"),
    *("huge-header.png", "bomb.png", "tiff.tif", "gif.gif", "jpeg.jpg", "fits.fits", "h5.h5"),
    *("nifti.nii", "mat.mat", "dicom.dcm", "one-pixel.png", "folder.png"),
    *(f"{name}.npy" for name in ("zero-d", "seven-d", "no-pixels", "row", "nan", "infinite")),
    *(f"{name}.npy" for name in ("big", "float32-max", "tiny", "negative", "complex")),
    *(f"{name}.npy" for name in ("bool", "int64", "words", "dates", "fields", "half", "long")),
    *(f"{name}.npy" for name in ("channels", "batch", "objects", "claims", "cut")),
    *(f"{name}.npy" for name in ("overflows", "minus", "deep", "object-header", "text", "pickle")),
    *("several.npz", "none.npz", "good.npz", "bomb.npz", "cut.npz"),
    *("fifo", "fifo.png", "fifo.npy", "fifo.safetensors", "fifo.yaml", "socket.png", "loop.png"),
    *("sparse.png", "sparse.npy", "sparse.safetensors", "sparse.yaml", "sparse.json", "broken.png"),
    *("link.png", "zero.png", "zero.npy", "null.yaml", "linked-folder", "/dev/null", "/dev/zero"),
    *("missing.png", "missing.yaml", "missing/", "full-folder", "photos", "photos/train", "ops.py"),
    *("empty.yaml", "bytes.yaml", "list.yaml", "deep.yaml", "deep-keys.yaml", "laughs.yaml"),
    *("itself.yaml", "python.yaml", "recipe.yaml", "bench.yaml", "empty.json", "bytes.json"),
    *("deep.json", "number.json", "infinite.json", "calibration.json", "tiny.safetensors"),
    *("gray.png/inside", "ops.py:Half", "empty.py", "syntax.py", "bytes.py"),
]
NUMBERS = [
    *("0", "-1", "1", "3", "1e9", "1000000000", "1e21", "nan", "inf", "-inf", "1e-300", "1e300"),
    *("true", "none", "wide", "''", "()", "(1,2)", "99999999999999999999", "0.5", "2.5", "1.0"),
]
PLUGINS = [
    *("{n}", "{n}(1)", "deblur({n})", "deblur(sigma=1,sigma=2)", "deblur(sgima=2)", "{f}:Half"),
    *(f"ops.py:{name}" for name in ("Half", "FailsLater", "FailsInAdjoint", "WrongShape")),
    *(f"ops.py:{name}" for name in ("GivesNone", "GivesNaN", "Zero", "Leaves", "Recurses")),
    *(f"ops.py:{name}" for name in ("NotAnAdjoint", "Numpy", "BadShapes", "HugeShapes", "Squares")),
    *(f"ops.py:{name}" for name in ("RaisesOddly", "stops", "interrupts", "number", "nothing")),
    *("ops.py:instance", "ops.py:Half(gain={n})", "ops.py:{n}", "exits.py:Half", "syntax.py:Half"),
    *("interrupts.py:Half", "bytes.py:Half", "empty.py:Half", "missing.py:Half", "ops.py:"),
]
OF_FILES = {"kernel", "mask", "maps", "matrix", "filters", "trajectory", "noise_covariance"}
OF_FILES |= {"angles", "uv", "background", "photons", "file"}
"""Options whose values are files, or may be."""

VALID = {
    "box": ["size=4"],
    "blur": ["kernel=kernel.npy", "kernel=kernel-3d.npy", "kernel=large-kernel.npy"],
    "inpaint": ["mask=mask.png"],
    "interferometry": ["uv=trajectory.npy, pixel=1", "uv=angles.txt, pixel=1"],
    "lensless": ["kernel=kernel.npy", "kernel=large-kernel.npy, sensor=8"],
    "mri": ["mask=mask.png"],
    "ct": ["angles=12", "angles=angles.txt", "angles=12, source_distance=40"],
    "mosaic": ["pattern=RGGB", "filters=filters.npy", "pattern=(0,1,2,3)"],
    "cassi": ["mask=mask.png, channels=3", "channels=3"],
    "multicoil-mri": ["", "noise_covariance=covariance.npy"],
    "noncartesian-mri": ["trajectory=trajectory.npy", "trajectory=wide-trajectory.npy", ""],
    "nonlinear-blur": ["size=5"],
    "shake": ["size=5"],
}
"""Options with which operators, elsewhere with their defaults, may be what measured the files."""

VALID_NOISE = [
    *("auto", "0.05", "0", "poisson(photons=50)", "poisson(photons=50, background=2)"),
    *("poisson-gaussian(photons=50, sigma=0.05)", "transmission(photons=100)", "deviations.npy"),
    *("transmission(photons=beam.npy)", "rician(sigma=0.05)", "speckle(looks=4)"),
    *("map(file=deviations.npy, kind=variance)", "gaussian(sigma=0.05)"),
]


def operator_spec(chance: random.Random) -> str:
    """One of our operators, half of them with options as they should be, or a plug-in."""
    if chance.random() < 0.3:
        return filled(chance, chance.choice(PLUGINS))
    name = chance.choice(list(BUILTIN))
    given = chance.choice(VALID.get(name, [""]))
    if chance.random() < 0.5:
        options = list(option_defaults(name)) or ["sigma"]
        given = ", ".join(filter(None, [given, _option(chance, options)]))
    return f"{name}({given})" if given else name


def noise_spec(chance: random.Random) -> str:
    """A law of noise, half of them as it should be."""
    if chance.random() < 0.5:
        return chance.choice(VALID_NOISE)
    name = chance.choice(list(LAWS))
    options = [field.name for field in fields(LAWS[name])]
    given = [_option(chance, options) for _ in range(chance.choice([0, 1, 1, 2]))]
    return f"{name}({', '.join(given)})"


def _option(chance: random.Random, options: list[str]) -> str:
    option = chance.choice(options)
    pool = FILES if option in OF_FILES and chance.random() < 0.8 else NUMBERS
    return f"{option}={chance.choice(pool)}"


def filled(chance: random.Random, template: str) -> str:
    return template.replace("{f}", chance.choice(FILES)).replace("{n}", chance.choice(NUMBERS))
