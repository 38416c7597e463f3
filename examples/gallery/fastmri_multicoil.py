"""Four times undersampled k-space of eight coils in a fastMRI file, nothing declared.

Sensitivity maps are estimated from the 12 lines of the centre, the noise from the highest
frequencies. Images are complex; their phase is that which the first coil sees.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import torch
from heads import as_tensor, cg_sense, coils, fourier, head, noisy, seen_by

from invscore.tasks.multicoil import measured_coils

BASELINE = "CG-SENSE, same maps, best of five weights"
COMMAND = (
    "reconstruct --op multicoil-mri --prior brain-mri --measurement {folder}/scan.h5 --index 0"
)
COILS, NOISE, CENTRE = 8, 0.02, 12
HEADER = """<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<encodedSpace><matrixSize><x>{0}</x><y>{1}</y><z>1</z></matrixSize></encodedSpace><reconSpace>
<matrixSize><x>{0}</x><y>{1}</y><z>1</z></matrixSize></reconSpace><trajectory>cartesian</trajectory>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>{2}</maximum>
<center>{3}</center></kspace_encoding_step_1></encodingLimits></encoding></ismrmrdHeader>"""


def truth() -> np.ndarray:
    image = head()
    return seen_by(coils(COILS, *image.shape), image)[None]


def measure(folder: Path) -> np.ndarray:
    """``scan.h5`` of one slice; the image, (1, h, w) complex."""
    image = head()
    height, width = image.shape
    kspace = noisy(fourier(coils(COILS, height, width) * image), NOISE)
    seen = np.zeros(width, bool)
    seen[::4] = True
    seen[width // 2 - CENTRE // 2 : width // 2 + CENTRE // 2] = True
    with h5py.File(folder / "scan.h5", "w") as opened:
        opened["kspace"] = np.where(seen, kspace, 0)[None]
        opened["mask"] = seen.astype(np.float32)
        opened["ismrmrd_header"] = HEADER.format(height, width, width - 1, width // 2).encode()
        opened.attrs["acquisition"] = "AXT1"
    return truth()


def baseline(folder: Path) -> np.ndarray:
    """Pruessmann et al. 2001."""
    with h5py.File(folder / "scan.h5") as opened:
        kspace = opened["kspace"][0]
    operator, _ = measured_coils(torch.from_numpy(kspace), {"real": False}, "scan.h5")
    return cg_sense(operator, as_tensor(kspace), truth())
