"""Forward models of deepinv by the names of their classes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from invscore.operators import check_operator
from invscore.operators.real_images import is_of_real_images
from invscore.tasks.custom import load_custom
from invscore.tasks.random_options import require_known
from invscore.tasks.specs import parse_spec
from invscore.tasks.task import fit_operator, make_operator

pytest.importorskip("deepinv")


def test_names_and_options(tmp_path: Path) -> None:
    spec = parse_spec("deepinv:Downsampling(factor=2, filter=gaussian)")
    assert spec.is_plugin
    operator = load_custom(spec.address, spec.options, (1, 12, 8))
    assert operator.out_shape == (1, 6, 4)
    np.save(tmp_path / "mask.npy", np.eye(8))
    spec = parse_spec(f"deepinv:MRI(mask={tmp_path / 'mask.npy'})")
    operator = load_custom(spec.address, spec.options, (1, 8, 8))
    assert operator.in_complex
    assert torch.equal(operator.measured, torch.eye(8, dtype=torch.bool)[None])


def test_a_seed_says_what_is_drawn() -> None:
    first, second = (
        load_custom("deepinv:Inpainting", {"mask": 0.5, "seed": seed}, (1, 8, 8)) for seed in (0, 1)
    )
    assert not torch.equal(first.measured, second.measured)
    with pytest.raises(ValueError, match="would draw at random what only you know"):
        require_known(parse_spec("deepinv:Inpainting(mask=0.5)"))
    require_known(parse_spec("deepinv:Inpainting(mask=0.5, seed=3)"))
    require_known(parse_spec("deepinv:BlurFFT"))


def test_a_function_of_ones_own_may_return_a_physics(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from deepinv.physics import Decolorize\n\n\ndef make():\n    return Decolorize()\n"
    )
    assert load_custom(f"{file}:make", {}, (3, 4, 5)).out_shape == (1, 4, 5)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Tomographyy", {}, "must name a class of deepinv.physics .* did you mean 'Tomography'"),
        ("MRI", {"masks": 1}, "has no option 'masks': it has .* did you mean 'mask'"),
        ("MRI", {"mask": "none.png"}, "`mask` must be a file or numbers, got 'none.png'"),
        ("CompressedSensing", {}, "needs an option 'm'"),
        ("Blur", {"padding": "wrong"}, "`img_size` must be that of images which Blur takes"),
        ("MRI", {"mask": "complex.npy"}, "operator 'deepinv:MRI' fails: RuntimeError: .*Complex"),
    ],
)
def test_errors(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: dict[str, object],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("complex.npy", np.ones((8, 8), np.complex64))
    with pytest.raises(ValueError, match=message):
        load_custom(f"deepinv:{name}", options, (1, 8, 8))


def test_an_adjoint_that_is_off_is_differentiated() -> None:
    """As deepinv 0.5 has it of its spectral cameras."""
    with pytest.warns(UserWarning, match="'deepinv:CompressiveSpectralImaging' has an adjoint in"):
        camera = load_custom("deepinv:CompressiveSpectralImaging", {"seed": 0}, (3, 8, 8))
    assert check_operator(camera).ok


@pytest.mark.parametrize("name", ["MRI", "Ptychography"])
def test_complex_images_may_be_real_ones(name: str) -> None:
    """Where the prior's are: with all that nothing else has to be said."""
    spec = parse_spec(f"deepinv:{name}")
    assert make_operator(fit_operator(spec, complex_valued=True), (1, 32, 32)).in_complex
    operator = make_operator(fit_operator(spec, complex_valued=False), (1, 32, 32))
    assert not operator.in_complex
    assert is_of_real_images(operator)
    assert check_operator(operator).ok


def test_what_is_left_out_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "filters.npy", np.ones((1, 1, 2, 3, 3), np.float32))
    spec = parse_spec(f"deepinv:SpaceVaryingBlur(filters={tmp_path / 'filters.npy'})")
    with pytest.raises(ValueError, match=r"^`img_size` must .* \(multipliers not given\)$"):
        load_custom(spec.name, spec.options, (1, 8, 8))
