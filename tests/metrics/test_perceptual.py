"""LPIPS with weights of no training, put where torchvision would keep its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from invscore.metrics import lpips, lpips_unavailable, perceptual

reference_package = pytest.importorskip("lpips")
torchvision = pytest.importorskip("torchvision")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of torch's hub that has SqueezeNet and nothing else."""
    folder = tmp_path_factory.mktemp("hub")
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(folder))
    (folder / "checkpoints").mkdir()
    torch.manual_seed(0)
    weights = torchvision.models.squeezenet1_1(weights=None).state_dict()
    torch.save(weights, folder / "checkpoints" / "squeezenet1_1-b8a52dc0.pth")
    perceptual._model.cache_clear()
    yield folder
    torch.hub.set_dir(before)
    perceptual._model.cache_clear()


def image(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.usefixtures("cache")
def test_it_is_that_of_the_package_on_images_from_minus_one_to_one() -> None:
    a, b = image(0, 2, 3, 48, 40), image(1, 2, 3, 48, 40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = reference_package.LPIPS(net="squeeze", verbose=False)
    expected = model(2 * a - 1, 2 * b - 1).flatten().detach()
    found = lpips(a, b, network="squeeze")
    assert found is not None
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-7)
    assert found.min() > 0
    torch.testing.assert_close(lpips(4 * a, 4 * b, 4, "squeeze"), found)
    torch.testing.assert_close(lpips(a, a, network="squeeze"), torch.zeros(2))


@pytest.mark.usefixtures("cache")
def test_gray_and_complex_images_and_those_out_of_range() -> None:
    a, b = image(0, 1, 1, 32, 32), image(1, 1, 1, 32, 32)
    found = lpips(a, b, network="squeeze")
    assert found is not None
    for x, y in ((a.expand(1, 3, 32, 32), b.expand(1, 3, 32, 32)), (1j * a, -b + 0j)):
        torch.testing.assert_close(lpips(x, y, network="squeeze"), found)
    above = torch.where(a > 0.9, 5.0, a)
    shown = torch.where(a > 0.9, 1.0, a)
    torch.testing.assert_close(
        lpips(above, b, network="squeeze"), lpips(shown, b, network="squeeze")
    )


def test_without_weights_nothing_is_downloaded(cache: Path) -> None:
    assert lpips_unavailable("squeeze") is None
    sentence = lpips_unavailable()
    assert sentence is not None
    assert "alexnet-owt-7be5be79.pth are not in torch's hub cache" in sentence
    assert lpips(image(0, 1, 1, 32, 32), image(1, 1, 1, 32, 32)) is None
    assert [file.name for file in (cache / "checkpoints").iterdir()] == [
        "squeezenet1_1-b8a52dc0.pth"
    ]


def test_without_the_package_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invscore.metrics.pretrained.find_spec", lambda name: None)
    assert lpips_unavailable() == "LPIPS is not measured: the package torchvision is not installed"


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="`x` and `reference` must have the same shape"):
        lpips(torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 40))
    with pytest.raises(ValueError, match="at least 32 pixels a side"):
        lpips(torch.zeros(1, 1, 32, 31), torch.zeros(1, 1, 32, 31))
