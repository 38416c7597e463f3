"""The laws of detail of photographs: python configs/train/detail.py data/photos

Looks at the photographs in PHOTOS/train, shrunk to SIDES on their shorter side, a crop of each, and
writes what `invscore.priors.detail` needs of them to
`invscore/priors/shipped/photographs.json`. The photographs are fetched by photos.py.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import torch

from invscore.images import load_image
from invscore.priors.detail import DetailLaw

SIDES = (140, 220, 360, 640)
CROP = 128
PRIORS = {"gray": ("photos-gray", "photos-gray-small"), "colour": ("photos", "photos-small")}
TARGET = Path(__file__).parents[2] / "invscore" / "priors" / "shipped" / "photographs.json"


def crops(photos: Path) -> list[torch.Tensor]:
    """A crop (3, CROP, CROP) of each photograph at each size, at places that are drawn once."""
    places = random.Random(0)
    found = []
    for file in sorted(photos.glob("*.png")):
        photo = load_image(file)
        photo = photo[:3] if len(photo) > 2 else photo[:1].expand(3, -1, -1)
        shorter = min(photo.shape[-2:])
        for side in SIDES:
            size = [round(length * side / shorter) for length in photo.shape[-2:]]
            small = torch.nn.functional.interpolate(
                photo[None], size, mode="bicubic", antialias=True
            )[0].clamp(0, 1)
            top, left = (places.randint(0, length - CROP) for length in size)
            found.append(small[:, top : top + CROP, left : left + CROP])
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    colour = crops(Path(sys.argv[1]) / "train")
    images = {"gray": [crop.mean(dim=0, keepdim=True) for crop in colour], "colour": colour}
    told = [
        {"priors": PRIORS[kind], **DetailLaw.of_images(images[kind]).metadata} for kind in PRIORS
    ]
    TARGET.write_text(json.dumps(told, indent=1) + "\n")
