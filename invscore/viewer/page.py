"""The page itself: template, style, scripts and data in one file."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from invscore.figures import magma
from invscore.files import atomic_file
from invscore.viewer.entry import Entry
from invscore.viewer.island import as_island
from invscore.viewer.pictures import MAP_LEVELS, Pictures
from invscore.viewer.scales import brightest, map_scales, spread, white

SCRIPTS = ("pictures.js", "format.js", "table.js", "stage.js", "cell.js", "page.js")
PIXELS = 125 * 10**6
"""Most pixels of all pictures together: some 100 MB of text, which a browser reads in less than two
seconds."""
SAMPLES = range(1, 9)
"""Number of samples of an entry that are shown, if so many pixels leave room."""


def write_page(
    file: Path,
    entries: Sequence[Entry],
    *,
    title: str,
    facts: Mapping[str, str] | None = None,
    samples: int | None = None,
) -> None:
    """Write one HTML ``file`` that shows ``entries``: all of it or, on an error, nothing.

    Their ``figures`` are the columns of its table, in the order in which they come; a single entry
    has no table. ``facts`` are what holds for all, such as the prior and the commit. At most
    ``samples`` of the samples of an entry are in the page, by default as many as it has room for,
    1 to 8: a gray picture of 256 x 256 pixels takes about 50 kB.

    Raises ``ValueError`` where there is no entry, or ``samples`` is negative.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from invscore.viewer import Entry, write_page
    >>> pictures, figures = {"reconstruction": torch.rand(1, 8, 8)}, {"PSNR": 30.1}
    >>> entry = Entry("deblur", "camera", "dps", pictures, None, figures, {}, 0)
    >>> file = Path(tempfile.mkdtemp()) / "results.html"
    >>> write_page(file, [entry], title="Deblurring")
    >>> file.stat().st_size > 1000
    True
    """
    if not entries:
        raise ValueError("`entries` must hold at least one, got none")
    if samples is not None and samples < 0:
        raise ValueError(f"`samples` must be at least 0, got {samples}")
    pictures = Pictures()
    data = _data(entries, pictures, facts or {}, _room(entries) if samples is None else samples)
    style = _asset("page.css")
    script = "\n".join(_asset(name) for name in SCRIPTS)
    parts = {
        "policy": [_policy(style, script)],
        "title": [html.escape(title).encode("utf-8", "replace").decode()],
        "style": [style],
        "script": [script],
        "data": [as_island(data)],
        "pictures": _elements(pictures),
    }
    # Split, not replaced: a title may hold what looks like a place of the template.
    texts = re.split(r"\{\{(\w+)\}\}", _asset("page.html"))
    with atomic_file(Path(file)) as partial, partial.open("w", encoding="utf-8", newline="\n") as f:
        f.write(texts[0])
        for name, text in zip(texts[1::2], texts[2::2], strict=True):
            f.writelines(parts[name])
            f.write(text)


def _data(
    entries: Sequence[Entry], pictures: Pictures, facts: Mapping[str, str], samples: int
) -> dict[str, Any]:
    """Data of the page's script; pictures are gathered in ``pictures``."""
    scales = map_scales(entries)
    return {
        "facts": dict(facts),
        "columns": list(dict.fromkeys(name for entry in entries for name in entry.figures)),
        "colours": [[*colour, 255] for colour in magma().tolist()],
        "entries": [
            _row(entry, pictures, scales[entry.task, entry.image], samples) for entry in entries
        ],
    }


def _room(entries: Sequence[Entry]) -> int:
    """The number of samples of each entry that leaves the page quick to open."""
    one = sum(entry.samples[0].numel() for entry in entries if entry.samples is not None)
    rest = sum(p.numel() for entry in entries for p in entry.pictures.values())
    return min(max(SAMPLES), max(min(SAMPLES), (PIXELS - rest) // max(1, one)))


def _row(entry: Entry, pictures: Pictures, scale: float, samples: int) -> dict[str, Any]:
    peak = white(entry)
    names = {
        name: pictures.add(image, peak)
        for name, image in entry.pictures.items()
        if name != "uncertainty"
    }
    deviation = spread(entry.pictures)
    widest = scale if deviation is None else min(scale, brightest(deviation) or scale)
    if deviation is not None:
        names["uncertainty"] = pictures.add(deviation, widest, MAP_LEVELS)
    drawn = () if entry.samples is None else tuple(entry.samples)
    return {
        "task": entry.task,
        "image": entry.image,
        "method": entry.method,
        "figures": entry.figures,
        "options": entry.options,
        "seed": entry.seed,
        "white": peak,
        "scale": scale,
        "widest": widest,
        "pictures": names,
        "samples": [pictures.add(image, peak) for image in drawn[:samples]],
        "drawn": len(drawn),
    }


def _elements(pictures: Pictures) -> Iterator[str]:
    """An element for each picture: nothing reads what is in it before it is shown."""
    for name, encoded in pictures.encoded.items():
        yield f'<script type="text/plain" id="{name}">{encoded}</script>\n'


def _policy(style: str, script: str) -> str:
    """Only this style and this script, pictures out of the page itself, and no request at all."""
    rules = {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": _digest(style),
        "script-src": _digest(script),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {allowed}" for name, allowed in rules.items())


def _digest(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def _asset(name: str) -> str:
    return resources.files("invscore.viewer").joinpath(name).read_text(encoding="utf-8")
