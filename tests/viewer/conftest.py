"""Entries to show, and a browser to look at pages with."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from invscore.viewer import Entry

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--hide-scrollbars",
)


@pytest.fixture
def make_entry() -> Callable[..., Entry]:
    """``make_entry(**fields)``: an entry with all pictures of 16 x 16 pixels, of random shades."""

    def make(*, size: int = 16, seed: int = 0, **given: Any) -> Entry:
        generator = torch.Generator().manual_seed(seed)

        def shades(*shape: int) -> torch.Tensor:
            return torch.rand(shape, generator=generator)

        fields: dict[str, Any] = {
            "task": "blur",
            "image": "camera",
            "method": "dps",
            "pictures": {
                "measurement": shades(1, size // 2, size // 2),
                "reconstruction": shades(1, size, size),
                "truth": shades(1, size, size),
                "uncertainty": 0.1 * shades(1, size, size),
            },
            "samples": shades(2, 1, size, size),
            "figures": {"psnr": 20.0},
            "options": {"steps": 50},
            "seed": seed,
        }
        return Entry(**(fields | given))

    return make


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium without a window, all of whose log is kept."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("chromium and chromedriver are not installed")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    driver.set_window_size(1300, 900)
    yield driver
    driver.quit()


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "index.html"
