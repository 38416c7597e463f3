"""The file that ``write_page`` writes, read as text."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from invscore.viewer import Entry, write_page
from invscore.viewer.island import as_island
from invscore.viewer.pictures import MAP_LEVELS, as_png
from invscore.viewer.scales import map_scales, white

Make = Callable[..., Entry]
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)><!--"


def data_of(page: Path) -> dict[str, Any]:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    content: dict[str, Any] = json.loads(found[1])
    return content


def picture_of(page: Path, name: str) -> np.ndarray:
    text = page.read_text(encoding="utf-8")
    found = re.search(rf'<script type="text/plain" id="{name}">(.*?)</script>', text)
    assert found
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[1]))))


def test_the_rows_are_in_the_page(make_entry: Make, page: Path) -> None:
    other = make_entry(method="pigdm", figures={"ssim": 0.5, "psnr": None}, samples=None)
    write_page(page, [make_entry(seed=3), other], title="Results", facts={"prior": "tiny"})
    data = data_of(page)
    assert data["facts"] == {"prior": "tiny"}
    assert data["columns"] == ["psnr", "ssim"]
    first, second = data["entries"]
    assert (first["task"], first["image"], first["method"]) == ("blur", "camera", "dps")
    assert (first["seed"], first["options"], first["figures"]) == (3, {"steps": 50}, {"psnr": 20.0})
    assert second["figures"] == {"ssim": 0.5, "psnr": None}
    assert (len(first["samples"]), first["drawn"]) == (2, 2)
    assert (len(second["samples"]), second["drawn"]) == (0, 0)


def test_the_pictures_are_in_the_page(make_entry: Make, page: Path) -> None:
    entry = make_entry()
    write_page(page, [entry], title="Results")
    row = data_of(page)["entries"][0]
    for name in ("measurement", "reconstruction", "truth"):
        shades = entry.pictures[name][0].numpy()
        drawn = picture_of(page, row["pictures"][name])
        np.testing.assert_allclose(drawn / 255, shades, atol=0.51 / 255)
    spread = entry.pictures["uncertainty"][0].numpy()
    drawn = picture_of(page, row["pictures"]["uncertainty"]) / 255 * row["widest"]
    assert row["widest"] == pytest.approx(spread.max())
    step = row["widest"] * (1 / (MAP_LEVELS - 1) + 1 / 255)
    np.testing.assert_allclose(drawn, spread, atol=0.51 * step)
    assert entry.samples is not None
    for name, sample in zip(row["samples"], entry.samples, strict=True):
        np.testing.assert_allclose(picture_of(page, name) / 255, sample[0], atol=0.51 / 255)


def test_equal_pictures_are_stored_once(make_entry: Make, page: Path) -> None:
    one = make_entry(samples=None)
    other = make_entry(samples=None, method="pigdm")
    write_page(page, [one, other], title="Results")
    first, second = data_of(page)["entries"]
    assert first["pictures"] == second["pictures"]
    assert page.read_text().count('type="text/plain"') == 4


def test_as_many_samples_as_were_asked_for(make_entry: Make, page: Path) -> None:
    entry = make_entry(samples=torch.rand(6, 1, 16, 16))
    for asked, kept in ((None, 6), (0, 0), (4, 4), (9, 6)):
        write_page(page, [entry], title="R", samples=asked)
        row = data_of(page)["entries"][0]
        assert (len(row["samples"]), row["drawn"]) == (kept, 6)


def test_as_many_samples_as_the_page_has_room_for(
    make_entry: Make, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = {"reconstruction": torch.rand(1, 10, 10)}
    entry = make_entry(pictures=pictures, samples=torch.rand(12, 1, 10, 10))
    bare = make_entry(pictures=pictures, samples=None)
    for room, kept in ((10**6, 8), (599, 3), (600, 4), (0, 1)):
        monkeypatch.setattr("invscore.viewer.page.PIXELS", room)
        write_page(page, [entry, bare], title="R")
        assert len(data_of(page)["entries"][0]["samples"]) == kept


def test_nothing_is_asked_of_anyone(make_entry: Make, page: Path) -> None:
    write_page(page, [make_entry()], title="Results")
    text = page.read_text()
    assert not re.search(r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttp|import\(", text)
    assert set(re.findall(r'(?:src|href)="([^"]*)"', text)) == {"data:,"}
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    assert "connect-src" not in policy[1]


def test_hostile_names_stay_text(make_entry: Make, page: Path) -> None:
    entry = make_entry(
        task=HOSTILE,
        image=HOSTILE,
        method=HOSTILE,
        figures={HOSTILE: HOSTILE},
        options={HOSTILE: [HOSTILE]},
    )
    write_page(page, [entry], title=HOSTILE + "{{data}}", facts={HOSTILE: HOSTILE})
    text = page.read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "<script>alert" not in text
    assert text.count("{{data}}") == 2
    data = data_of(page)
    assert data["facts"] == {HOSTILE: HOSTILE}
    assert data["entries"][0]["options"] == {HOSTILE: [HOSTILE]}


def test_what_json_does_not_know() -> None:
    content = {
        "nan": math.nan,
        "far": [math.inf, -math.inf],
        "tensor": torch.tensor(0.5),
        "none": None,
        "flag": True,
        "path": Path("a"),
        "odd": "\udc80\u2028",
        1: np.float32(0.25),
    }
    island = as_island(content)
    assert island.isascii()
    assert json.loads(island) == {
        "nan": "NaN",
        "far": ["Infinity", "-Infinity"],
        "tensor": 0.5,
        "none": None,
        "flag": True,
        "path": "a",
        "odd": "\udc80\u2028",
        "1": 0.25,
    }


def test_images_in_units_of_their_own_end_at_their_brightest(make_entry: Make) -> None:
    bright = torch.tensor([[[0.0, 5.0]]])
    pictures = {"reconstruction": 2 * bright, "truth": bright, "measurement": 9 * bright}
    assert white(make_entry(pictures=pictures)) == 5
    assert white(make_entry(pictures={"reconstruction": 2 * bright})) == 10
    assert white(make_entry(pictures={"truth": 0.5 * bright / 5})) == 1
    assert white(make_entry(pictures={})) == 1


def test_maps_of_an_image_have_one_scale(make_entry: Make) -> None:
    ramp = torch.arange(101.0).reshape(1, 1, 101) / 100

    def entry(error: float, spread: float, **fields: Any) -> Entry:
        pictures = {
            "truth": torch.zeros(1, 1, 101),
            "reconstruction": -error * ramp,
            "uncertainty": spread * ramp.expand(3, 1, 101),
        }
        return make_entry(pictures=pictures, **fields)

    entries = [entry(0.2, 0.1), entry(0.1, 0.4), entry(0.9, 0.0), entry(0.0, 0.0, image="cat")]
    scales = map_scales(entries)
    assert scales == pytest.approx({("blur", "camera"): 0.99 * 0.4, ("blur", "cat"): 1.0})
    unknown = make_entry(pictures={"uncertainty": 0.3 * ramp}, image="dog")
    assert map_scales([unknown]) == pytest.approx({("blur", "dog"): 0.99 * 0.3})


def test_pixels_that_are_not_finite(make_entry: Make, page: Path) -> None:
    odd = torch.tensor([[[math.nan, math.inf, -math.inf, 0.5]]])
    assert np.asarray(Image.open(io.BytesIO(as_png(odd, 1.0)))).tolist() == [[0, 255, 0, 128]]
    pictures = {"reconstruction": odd, "truth": odd, "uncertainty": odd.expand(1, 2, 4)}
    write_page(page, [make_entry(pictures=pictures)], title="R")
    assert data_of(page)["entries"][0]["scale"] == 0.5
    lost = {"reconstruction": odd * math.nan, "truth": odd * math.nan}
    write_page(page, [make_entry(pictures=lost)], title="R")
    assert data_of(page)["entries"][0]["scale"] == 1


def test_colours() -> None:
    image = torch.tensor([1.0, 0.5, 0.0]).reshape(3, 1, 1)
    assert np.asarray(Image.open(io.BytesIO(as_png(image, 1.0)))).tolist() == [[[255, 128, 0]]]


def test_wrong_pictures_are_refused(make_entry: Make) -> None:
    with pytest.raises(
        ValueError, match=r"a picture must be one of measurement, recon.*, got 'error'"
    ):
        make_entry(pictures={"error": torch.zeros(1, 4, 4)})
    with pytest.raises(ValueError, match=r"picture 'truth' must have shape .*, got \(2, 4, 4\)"):
        make_entry(pictures={"truth": torch.zeros(2, 4, 4)})
    with pytest.raises(ValueError, match=r"samples must have shape .*, got \(1, 4, 4\)"):
        make_entry(samples=torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match="picture 'truth' must be real"):
        make_entry(pictures={"truth": torch.zeros(1, 4, 4, dtype=torch.complex64)})
    pictures = {"truth": torch.zeros(1, 4, 4), "reconstruction": torch.zeros(1, 2, 4)}
    with pytest.raises(ValueError, match=r"the shape of the reconstruction, \(1, 2, 4\)"):
        make_entry(pictures=pictures)


def test_what_cannot_be_a_page(make_entry: Make, page: Path) -> None:
    with pytest.raises(ValueError, match="`entries` must hold at least one"):
        write_page(page, [], title="R")
    with pytest.raises(ValueError, match="`samples` must be at least 0, got -1"):
        write_page(page, [make_entry()], title="R", samples=-1)
    assert not page.exists()


def test_a_page_appears_as_a_whole(
    make_entry: Make, page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_page(page, [make_entry()], title="R")
    before = page.read_bytes()

    def fail(_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("invscore.viewer.page._elements", fail)
    with pytest.raises(OSError, match="disk full"):
        write_page(page, [make_entry(), make_entry()], title="R")
    assert page.read_bytes() == before
    assert list(page.parent.iterdir()) == [page]
