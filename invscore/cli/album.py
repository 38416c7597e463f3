"""A folder of images that a prior has drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from invscore.figures import grid, picture
from invscore.files import atomic_folder
from invscore.images import save_image

OPTIONS = "options.json"
ARRAY = "samples.npy"
GRID = "grid.png"


def write(folder: Path, images: Tensor, options: Mapping[str, Any]) -> None:
    """Write ``images``, (n, c, h, w), to ``folder``: all files or, on an error, none.

    A picture of each, ``sample-000.png``, all of them in ``grid.png``, their numbers in
    ``samples.npy`` and how they came about in ``options.json``. Those of an earlier album go.
    """
    digits = max(3, len(str(len(images) - 1)))
    pictures = {
        f"sample-{index:0{digits}d}.png": picture(image) for index, image in enumerate(images)
    }
    earlier = {file.name for file in folder.glob("sample-*.png")}
    names = [*earlier | set(pictures), GRID, ARRAY, OPTIONS]
    with atomic_folder(folder, names=names, mark=OPTIONS) as partial:
        for name, image in pictures.items():
            save_image(partial / name, image)
        save_image(partial / GRID, grid(list(pictures.values())))
        np.save(partial / ARRAY, images.numpy())
        (partial / OPTIONS).write_text(json.dumps(options, indent=2) + "\n", encoding="utf-8")
