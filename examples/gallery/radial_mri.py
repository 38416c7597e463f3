"""Radial k-space of four coils in an ISMRMRD file, 24 golden-angle spokes.

A seventh of the spokes that would fill k-space; trajectory and size are those of the file, whose
coils hear each other's noise: acquisitions of noise alone tell how much.
"""

from __future__ import annotations

from pathlib import Path

import ismrmrd
import numpy as np
import torch
from heads import as_tensor, cg_sense, coils, head, noisy, seen_by

from invscore.operators import NonCartesianMRI
from invscore.operators.noncartesian import radial_trajectory
from invscore.tasks.noncartesian import measured, read_samples

BASELINE = "CG-SENSE, same maps, best of five weights"
COMMAND = "reconstruct --op noncartesian-mri --prior brain-mri --measurement {folder}/radial.h5"
COILS, SPOKES, SAMPLES, NOISE = 4, 24, 208, 0.02
HEARD = 0.4
"""Of the noise of the coil before."""
HEADER = """<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<trajectory>radial</trajectory><encodedSpace><matrixSize><x>{0}</x><y>{1}</y><z>1</z></matrixSize>
</encodedSpace><reconSpace><matrixSize><x>{0}</x><y>{1}</y><z>1</z></matrixSize></reconSpace>
</encoding></ismrmrdHeader>"""


def truth() -> np.ndarray:
    image = head()
    return seen_by(coils(COILS, *image.shape), image)[None]


def measure(folder: Path) -> np.ndarray:
    """``radial.h5``; the image, (1, h, w) complex."""
    image, omega = head(), radial_trajectory(SPOKES, SAMPLES)
    maps = torch.from_numpy(coils(COILS, *image.shape))
    clean = NonCartesianMRI(omega, maps)(torch.from_numpy(image)[None, None])[0].numpy()
    mixing = np.eye(COILS) + HEARD * np.eye(COILS, k=-1)
    silence = np.zeros((COILS, clean.shape[1] + 2000), np.complex64)
    noise = np.tensordot(mixing, noisy(silence, NOISE), 1).astype(np.complex64)
    samples = (clean + noise[:, 2000:]).reshape(COILS, SPOKES, SAMPLES)
    path = (omega / (2 * np.pi)).reshape(2, SPOKES, SAMPLES).permute(1, 2, 0).numpy()
    file = folder / "radial.h5"
    file.unlink(missing_ok=True)
    dataset = ismrmrd.Dataset(str(file), "dataset", True)
    dataset.write_xml_header(HEADER.format(*image.shape))
    scan = ismrmrd.Acquisition.from_array(np.ascontiguousarray(noise[:, :2000]))
    scan.set_flag(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    dataset.append_acquisition(scan)
    for k in range(SPOKES):
        line = np.ascontiguousarray(samples[:, k])
        dataset.append_acquisition(ismrmrd.Acquisition.from_array(line, path[k].astype("f4")))
    dataset.close()
    return truth()


def baseline(folder: Path) -> np.ndarray:
    """Pruessmann et al. 2001, along the trajectory, whitened."""
    file = str(folder / "radial.h5")
    given = {"trajectory": file, "real": False, "noise_covariance": file}
    operator, y, _ = measured(read_samples(file, {}), truth().shape, given, "radial.h5")
    return cg_sense(operator, as_tensor(y.numpy()), truth())
