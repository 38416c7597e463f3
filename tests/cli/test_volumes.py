"""Volumes of one file, restored as such."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from typer.testing import Result

from invscore.operators.coils import birdcage_maps

Run = Callable[..., Result]

AFFINE = np.array([[-1, 0.1, 0, 9], [0, 1, 0.2, -4], [0, 0, 1.5, 2], [0, 0, 0, 1.0]])


@pytest.fixture
def volume(folder: Path) -> np.ndarray:
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in (8, 20, 16)], indexing="ij")
    clean = (z**2 + y**2 + x**2 < 0.6).astype(np.float32)
    noisy = clean + 0.05 * np.random.default_rng(0).standard_normal(clean.shape)
    noisy = noisy.astype(np.float32)
    nibabel.Nifti1Image(noisy.transpose(1, 2, 0), AFFINE).to_filename(folder / "vol.nii.gz")
    return noisy


def test_a_nifti_volume_comes_back_as_one(reconstruct: Run, volume: np.ndarray) -> None:
    result = reconstruct(
        *("--op", "denoise", "--measurement", "vol.nii.gz", "--volume", "z"),
        *("--noise", "0.05", "--samples", "2", "--out", "out"),
    )
    assert result.exit_code == 0, result.output
    back = nibabel.load("out/reconstruction.nii.gz")
    spread = nibabel.load("out/std.nii.gz")
    assert back.shape == spread.shape == (20, 16, 8)
    np.testing.assert_allclose(back.affine, AFFINE, atol=1e-6)
    arrays = np.load("out/arrays.npz")
    assert arrays["mean"].shape == (1, 8, 20, 16)
    np.testing.assert_allclose(back.get_fdata().transpose(2, 0, 1), arrays["mean"][0], atol=1e-6)
    np.testing.assert_array_equal(arrays["y"][0], volume)
    assert {"reconstruction.png", "std.png", "figure.png"} <= {
        f.name for f in Path("out").iterdir()
    }


def test_blur_of_slices_and_estimated_noise(reconstruct: Run, volume: np.ndarray) -> None:  # noqa: ARG001
    result = reconstruct(
        *("--op", "deblur(sigma=0.7)", "--measurement", "vol.nii.gz", "--volume", "z"),
        *("--planes", "hw", "--samples", "1", "--out", "out"),
    )
    assert result.exit_code == 0, result.output
    assert nibabel.load("out/reconstruction.nii.gz").shape == (20, 16, 8)


def test_a_stack_of_images_is_a_volume_where_its_axes_are_said(
    reconstruct: Run, volume: np.ndarray
) -> None:
    np.save("stack.npy", volume)
    tifffile.imwrite(
        "stack.ome.tif", volume, ome=True, metadata={"axes": "ZYX", "PhysicalSizeZ": 3.0}
    )
    for given in (("stack.npy", "--axes", "zhw"), ("stack.ome.tif",)):
        result = reconstruct(
            *("--op", "denoise", "--volume", "z", "--noise", "0.05", "--samples", "1"),
            *("--measurement", *given, "--out", "out", "--overwrite"),
        )
        assert result.exit_code == 0, result.output
        assert np.load("out/arrays.npz")["mean"].shape == (1, 8, 20, 16)
    with tifffile.TiffFile("out/reconstruction.tif") as opened:
        assert opened.series[0].axes == "ZYX"
        assert 'PhysicalSizeZ="3.0"' in (opened.ome_metadata or "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--volume", "t"), "volume must name an axis of slices of 'vol.nii.gz'"),
        (("--volume", "h"), "`volume` must be the letter of an axis of slices"),
        (("--volume", "zt"), "`volume` must be the letter of an axis of slices"),
        (("--planes", "hw"), "`planes` are those of a --volume"),
        (("--volume", "z", "--planes", "xy"), "`planes` must be some of hw, dw, dh"),
        (("--volume", "z", "--index", "z=3"), "index must not choose along z"),
        (("--volume", "z", "--index", "0"), "index must be left out, as no axis of 'vol.nii.gz'"),
        (("--volume", "z", "--op", "hdr"), "must be linear for volumes"),
    ],
)
def test_what_is_no_volume_is_refused(
    reconstruct: Run,
    volume: np.ndarray,  # noqa: ARG001
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    operator = () if "--op" in arguments else ("--op", "denoise")
    result = reconstruct(
        *operator, "--measurement", "vol.nii.gz", "--noise", "0.05", "--out", "out", *arguments
    )
    assert result.exit_code == 2, result.output
    assert sentence in " ".join(result.output.split())
    assert not Path("out").exists()


@pytest.mark.parametrize("told", ["file", "zeros"])
def test_a_scan_of_three_dimensions(reconstruct: Run, volume: np.ndarray, told: str) -> None:
    """Phase encodings along two axes, each line read as a whole along the third."""
    depth, height, _ = volume.shape
    seen = np.random.default_rng(0).random((depth, height)) < 0.7
    seen[depth // 2, height // 2] = True
    whole = np.fft.fftn(np.fft.ifftshift(volume), norm="ortho")
    np.save("k.npy", (np.fft.fftshift(whole) * seen[..., None]).astype(np.complex64))
    np.save("mask.npy", seen)
    mask = ", mask=mask.npy" if told == "file" else ""
    options = ("--axes", "zhw", "--volume", "z", "--noise", "0.01", "--steps", "2", "--out", "o")
    done = reconstruct("--op", f"mri(dimensions=3{mask})", "--measurement", "k.npy", *options)
    assert done.exit_code == 0, done.output
    arrays = np.load("o/arrays.npz")
    assert arrays["mean"].shape == (1, *volume.shape)
    again = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(arrays["mean"][0]), norm="ortho"))
    off = (again - np.load("k.npy"))[seen]
    assert np.sqrt(np.mean(np.abs(off) ** 2)) < 0.03  # k-space itself is 0.4
    done = reconstruct("--op", "mri(dimensions=3)", "--measurement", "k.npy", "--index", "0")
    assert done.exit_code == 2
    assert "got 3: give --volume z" in " ".join(done.output.split())


@pytest.mark.parametrize("maps", ["(maps=maps.cfl)", ""])
def test_coils_in_three_dimensions(reconstruct: Run, volume: np.ndarray, maps: str) -> None:
    """BART's z of k-space are phase encodings, and not slices, of which the user has to know."""
    pytest.importorskip("sigpy")
    depth, _, width = volume.shape
    seen = np.random.default_rng(0).random((depth, 1, width)) < 0.5
    seen[..., 4:12] = True
    sensitivities, axes = birdcage_maps(4, *volume.shape).numpy(), (1, 2, 3)
    whole = np.fft.fftn(np.fft.ifftshift(sensitivities * volume, axes), axes=axes, norm="ortho")
    write_bart("k", np.fft.fftshift(whole, axes) * seen)
    write_bart("maps", sensitivities)

    def run(op: str, *options: str) -> str:
        given = ("--noise", "0.05", "--steps", "2", "--samples", "1", "--out", "o", "--overwrite")
        done = reconstruct("--op", op, "--measurement", "k.cfl", *given, *options)
        assert done.exit_code == (0 if options else 2), done.output
        return " ".join(done.output.split())

    told = run(f"multicoil-mri{maps}")
    assert "its partitions along z: give --volume z, or 'multicoil-mri(dimensions=2)' if" in told
    assert not Path("o").exists()
    for op in (f"multicoil-mri{maps}", "multicoil-mri(dimensions=2)"):
        told = run(op, "--volume", "z")
        mean = np.load("o/arrays.npz")["mean"][0]
        right = op != "multicoil-mri(dimensions=2)"
        assert ("z of 'k.cfl' counts as phase encodings" in told) == right
        assert mean.shape == volume.shape
        assert (np.sqrt(np.mean((mean - volume) ** 2)) < 0.15) == right  # 0.09 to 0.11, and 0.3


def write_bart(name: str, values: np.ndarray) -> None:
    """An array (coils, d, h, w)."""
    turned = values.transpose(2, 3, 1, 0).astype(np.complex64)
    sizes = " ".join(map(str, (*turned.shape, *[1] * 12)))
    Path(f"{name}.hdr").write_text(f"# Dimensions\n{sizes}\n")
    turned.ravel(order="F").tofile(f"{name}.cfl")
