"""Fetch the photographs that `photos-gray` learns from: python configs/train/photos.py data/photos

Downloads four Debian packages of wallpapers (`apt-get download`, no installation, about 170 MB),
keeps the photographs, and sorts them into OUT/train and OUT/val, shrunk to at most 2880 pixels.
Needs a Debian or Ubuntu system with apt-get and dpkg. Authors and licences: photos.md.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PACKAGES = (
    "lomiri-wallpapers-16.04",
    "lomiri-wallpapers-20.04",
    "mate-backgrounds",
    "plasma-workspace-wallpapers",
)
LONGEST_SIDE = 2880

BACKGROUNDS = """
    Bridge_by_Sander_Klootwijk Dragonfly_by_Bolly Kleiber_by_Lukas_Baubkus Picture_0B_by_freespace
    Picture_1A_by_freespace Wine_by_Jakkub_Mede aitzgorri_by_Aitzol_Berasategi
    free_by_Peter_Nerlich friends_by_Aitzol_Berasategi greentock_by_Peter_Nerlich
    life_by_Aitzol_Berasategi picosdeeuropa_by_Aitzol_Berasategi seeding_by_Clements_Engelhardt
    sunset_by_Aitzol_Berasategi
"""
NATURE = """
    Aqua Blinds Dune FreshFlower Garden GreenMeadow LadyBird RainDrops Storm TwoWings Wood
    YellowFlower
"""
WALLPAPERS = """
    BytheWater ColdRipple ColorfulCups DarkestHour EveningGlow FallenLeaf Grey Kite OneStandsOut
    Path summer_1am
"""
VALIDATION = """
    EveningGlow Garden friends_by_Aitzol_Berasategi picosdeeuropa_by_Aitzol_Berasategi
"""


def sources(root: Path) -> dict[str, Path]:
    """The photographs below ``root``, an unpacked file system, by name."""
    backgrounds = root / "usr/share/backgrounds"
    found = {name: backgrounds / f"{name}.jpg" for name in BACKGROUNDS.split()}
    found |= {name: backgrounds / f"mate/nature/{name}.jpg" for name in NATURE.split()}
    for name in WALLPAPERS.split():
        images = (root / f"usr/share/wallpapers/{name}/contents/images").iterdir()
        found[name] = max(images, key=lambda file: file.stat().st_size)
    return found


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", "-q", *PACKAGES], cwd=folder, check=True)
        root = Path(folder) / "root"
        for package in Path(folder).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, root], check=True)
        for name, source in sorted(sources(root).items()):
            target = out / ("val" if name in VALIDATION.split() else "train") / f"{name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            image = Image.open(source).convert("RGB")
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
            image.save(target)
            print(target, image.size)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
