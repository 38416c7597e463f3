"""Many measurements whose operators differ, as each file tells of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from invscore.images import load_image
from invscore.operators import Tomography

Run = Callable[..., Result]


def test_scans_at_different_angles_are_not_treated_as_one(reconstruct: Run, folder: Path) -> None:
    h5py = pytest.importorskip("h5py")
    x = load_image("gray.png")[None, :, ::4, ::4]
    (folder / "scans").mkdir()
    for name, angles in (("a", [0.0, 40.0, 80.0, 120.0]), ("b", [10.0, 20.0, 30.0, 40.0])):
        integrals = Tomography(angles, (1, 16, 16))(x)[0, 0].numpy()
        with h5py.File(f"scans/{name}.h5", "w") as file:
            file["exchange/data"] = (1e4 * np.exp(-integrals))[:, None]
            file["exchange/data_white"] = np.full((1, 1, integrals.shape[1]), 1e4)
            file["exchange/theta"] = angles
    own = ("--op", "ct", "--measurement", "scans/*.h5", "--index", "0", "--shape", "1,16,16")
    for size in ("8", "1"):
        more = ("--noise", "0.01", "--samples", "1", "--batch-size", size, "--out", size)
        done = reconstruct(*own, *more)
        assert done.exit_code == 0, done.output
    for name in ("a", "b"):
        together, alone = (np.load(next(Path(s).glob(f"{name}*/arrays.npz"))) for s in ("8", "1"))
        np.testing.assert_allclose(together["mean"], alone["mean"], atol=1e-4)
