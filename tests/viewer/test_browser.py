"""The page in Chromium: what a reader does, and that nothing complains or is asked for."""

from __future__ import annotations

import base64
import io
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from invscore.viewer import Entry, write_page

Make = Callable[..., Entry]
SCORES = {"dps": 9.5, "tv": 101.25, "pigdm": 23.0, "wiener": -3.0, "diverged": math.nan}
MINUS, DASH, TIMES = "\N{MINUS SIGN}", "\N{EN DASH}", "\N{MULTIPLICATION SIGN}"
OPENS_WITHIN = 5.0
"""Seconds. It takes less than two where the machine has nothing else to do."""


@pytest.fixture(autouse=True)
def silence(browser: Any) -> Iterator[None]:
    """No test leaves a complaint, a broken policy or a request behind."""
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    yield
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [e for e in events if e["method"] == "Network.requestWillBeSent"]
    asked = {(e["params"]["type"], e["params"]["request"]["url"].split(":")[0]) for e in sent}
    assert asked <= {("Document", "file"), ("Image", "data"), ("Other", "data")}


@pytest.fixture
def opened(browser: Any, make_entry: Make, page: Path) -> Any:
    """A page of two tasks and five methods, and one method without any picture."""
    entries = [
        make_entry(task=task, method=method, figures={"psnr": score, "note": f"by {method}"})
        for task in ("blur", "mri")
        for method, score in SCORES.items()
    ]
    none = make_entry(method="refused", pictures={}, samples=None, figures={"psnr": None})
    write_page(page, [*entries, none], title="Results")
    open_page(browser, page)
    return browser


def open_page(browser: Any, page: Path) -> None:
    browser.get(page.as_uri())
    settle(browser)


def settle(browser: Any) -> None:
    """Wait until all pictures that the page has begun to draw are there."""
    ready = "return [...document.images].every((i) => i.closest('[hidden]') || i.naturalWidth)"
    until(browser, lambda: browser.execute_script(ready))


def until(browser: Any, condition: Callable[[], Any]) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(browser, 20).until(lambda _: condition())


