"""Operator specifications: what is understood, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from invscore.options.literals import literal, parse_assignment
from invscore.tasks.specs import Spec, parse_spec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("deblur", Spec("deblur")),
        (" deblur ( ) ", Spec("deblur")),
        ("deblur(sigma=3, boundary=reflect)", Spec("deblur", {"sigma": 3, "boundary": "reflect"})),
        ("blur(kernel=a/k-1.png)", Spec("blur", {"kernel": "a/k-1.png"})),
        ("blur(kernel='a, (b).png')", Spec("blur", {"kernel": "a, (b).png"})),
        (
            "box(size=(8, 16), position=[0,1],)",
            Spec("box", {"size": (8, 16), "position": (0, 1)}),
        ),
        ("my.py:Op", Spec("Op", {}, Path("my.py"))),
        ("../a b/my.py:Op(a=1)", Spec("Op", {"a": 1}, Path("../a b/my.py"))),
        (r"C:\x\my.py:Op", Spec("Op", {}, Path(r"C:\x\my.py"))),
    ],
)
def test_specifications(text: str, spec: Spec) -> None:
    assert parse_spec(text) == spec


@pytest.mark.parametrize(
    "text", ["", "deblur(", "deblur(sigma)", "deblur(=3)", "a b", "my.py:", "f(x)(y)"]
)
def test_malformed_specifications(text: str) -> None:
    with pytest.raises(ValueError, match=r"operator must be NAME|must be option=value"):
        parse_spec(text)


def test_an_option_given_twice() -> None:
    with pytest.raises(ValueError, match="sigma is given twice"):
        parse_spec("deblur(sigma=1, sigma=2)")


def test_literals_have_the_type_they_show() -> None:
    texts = ("1", "-2", "1.5", "1e-3", "true", "False", "none", "'1'", "(1, 2.0, (a, b))", "k.png")
    values = [1, -2, 1.5, 1e-3, True, False, None, "1", (1, 2.0, ("a", "b")), "k.png"]
    found = [literal(text) for text in texts]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_nothing_is_evaluated(tmp_path: Path) -> None:
    victim = tmp_path / "was-run"
    code = f"__import__('pathlib').Path('{victim}').touch()"
    assert parse_assignment(f"a={code}", "here") == ("a", code)
    assert not victim.exists()
