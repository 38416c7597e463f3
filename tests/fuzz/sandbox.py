"""A folder with good files, and with the worst that may lie where a file is expected."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import save as as_safetensors

from invscore.images import crop_and_shrink, load_image, save_image
from invscore.networks import build_network

SIDE = 16
ARCHITECTURE: dict[str, Any] = {"name": "unet", "channels": 1, "widths": [4, 8], "blocks": 1}

RECIPE: dict[str, Any] = {
    "name": "mine",
    "out": "run",
    "network": {"name": "unet", "channels": 1, "widths": [4, 8], "blocks": 1, "embedding": 8},
    "prior": {"mean": 0.5, "sigma_data": 0.25, "parametrisation": "edm"},
    "data": {"folder": "photos", "crop": 8, "longest_side": [20, 30]},
    "optimiser": {"steps": 2, "batch": 2, "learning_rate": 1.0e-3, "ema": 0.9},
    "samples": {"count": 0},
    "precision": "fp32",
    "seed": 0,
}
BENCH: dict[str, Any] = {
    "prior": "tiny.safetensors",
    "images": "photos/train",
    "size": SIDE,
    "limit": 1,
    "seed": 0,
    "tasks": [{"name": "blur", "op": "deblur(sigma=1)", "noise": 0.05}],
    "methods": [
        {"name": "diffpir", "samples": 2, "options": {"steps": 2}},
        {"name": "wiener"},
    ],
}

OPERATORS = """
import os, sys, time
import torch
from invscore.operators import Identity, LinearOperator, NonlinearOperator

class Half(LinearOperator):
    def __init__(self, in_shape, gain=0.5):
        self.in_shape = self.out_shape = tuple(in_shape)
        self.gain = gain
    def matvec(self, x):
        return self.gain * x
    def rmatvec(self, y):
        return self.gain * y

class FailsLater(Half):
    def matvec(self, x):
        return {}["missing"]

class FailsInAdjoint(Half):
    def rmatvec(self, y):
        raise RuntimeError("can't allocate memory: the detector is off")

class WrongShape(Half):
    def matvec(self, x):
        return x[:, :, 1:]

class GivesNone(Half):
    def matvec(self, x):
        return None

class GivesNaN(Half):
    def matvec(self, x):
        return x * float("nan")

class Zero(Half):
    def matvec(self, x):
        return 0 * x
    def rmatvec(self, y):
        return 0 * y

class Leaves(Half):
    def matvec(self, x):
        sys.exit(0)

class Recurses(Half):
    def matvec(self, x):
        return self.matvec(x)

class NotAnAdjoint(Half):
    def rmatvec(self, y):
        return 3 * y

class Numpy(Half):
    def matvec(self, x):
        return x.numpy()

class BadShapes(Half):
    def __init__(self):
        self.in_shape, self.out_shape = "many", None

class HugeShapes(Half):
    def __init__(self):
        self.in_shape = self.out_shape = (1, 10**6, 10**6)

class Squares(NonlinearOperator):
    def __init__(self, in_shape):
        self.in_shape = self.out_shape = tuple(in_shape)
    def __call__(self, x):
        return x ** 2

class RaisesOddly(Half):
    def matvec(self, x):
        raise type("Überraschung", (Exception,), {})("[bold]{x}[/bold] %s \\x1b[31m")

def stops():
    raise SystemExit(0)

def interrupts():
    raise KeyboardInterrupt

instance = Identity((1, 16, 16))
number = 3

def images(*args, **kwargs):
    raise SystemExit(0)

def wrong_images(*args, **kwargs):
    return "no image"

def fails(*args, **kwargs):
    return [][3]
