"""What the command line does not say is that of the calibration, told where it is no default."""

from __future__ import annotations

from typing import Any

from invscore.calibration.adopted import Choices, adopted
from invscore.calibration.record import Calibration
from invscore.methods import METHODS

DEFAULT = METHODS["hqs"].defaults["lam"]
SILENT: dict[str, Any] = {
    "method": None,
    "options": {},
    "samples": None,
    "noise": None,
    "scale": None,
}


def made(**setting: Any) -> Calibration:
    return Calibration(level=0.9, factor=1.2, setting=setting, images=())


def test_a_silent_command_takes_all_and_tells_what_is_no_default() -> None:
    options = {"steps": 7, "lam": DEFAULT}
    calibration = made(method="hqs", options=options, samples=3, noise=0.02, scale="auto")
    found, told = adopted(calibration, Choices(**SILENT))
    assert found == Choices("hqs", options, 3, 0.02, "auto")
    assert told == "method hqs, samples 3, noise 0.02, steps 7"


def test_what_was_said_is_kept_and_not_told() -> None:
    calibration = made(method="hqs", options={"steps": 7, "lam": 2.0}, samples=3)
    said = Choices(**SILENT | {"method": "hqs", "options": {"steps": 9}, "samples": 4})
    found, told = adopted(calibration, said)
    assert found == Choices("hqs", {"steps": 9, "lam": 2.0}, 4, None, None)
    assert told == "lam 2.0"


def test_options_are_not_those_of_another_method() -> None:
    calibration = made(method="hqs", options={"steps": 7, "lam": 2.0})
    found, told = adopted(calibration, Choices(**SILENT | {"method": "dps"}))
    assert (found.method, found.options, told) == ("dps", {}, "")
