"""An operator on images, for each slice of volumes."""

import pytest
import torch

from invscore.operators import (
    MRI,
    Blur,
    CompressedSensing,
    Inpainting,
    LinearOperator,
    PhaseRetrieval,
    Slicewise,
    SuperResolution,
)

generator = torch.Generator().manual_seed(0)
OPERATORS: dict[str, LinearOperator] = {
    "blur": Blur.gaussian(1.0, (2, 12, 9), boundary="valid"),
    "decimation": SuperResolution(3, (2, 12, 9)),
    "mask": Inpainting(torch.rand(2, 12, 9, generator=generator) < 0.5),
    "mixtures": CompressedSensing((2, 12, 9), ratio=0.2),
    "mri": MRI.random((2, 12, 9), acceleration=2, real=True),
}
X = torch.randn(2, 2, 4, 12, 9, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("name", OPERATORS)
def test_each_slice_is_measured_by_itself(name: str) -> None:
    operator = OPERATORS[name]
    volume = Slicewise(operator, 4)
    y = volume(X)
    assert tuple(y.shape[1:]) == volume.out_shape
    rho = torch.tensor([0.1, 2.0], dtype=torch.float64)
    back, fitted = volume.rmatvec(y), volume.ridge(y, rho)
    for k in range(4):
        slices = y[:, :, k] if y.ndim == 5 else y[:, k]
        torch.testing.assert_close(slices, operator(X[:, :, k]))
        torch.testing.assert_close(back[:, :, k], operator.rmatvec(slices))
        torch.testing.assert_close(fitted[:, :, k], operator.ridge(slices, rho))


def test_what_is_not_measured_is_so_in_each_slice() -> None:
    volume = Slicewise(OPERATORS["mask"], 4)
    assert volume.measured is not None
    inner = OPERATORS["mask"].measured
    assert inner is not None
    assert torch.equal(volume.measured, inner[:, None].expand(2, 4, 12, 9))


def test_masks_of_slices_are_those_of_images() -> None:
    masks = torch.rand(4, 12, 9, generator=generator) < 0.5
    mri, holes = MRI(masks, (2, 4, 12, 9)), Inpainting(masks, (2, 4, 12, 9))
    for k in range(4):
        one = MRI(masks[k], (2, 12, 9))
        torch.testing.assert_close(mri(X + 0j)[:, :, k], one(X[:, :, k] + 0j))
        torch.testing.assert_close(holes(X)[:, :, k], masks[k] * X[:, :, k])


def test_what_has_no_slices_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a linear one on images"):
        Slicewise(PhaseRetrieval((1, 8, 8)), 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`depth` must be at least 1, got 0"):
        Slicewise(OPERATORS["blur"], 0)