"""


def lay_out(folder: Path) -> None:
    """Fill ``folder``, which is copied for every case: good files first, then bad ones."""
    os.chdir(folder)
    photo = crop_and_shrink(load_image("camera"), SIDE)
    save_image("gray.png", photo)
    save_image("colour.png", crop_and_shrink(load_image("astronaut"), SIDE))
    save_image("mask.png", (photo > 0.5).float())
    for part, count in (("train", 3), ("val", 2)):
        Path("photos", part).mkdir(parents=True)
        for index in range(count):
            tile = crop_and_shrink(load_image("coins"), 60)[:, 10 * index :][:, :24, :24]
            save_image(Path("photos", part, f"{index}.png"), tile)
    Path("tiny.safetensors").write_bytes(checkpoint())
    Path("ops.py").write_text(OPERATORS, encoding="utf-8")
    Path("recipe.yaml").write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    Path("bench.yaml").write_text(yaml.safe_dump(BENCH), encoding="utf-8")
    Path("calibration.json").write_text(json.dumps(CALIBRATION), encoding="utf-8")
    _measurements(photo.numpy())
    _bad_pictures(photo.numpy())
    _bad_arrays()
    _bad_texts()


def special(folder: Path) -> None:
    """What cannot be copied: pipes, sockets, links, a file with a hole of a terabyte."""
    os.mkfifo(folder / "fifo")
    os.mkfifo(folder / "fifo.png")
    os.mkfifo(folder / "fifo.npy")
    os.mkfifo(folder / "fifo.safetensors")
    os.mkfifo(folder / "fifo.yaml")
    here = Path.cwd()
    os.chdir(folder)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind("socket.png")
    os.chdir(here)
    for name in ("sparse.png", "sparse.npy", "sparse.safetensors", "sparse.yaml", "sparse.json"):
        with (folder / name).open("wb") as file:
            file.truncate(2**40)
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "broken.png").symlink_to("nowhere.png")
    (folder / "link.png").symlink_to("gray.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "zero.npy").symlink_to("/dev/zero")
    (folder / "null.yaml").symlink_to("/dev/null")
    (folder / "linked-folder").symlink_to("results-elsewhere", target_is_directory=True)


def copy(template: Path, folder: Path) -> None:
    shutil.copytree(template, folder)
    special(folder)


def checkpoint(
    architecture: object = None,
    parametrisation: object = None,
    extra: dict[str, object] | None = None,
    metadata: str | None = None,
    weights: dict[str, torch.Tensor] | None = None,
) -> bytes:
    """The bytes of a tiny prior, with other metadata or weights where they are given."""
    torch.manual_seed(0)
    if weights is None:
        weights = build_network(**ARCHITECTURE).state_dict()
    described = {
        "architecture": ARCHITECTURE if architecture is None else architecture,
        "parametrisation": FORM if parametrisation is None else parametrisation,
        **(extra or {}),
    }
    text = json.dumps(described) if metadata is None else metadata
    contiguous = {name: tensor.contiguous() for name, tensor in weights.items()}
    return as_safetensors(contiguous, metadata={"invscore": text})


FORM: dict[str, Any] = {
    "name": "edm",
    "channels": 1,
    "mean": 0.5,
    "sigma_data": 0.25,
    "sigma_min": 0.002,
    "sigma_max": 20.0,
    "complex": False,
    "symmetric": False,
}
HELD = {"coverage_before": 0.8, "coverage_after": 0.9, "width_before": 0.1, "width_after": 0.1}
CALIBRATION: dict[str, Any] = {
    "format": "invscore calibration 2",
    "level": 0.8,
    "factor": 1.3,
    "setting": {"method": "diffpir", "options": {"steps": 2}, "samples": 2},
    "images": [HELD] * 6,
}


def _measurements(photo: np.ndarray) -> None:
    """What instruments measure, and what describes them."""
    rng = np.random.default_rng(1)
    pixels = photo[0]
    samples = rng.uniform(-0.5, 0.5, (2, 40))
    arrays: dict[str, Any] = {
        "counts": rng.poisson(50 * pixels),
        "sinogram": rng.random((12, SIDE)),
        "odd": rng.random((15, 17)),
        "stack": np.stack([pixels, pixels[::-1], pixels]),
        "one-slice": pixels[None],
        "constant": np.full((SIDE, SIDE), 0.5),
        "spokes": rng.normal(size=40) + 1j * rng.normal(size=40),
        "coils": np.fft.fft2(rng.normal(size=(3, 1, 1)) * pixels, norm="ortho"),
        "coded": rng.random((SIDE, SIDE + 2)),
        "trajectory": samples,
        "wide-trajectory": 40 * samples,
        "kernel": np.full((3, 3), 1 / 9),
        "large-kernel": np.full((33, 33), 33.0**-2),
        "kernel-3d": np.full((3, 3, 3), 1 / 27),
        "filters": rng.random((3, SIDE, SIDE)),
        "covariance": np.eye(3),
        "deviations": np.full((SIDE, SIDE), 0.05),
        "beam": np.full((SIDE, SIDE), 100.0),
    }
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    Path("angles.txt").write_text("\n".join(str(15 * angle) for angle in range(12)))
    Path("words.txt").write_text("none of these\nis a number\n")


def _bad_pictures(photo: np.ndarray) -> None:
    good = Path("gray.png").read_bytes()
    Path("empty.png").touch()
    Path("text.png").write_text("this is no picture\n")
    Path("cut.png").write_bytes(good[: len(good) // 2])
    Path("noise.png").write_bytes(good[:60] + bytes(range(256)) * 4)
    Path("huge-header.png").write_bytes(_png(100_000, 100_000, b"\0" * 100))
    Path("bomb.png").write_bytes(_png(30_000, 30_000, b"\0" * 30_001 * 30_000))
    Path("tiff.tif").write_bytes(b"II*\0" + struct.pack("<I", 2**31) + b"\0" * 64)
    Path("gif.gif").write_bytes(b"GIF89a" + b"\xff" * 40)
    Path("jpeg.jpg").write_bytes(b"\xff\xd8\xff\xe0" + b"\0" * 30)
    Path("fits.fits").write_bytes(b"SIMPLE  =                    T".ljust(2880))
    Path("h5.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    Path("nifti.nii").write_bytes(struct.pack("<i", 348) + b"\0" * 400)
    Path("mat.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(128, b" "))
    Path("dicom.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 20)
    save_image("one-pixel.png", torch.ones(1, 1, 1))
    Path("folder.png").mkdir()
    np.save("gray.npy", photo)


def _bad_arrays() -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        "zero-d": np.array(3.0),
        "seven-d": np.ones((1,) * 7),
        "no-pixels": np.ones((0, 16)),
        "row": np.ones((1, 16)),
        "nan": np.full((16, 16), np.nan),
        "infinite": np.full((16, 16), np.inf),
        "big": np.full((16, 16), 1e300),
        "float32-max": np.full((16, 16), 3e38, np.float32),
        "tiny": np.full((16, 16), 1e-300),
        "zeros": np.zeros((16, 16)),
        "negative": -rng.random((16, 16)),
        "complex": rng.random((16, 16)) + 1j,
        "bool": rng.random((16, 16)) > 0.5,
        "int64": rng.integers(-(2**62), 2**62, (16, 16)),
        "words": np.full((16, 16), "a"),
        "dates": np.zeros((16, 16), "M8[s]"),
        "fields": np.zeros((16, 16), [("a", "f4"), ("b", "i4")]),
        "half": rng.random((16, 16)).astype(np.float16),
        "long": rng.random((16, 16)).astype(np.longdouble),
        "channels": rng.random((7, 16, 16)),
        "batch": rng.random((5, 1, 16, 16)),
        "kspace": np.fft.fft2(rng.random((16, 16))),
    }
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)
    np.save("objects.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    np.savez("several.npz", a=np.ones(3), b=np.ones(3))
    np.savez("none.npz")
    np.savez("good.npz", image=rng.random((16, 16)))
    header = b"\x93NUMPY\x01\x00"
    for name, text in (
        ("claims", "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"),
        ("overflows", "{'descr': '<f8', 'fortran_order': False, 'shape': (2**70, 9), }"),
        ("minus", "{'descr': '<f8', 'fortran_order': False, 'shape': (-4, 4), }"),
        ("deep", "{'descr': " + "[" * 5000 + "}"),
        ("object-header", "{'descr': '|O', 'fortran_order': False, 'shape': (4, 4), }"),
    ):
        line = text.ljust(118).encode() + b"\n"
        Path(f"{name}.npy").write_bytes(header + struct.pack("<H", len(line)) + line)
    Path("cut.npy").write_bytes(Path("gray.npy").read_bytes()[:-100])
    with zipfile.ZipFile("bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        line = b"{'descr': '|u1', 'fortran_order': False, 'shape': (20000, 20000), }".ljust(117)
        start = header + struct.pack("<H", 118) + line + b"\n"
        archive.writestr("image.npy", start + bytes(20_000 * 20_000))
    Path("cut.npz").write_bytes(Path("good.npz").read_bytes()[:-60])
    Path("text.npy").write_text("not numpy\n")
    Path("pickle.npy").write_bytes(b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.")


def _bad_texts() -> None:
    Path("empty.yaml").touch()
    Path("empty.json").touch()
    Path("empty.py").touch()
    Path("bytes.yaml").write_bytes(bytes(range(256)))
    Path("bytes.json").write_bytes(bytes(range(128, 256)))
    Path("list.yaml").write_text("- 1\n- 2\n")
    Path("deep.yaml").write_text("[" * 20_000)
    Path("deep-keys.yaml").write_text("{a: " * 5_000 + "1" + "}" * 5_000)
    Path("deep.json").write_text('{"format": ' + "[" * 100_000)
    Path("laughs.yaml").write_text(
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    )
    Path("itself.yaml").write_text("&a [*a]\n")
    Path("python.yaml").write_text("name: !!python/object/apply:os.system [true]\n")
    Path("number.json").write_text("3")
    Path("infinite.json").write_text('{"format": Infinity}')
    Path("syntax.py").write_text("def f(:\n")
    Path("exits.py").write_text("import sys\nsys.exit(0)\n")
    Path("interrupts.py").write_text("raise KeyboardInterrupt\n")
    Path("bytes.py").write_bytes(b"\xff\xfe\0x")
    Path("full-folder").mkdir()
    Path("full-folder", "thesis.txt").write_text("mine")
    Path("results-elsewhere").mkdir()


def _png(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(rows, 9) if len(rows) < 2**20 else zlib.compress(rows, 1)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