def one(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def column(browser: Any, number: int) -> list[str]:
    script = "return [...document.querySelectorAll('#rows tr')].map((r) => r.cells[%d].textContent)"
    texts: list[str] = browser.execute_script(script % number)
    return texts


def header(browser: Any, name: str) -> Any:
    cells = browser.find_elements("css selector", "th")
    return next(cell for cell in cells if one(cell, "button").get_property("textContent") == name)


def choose(browser: Any, selector: str, label: str) -> None:
    from selenium.webdriver.support.select import Select

    Select(one(browser, selector)).select_by_visible_text(label)


def press(element: Any, *keys: str) -> None:
    from selenium.webdriver.common.keys import Keys

    element.send_keys(*(getattr(Keys, key, key) for key in keys))


def share(browser: Any) -> float:
    """Where the wipe is drawn, between the left end of the stage and the right one."""
    stage, handle = one(browser, "#stage").rect, one(browser, "#wipe").rect
    return float((handle["x"] + handle["width"] / 2 - stage["x"]) / stage["width"])


def test_numbers_are_sorted_as_numbers(opened: Any) -> None:
    score = header(opened, "psnr")
    assert score.get_attribute("aria-sort") is None
    one(score, "button").click()
    assert score.get_attribute("aria-sort") == "descending"
    falling = ["101.3", "101.3", "23.0", "23.0", "9.5", "9.5", f"{MINUS}3.0", f"{MINUS}3.0"]
    assert column(opened, 2)[:8] == falling
    assert set(column(opened, 2)[8:]) == {"NaN", DASH}
    press(one(score, "button"), "ENTER")
    assert score.get_attribute("aria-sort") == "ascending"
    assert column(opened, 2)[:8] == falling[::-1]
    assert set(column(opened, 2)[8:]) == {"NaN", DASH}


def test_text_is_sorted_as_text(opened: Any) -> None:
    before = header(opened, "psnr")
    one(before, "button").click()
    method = header(opened, "method")
    one(method, "button").click()
    assert before.get_attribute("aria-sort") is None
    assert method.get_attribute("aria-sort") == "ascending"
    methods = column(opened, 1)
    assert methods == sorted(methods)
    one(method, "button").click()
    assert column(opened, 1) == methods[::-1]


def test_equal_rows_keep_their_order(opened: Any) -> None:
    one(header(opened, "psnr"), "button").click()
    one(header(opened, "task"), "button").click()
    assert column(opened, 0) == ["blur"] * 6 + ["mri"] * 5
    assert column(opened, 1)[:4] == ["tv", "pigdm", "dps", "wiener"]


def test_filters(opened: Any) -> None:
    assert len(column(opened, 0)) == 11
    choose(opened, "#filter-task", "mri")
    assert column(opened, 0) == ["mri"] * 5
    assert one(opened, "#count").text == "5 of 11 rows"
    choose(opened, "#filter-method", "tv")
    assert (column(opened, 0), column(opened, 1)) == (["mri"], ["tv"])
    assert one(opened, "#method").text == "tv"
    choose(opened, "#filter-task", "all 2")
    assert column(opened, 1) == ["tv", "tv"]
    assert not one(opened, "#filter-image").is_displayed()  # there is a single one


def test_rows_are_chosen_by_mouse_and_by_keys(opened: Any) -> None:
    rows = opened.find_elements("css selector", "#rows tr")
    assert one(opened, "#method").text == "dps"
    rows[2].click()
    assert one(opened, "#method").text == "pigdm"
    assert rows[2].get_attribute("aria-current") == "true"
    assert rows[0].get_attribute("aria-current") is None
    press(rows[2], "ARROW_DOWN")
    assert one(opened, "#method").text == "wiener"
    assert opened.switch_to.active_element == rows[3]
    one(opened, "#previous").click()
    assert one(opened, "#method").text == "pigdm"
    assert one(opened, "#options").text.split() == ["steps", "50"]
    assert "seed 0" in one(opened, "#place").text


def test_a_row_without_pictures(opened: Any) -> None:
    choose(opened, "#filter-method", "refused")
    assert one(opened, "#bare").is_displayed()
    for part in ("#stage", "#choice", "#scale", "#drawn"):
        assert not one(opened, part).is_displayed()
    choose(opened, "#filter-method", "tv")
    settle(opened)
    assert not one(opened, "#bare").is_displayed()
    assert one(opened, "#stage").is_displayed()


def test_the_slider_moves_by_keys(opened: Any) -> None:
    handle = one(opened, "#wipe")
    assert share(opened) == pytest.approx(0.5, abs=0.005)
    for keys, expected in (
        (["ARROW_RIGHT"] * 3, 53),
        (["ARROW_LEFT"], 52),
        (["PAGE_UP"], 62),
        (["HOME"], 0),
        (["ARROW_LEFT"], 0),
        (["END"], 100),
    ):
        press(handle, *keys)
        assert handle.get_attribute("aria-valuenow") == str(expected)
        assert share(opened) == pytest.approx(expected / 100, abs=0.005)
    text = handle.get_attribute("aria-valuetext")
    assert text == "100 % Measurement, 0 % Reconstruction"


def test_the_slider_moves_by_mouse(opened: Any) -> None:
    from selenium.webdriver import ActionChains

    width = one(opened, "#stage").rect["width"]
    chain = ActionChains(opened).click_and_hold(one(opened, "#wipe"))
    chain.move_by_offset(round(0.3 * width), 0).release().perform()
    assert share(opened) == pytest.approx(0.8, abs=0.01)
    ActionChains(opened).move_by_offset(-round(0.2 * width), 0).perform()  # no button is down
    assert share(opened) == pytest.approx(0.8, abs=0.01)
    away = ActionChains(opened).move_to_element_with_offset(
        one(opened, "#stage"), -round(0.25 * width), 9
    )
    away.click().perform()
    assert share(opened) == pytest.approx(0.25, abs=0.01)


def box(browser: Any, selector: str) -> dict[str, float]:
    """Where an element is drawn, enlarged as it may be, which ``rect`` does not know."""
    script = "return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()"
    drawn: dict[str, float] = browser.execute_script(script, selector)
    return drawn


def shot(browser: Any, selector: str) -> np.ndarray:
    drawn = Image.open(io.BytesIO(base64.b64decode(one(browser, selector).screenshot_as_base64)))
    return np.asarray(drawn.convert("RGB")).astype(float)


def test_either_side_of_the_slider_has_its_picture(
    browser: Any, make_entry: Make, page: Path
) -> None:
    shades = {"measurement": 0.2, "reconstruction": 0.4, "truth": 0.8}
    pictures = {name: torch.full((1, 8, 8), shade) for name, shade in shades.items()}
    pictures["measurement"] = pictures["measurement"][:, :4, :4]
    write_page(page, [make_entry(pictures=pictures, samples=None)], title="Results")
    open_page(browser, page)

    def sides() -> list[float]:
        drawn = shot(browser, "#stage")
        height, width, _ = drawn.shape
        places = [(height // 8, width // 8), (height // 8, width - width // 8)]
        return [drawn[place].mean() / 255 for place in places]

    assert sides() == pytest.approx([0.2, 0.4], abs=0.003)
    choose(browser, "#right", "Truth")
    until(browser, lambda: sides() == pytest.approx([0.2, 0.8], abs=0.003))
    one(browser, "#swap").click()
    until(browser, lambda: sides() == pytest.approx([0.8, 0.2], abs=0.003))
    one(browser, "#pictures button[data-key=reconstruction]").click()
    until(browser, lambda: sides() == pytest.approx([0.8, 0.4], abs=0.003))
    assert one(browser, "#extent").text == f"8 {TIMES} 8"
    press(one(browser, "#wipe"), "END")
    assert sides() == pytest.approx([0.8, 0.8], abs=0.003)


def test_a_small_measurement_has_the_extent_of_the_truth(opened: Any) -> None:
    under, over = one(opened, "#under img"), one(opened, "#over img")
    assert (under.get_property("naturalWidth"), over.get_property("naturalWidth")) == (8, 16)
    assert under.rect == over.rect
    assert under.value_of_css_property("image-rendering") == "pixelated"
    assert one(opened, "#extent").text == f"8 {TIMES} 8 | 16 {TIMES} 16"


def test_the_error_map(browser: Any, make_entry: Make, page: Path) -> None:
    from matplotlib import colormaps

    error = torch.arange(101.0).reshape(1, 1, 101).expand(1, 30, 101) / 200
    pictures = {"truth": 0.5 + 0 * error, "reconstruction": 0.5 - error, "uncertainty": error / 2}
    write_page(page, [make_entry(pictures=pictures, samples=None)], title="Results")
    open_page(browser, page)
    scale = 0.99 * 0.5
    assert one(browser, "#end").text == "≥ 0.5"
    script = (
        "const i = document.querySelector(`[data-key=${arguments[0]}] img`);"
        "const c = blank(i.naturalWidth, 1), t = c.getContext('2d'); t.drawImage(i, 0, 0);"
        "return [...t.getImageData(0, 0, c.width, 1).data];"
    )
    for name, truth in (("error", error), ("uncertainty", error / 2)):
        drawn = np.reshape(browser.execute_script(script, name), (101, 4))[:, :3] / 255
        expected = colormaps["magma"]((truth[0, 0].numpy() / scale).clip(max=1))[:, :3]
        np.testing.assert_allclose(drawn, expected, atol=0.06)


def test_zoom(opened: Any) -> None:
    from selenium.webdriver import ActionChains

    stage, frame = one(opened, "#stage"), box(opened, "#stage")
    assert not one(opened, "#closer-not").is_enabled()
    one(opened, "#closer").click()
    press(stage, "+")
    assert one(opened, "#zoom").text == f"4{TIMES}"
    image = box(opened, "#over img")
    assert image["width"] == pytest.approx(4 * frame["width"])
    assert image["x"] == pytest.approx(frame["x"] - 1.5 * frame["width"], abs=1)
    assert image == box(opened, "#under img")
    chain = ActionChains(opened).move_to_element_with_offset(stage, 90, 60)
    chain.click_and_hold().move_by_offset(50, 0).release().perform()
    assert box(opened, "#over img")["x"] == pytest.approx(image["x"] + 50, abs=1)
    assert share(opened) == pytest.approx(0.5, abs=0.005)
    press(stage, "ARROW_RIGHT")
    assert box(opened, "#over img")["x"] == pytest.approx(image["x"] + 10, abs=1)
    press(stage, "0")
    assert box(opened, "#over img") == pytest.approx(frame, abs=0.1)


def test_samples_side_by_side(opened: Any) -> None:
    samples = opened.find_elements("css selector", "#samples img")
    assert [sample.rect["y"] for sample in samples] == [samples[0].rect["y"]] * 2
    assert samples[0].get_property("src") != samples[1].get_property("src")
    samples[1].click()
    shown = one(opened, "#over img")
    until(opened, lambda: shown.get_property("src") == samples[1].get_property("src"))
    assert one(opened, "#samples [aria-pressed=true]").text == "Sample 2"


def paper(browser: Any) -> float:
    return float(shot(browser, "header h1").max(axis=2)[0, -1])


def test_light_and_dark(opened: Any, page: Path) -> None:
    features = [{"name": "prefers-color-scheme", "value": "dark"}]
    assert paper(opened) > 230
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    assert paper(opened) < 40
    button = one(opened, "#theme")
    assert button.get_attribute("aria-label") == "Switch to light"
    button.click()
    until(opened, lambda: paper(opened) > 230)
    assert button.get_attribute("aria-label") == "Switch to dark"

    def again() -> float:
        open_page(opened, page)
        return paper(opened)

    # What was chosen is kept; the browser stores it in its time.
    until(opened, lambda: again() > 230)
    opened.execute_script("localStorage.clear()")
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_hostile_names_are_shown_as_they_are(browser: Any, make_entry: Make, page: Path) -> None:
    name = "</script><img src=x onerror=\"document.title='broken'\">"
    fields: dict[str, Any] = dict.fromkeys(("task", "image", "method"), name)
    write_page(page, [make_entry(**fields, options={name: name})], title=name, facts={name: name})
    open_page(browser, page)
    assert browser.title == name
    assert one(browser, "#method").text == name
    assert one(browser, "#options").text == f"{name}\n{name}"


def test_one_reconstruction_has_no_table(browser: Any, make_entry: Make, page: Path) -> None:
    pictures = {"reconstruction": torch.rand(3, 8, 12)}
    write_page(page, [make_entry(pictures=pictures, samples=None)], title="Results")
    open_page(browser, page)
    assert not one(browser, "#results").is_displayed()
    assert not one(browser, "#steps").is_displayed()
    assert not one(browser, "#scale").is_displayed()
    assert not one(browser, "#drawn").is_displayed()
    stage = one(browser, "#stage").rect
    assert stage["width"] / stage["height"] == pytest.approx(1.5, abs=0.01)


def test_a_small_screen_does_not_scroll_sideways(opened: Any) -> None:
    metrics = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    width = opened.execute_script("return document.documentElement.scrollWidth")
    opened.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width == 400


def test_a_large_run_opens_quickly(browser: Any, make_entry: Make, page: Path) -> None:
    """20 images, 5 tasks, 4 methods: noise, of which no page of that many pictures is larger."""
    entries = [
        make_entry(
            task=f"task {task}",
            image=f"image {image}",
            method=f"method {method}",
            size=128,
            seed=method + 10 * image,
            samples=None,
            figures={f"figure {k}": task + image / (1 + method) for k in range(12)},
        )
        for image in range(20)
        for task in range(5)
        for method in range(4)
    ]
    write_page(page, entries, title="Results")
    start = time.perf_counter()
    open_page(browser, page)
    assert time.perf_counter() - start < OPENS_WITHIN
    assert len(column(browser, 0)) == 400
