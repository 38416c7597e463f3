"""The Frechet distance against closed forms; FID where the features are known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from invscore.metrics import fid, fid_unavailable, frechet, frechet_distance

F64 = torch.float64


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def test_gaussian_laws_that_commute() -> None:
    # In common axes the distance is |m - m'|^2 + sum (s_i - s'_i)^2.
    axes = torch.linalg.qr(normal(4, 4)).Q
    a, b = torch.tensor([[1.0, 2, 0, 3], [2.0, 2, 1, 0]], dtype=F64)
    means = normal(2, 4, seed=1)
    covariances = [(axes * s**2) @ axes.T for s in (a, b)]
    expected = float((means[0] - means[1]).square().sum() + (a - b).square().sum())
    found = frechet_distance(means[0], covariances[0], means[1], covariances[1])
    assert found == pytest.approx(expected, abs=1e-10)


def test_gaussian_laws_that_do_not_commute() -> None:
    # C_b = T C_a T for a symmetric positive T: x -> T x is the optimal map between them.
    root, other = normal(3, 3), normal(3, 3, seed=1)
    cov, t = root @ root.T, other @ other.T
    identity = torch.eye(3, dtype=F64)
    expected = float(((t - identity) @ cov @ (t - identity)).trace())
    zero = torch.zeros(3, dtype=F64)
    assert frechet_distance(zero, cov, zero, t @ cov @ t) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(zero, t @ cov @ t, zero, cov) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(zero, cov, zero, cov) == pytest.approx(0, abs=1e-9)


def brightness(images: Tensor) -> Tensor:
    return images.mean(dim=(2, 3))


def test_fid_of_known_features() -> None:
    # Equal channels with values 0.2 +- d and 0.6 +- e: law along (1, 1, 1), singular covariance.
    low = torch.tensor([0.1, 0.3])[:, None, None, None].expand(2, 1, 8, 8)
    high = torch.tensor([0.4, 0.8])[:, None, None, None].expand(2, 1, 8, 8)
    spread = 2**0.5 * (0.2 - 0.1)
    expected = 3 * (0.4**2 + spread**2)
    assert fid(low, high, features=brightness) == pytest.approx(expected, abs=1e-6)
    assert fid(4 * low, 4 * high, peak=4, features=brightness) == pytest.approx(expected, abs=1e-6)
    assert fid(1j * low, high, features=brightness) == pytest.approx(expected, abs=1e-6)
    assert fid(low, 2 * high, features=brightness) == pytest.approx(
        3 * (0.7**2 + (2**0.5 * 0.1 - 0.2 / 2**0.5) ** 2), abs=1e-6
    )  # 0.8 and 1.6 are shown as 0.8 and 1


def test_images_are_looked_at_a_few_at_a_time() -> None:
    images = torch.rand(70, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    sizes = []

    def features(part: Tensor) -> Tensor:
        sizes.append(len(part))
        return part.flatten(1)[:, :3]

    assert fid(images, images.flip(0), features=features) == pytest.approx(0, abs=1e-6)
    assert max(sizes) <= frechet.TOGETHER
    assert sum(sizes) == 140


@pytest.fixture
def empty_cache(tmp_path: Path) -> Iterator[Path]:
    pytest.importorskip("torchvision")
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    yield tmp_path / "checkpoints"
    torch.hub.set_dir(before)


def test_without_weights_there_is_no_fid(empty_cache: Path) -> None:
    images = torch.rand(3, 1, 8, 8)
    assert fid(images, images) is None
    sentence = fid_unavailable()
    assert sentence is not None
    assert "inception_v3_google-0cc3c7bd.pth" in sentence
    assert list(empty_cache.iterdir()) == []


def test_inception_sees_what_it_was_trained_on(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (empty_cache / "inception_v3_google-0cc3c7bd.pth").touch()
    seen = []

    def network(images: Tensor) -> Tensor:
        seen.append(images)
        return images.mean(dim=(2, 3))

    monkeypatch.setattr(frechet, "_network", lambda: network)
    images = torch.tensor([0.5, 0.7])[:, None, None, None].expand(2, 1, 8, 8)
    assert fid(images, images) == pytest.approx(0, abs=1e-9)
    assert seen[0].shape == (2, 3, 299, 299)
    # ImageNet's mean and deviation of red are 0.485 and 0.229, of blue 0.406 and 0.225.
    assert seen[0][0, 0].mean().item() == pytest.approx((0.5 - 0.485) / 0.229, abs=1e-4)
    assert seen[0][1, 2].mean().item() == pytest.approx((0.7 - 0.406) / 0.225, abs=1e-4)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="`references` must have at least 2 images, got 1"):
        fid(torch.zeros(2, 1, 8, 8), torch.zeros(1, 1, 8, 8), features=brightness)
    with pytest.raises(
        ValueError, match=r"must have shape \(n, 1 or 3, h, w\), got \(2, 2, 8, 8\)"
    ):
        fid(torch.zeros(2, 2, 8, 8), torch.zeros(2, 2, 8, 8), features=brightness)
    with pytest.raises(ValueError, match="`peak` must be a positive number, got 0"):
        fid(torch.zeros(2, 1, 8, 8), torch.zeros(2, 1, 8, 8), peak=0, features=brightness)
