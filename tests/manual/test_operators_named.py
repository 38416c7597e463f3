"""Every operator that a page names on a command line is one, with options that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from invscore.tasks.builtin import check_options
from invscore.tasks.specs import parse_spec

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMED = re.compile(r"""--op (?:"([^"]+)"|'([^']+)'|([\w.:/-]+))""")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_operators_of_a_page(page: Path) -> None:
    for found in NAMED.findall(page.read_text(encoding="utf-8")):
        text = "".join(found)
        if ":" in text or "..." in text or text == "binning":  # of the reader's own
            continue
        spec = parse_spec(text)
        check_options(spec.name, spec.options)


def test_they_are_found() -> None:
    found = {"".join(each) for page in PAGES for each in NAMED.findall(page.read_text("utf-8"))}
    assert {"deblur", "deblur(sigma=1.6)", "inpaint(mask=mask.png)"} <= found
    assert len(found) > 40
