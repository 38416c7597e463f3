"""Operators of PyLops, SciPy, SigPy, ODL, ASTRA, mri-nufft, torchkbnufft and pytorch-finufft."""

import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.sparse import random as random_sparse
from scipy.sparse.linalg import aslinearoperator
from torch import Tensor, nn

from invscore.operators import (
    MRI,
    LinearOperator,
    check_operator,
    from_finufft,
    from_function,
    from_mri_nufft,
    from_odl,
    from_pylops,
    from_scipy,
    from_sigpy,
    from_torchkbnufft,
)
from invscore.operators.adapters import adapt


def sparse() -> LinearOperator:
    matrix = random_sparse(5, 6, density=0.5, random_state=0, format="csr")
    return from_scipy(matrix, (1, 2, 3), (5,))


def dense() -> LinearOperator:
    return from_scipy(np.arange(12, dtype=complex).reshape(3, 4), (4,), (3,))


def astra() -> LinearOperator:
    toolbox = pytest.importorskip("astra")
    volume = toolbox.create_vol_geom(8, 8)
    angles = np.linspace(0, np.pi, 5, endpoint=False)
    geometry = toolbox.create_proj_geom("parallel", 1.0, 12, angles)
    projector = toolbox.create_projector("linear", geometry, volume)
    return from_scipy(toolbox.OpTomo(projector), (1, 8, 8), (1, 5, 12))


def pylops(name: str) -> Callable[[], LinearOperator]:
    def make() -> LinearOperator:
        lib = pytest.importorskip("pylops")
        return from_pylops(
            {
                "gradient": lambda: lib.Gradient((6, 7)),
                "fft2": lambda: lib.signalprocessing.FFT2D((8, 6)),
                "real fft2": lambda: lib.signalprocessing.FFT2D((8, 6), real=True),
                "fft2 of real": lambda: lib.signalprocessing.FFT2D((8, 6), dtype=np.float64),
                "single": lambda: lib.Laplacian((6, 7), dtype=np.float32),
                "real part": lambda: lib.Real((6, 7)),
            }[name]()
        )

    return make


def sigpy(name: str) -> Callable[[], LinearOperator]:
    def make() -> LinearOperator:
        lib = pytest.importorskip("sigpy")
        maps = np.random.default_rng(0).normal(size=(3, 8, 6)) + 0j
        points = 3 * np.random.default_rng(1).normal(size=(20, 2))
        operator = {
            "fft": lib.linop.FFT((8, 6)),
            "sense": pytest.importorskip("sigpy.mri").linop.Sense(maps),
            "nufft": lib.linop.NUFFT((8, 6), points),
        }[name]
        return from_sigpy(operator)

    return make


def odl() -> LinearOperator:
    lib = pytest.importorskip("odl")
    space = lib.uniform_discr([0, 0], [1, 2], (6, 7))
    return from_odl(lib.PartialDerivative(space, axis=0))


def mri_nufft() -> LinearOperator:
    lib = pytest.importorskip("mrinufft")
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (30, 2)).astype(np.float32)
    maps = (np.random.default_rng(1).normal(size=(3, 8, 6)) + 0j).astype(np.complex64)
    return from_mri_nufft(lib.get_operator("finufft")(points, (8, 6), n_coils=3, smaps=maps))


def torchkbnufft() -> LinearOperator:
    lib = pytest.importorskip("torchkbnufft")
    omega = 3 * (2 * torch.rand(2, 30, generator=torch.Generator().manual_seed(0)) - 1)
    return from_torchkbnufft(lib.KbNufft(im_size=(8, 6)), omega, (1, 8, 6))


def frequencies(n: int = 30) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.pi * (2 * torch.rand(2, n, generator=generator, dtype=torch.float64) - 1)


def scico(name: str) -> Callable[[], LinearOperator]:
    def make() -> LinearOperator:
        linop = pytest.importorskip("scico.linop")
        made = {
            "differences": lambda: linop.FiniteDifference((8, 6), append=0),
            "fft": lambda: linop.DFT((8, 6), norm="ortho"),
        }
        return adapt(made[name]())  # type: ignore[no-any-return]

    return make


def finufft() -> LinearOperator:
    pytest.importorskip("pytorch_finufft")
    return from_finufft(frequencies(), (2, 8, 6))


MADE = {
    "scipy, sparse": sparse,
    "scipy, matrix": dense,
    "astra": astra,
    **{f"pylops, {n}": pylops(n) for n in ("gradient", "fft2", "real fft2", "fft2 of real")},
    **{f"pylops, {n}": pylops(n) for n in ("single", "real part")},
    **{f"sigpy, {n}": sigpy(n) for n in ("fft", "sense", "nufft")},
    "odl": odl,
    "scico, differences": scico("differences"),
    "scico, fft": scico("fft"),
    "mri-nufft": mri_nufft,
    "torchkbnufft": torchkbnufft,
    "pytorch-finufft": finufft,
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("name", MADE)
def test_operators_of_libraries_keep_the_contract(name: str) -> None:
    report = check_operator(MADE[name]())
    assert report.ok, str(report)


@pytest.mark.parametrize(
    ("name", "is_complex"),
    [
        ("pylops, gradient", (False, False)),
        ("pylops, fft2", (True, True)),
        ("pylops, real fft2", (False, True)),
        ("pylops, fft2 of real", (False, True)),
        ("pylops, real part", (True, False)),
        ("scipy, matrix", (True, True)),
    ],
)
def test_what_is_complex(name: str, is_complex: tuple[bool, bool]) -> None:
    operator = MADE[name]()
    assert (operator.in_complex, operator.out_complex) == is_complex


def test_single_precision_is_known() -> None:
    """ASTRA's adjoint is right to 2e-9 only: it is judged in the precision that it has."""
    assert astra().precision == torch.float32
    # A wrapper by hand, that says nothing, is found out by what it does.
    inner = astra()

    class Silent(LinearOperator):
        in_shape, out_shape = inner.in_shape, inner.out_shape

        def matvec(self, x: Tensor) -> Tensor:
            return inner.matvec(x.float()).to(x.dtype)

        def rmatvec(self, y: Tensor) -> Tensor:
            return 3.0 * inner.rmatvec(y.float()).to(y.dtype) / 3.0

    assert check_operator(Silent()).ok

    class Wrong(Silent):
        def rmatvec(self, y: Tensor) -> Tensor:
            return 1.01 * super().rmatvec(y)

    assert not check_operator(Wrong()).ok


def test_finufft_is_the_fourier_sum() -> None:
    pytest.importorskip("pytorch_finufft")
    omega = frequencies(50)
    x = torch.randn(2, 1, 16, 16, dtype=torch.complex128)
    rows, columns = (torch.arange(16, dtype=torch.float64) - 8 for _ in range(2))
    angle = omega[0, :, None, None] * rows[:, None] + omega[1, :, None, None] * columns
    expected = torch.einsum("bchw,nhw->bcn", x, torch.polar(torch.ones_like(angle), -angle)) / 16
    torch.testing.assert_close(from_finufft(omega, (1, 16, 16))(x), expected, rtol=0, atol=1e-10)
    single = from_finufft(omega, (1, 16, 16))(x.to(torch.complex64))
    torch.testing.assert_close(single.to(x.dtype), expected, rtol=0, atol=1e-5)


def test_finufft_on_a_grid_is_mri() -> None:
    pytest.importorskip("pytorch_finufft")
    grid = torch.cartesian_prod(torch.arange(8) - 4, torch.arange(6) - 3).double().T
    omega = 2 * torch.pi * grid / torch.tensor([[8], [6]])
    x = torch.randn(2, 1, 8, 6, dtype=torch.complex128)
    expected = MRI(torch.ones(8, 6, dtype=torch.bool))(x).flatten(2)
    torch.testing.assert_close(from_finufft(omega, (1, 8, 6))(x), expected)


def test_picklable() -> None:
    for make in (sparse, dense, finufft, sigpy("sense")):
        operator = make()
        again = pickle.loads(pickle.dumps(operator))
        dtype = torch.complex64 if operator.in_complex else torch.float32
        x = torch.randn(2, *operator.in_shape, dtype=dtype)
        torch.testing.assert_close(again(x), operator(x))


def test_adapt_knows_the_libraries() -> None:
    lib = pytest.importorskip("sigpy")
    assert isinstance(adapt(lib.linop.FFT((4, 4))), LinearOperator)
    assert adapt(3) == 3


class Root(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.ones(1, 2, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.abs() + self.offset).sqrt()


def test_adapt_takes_matrices_and_modules() -> None:
    """A scientist's own: on images of a shape that has to be given, linear where they are."""
    matrix = np.arange(24.0).reshape(4, 6)
    x = torch.rand(2, 1, 2, 3, dtype=torch.float64)
    expected = x.flatten(1) @ torch.from_numpy(matrix).T
    kinds = (matrix, torch.from_numpy(matrix), csr_array(matrix))
    for made in (*kinds, aslinearoperator(matrix)):
        operator = adapt(made, (1, 2, 3))
        torch.testing.assert_close(operator(x), expected)
        assert check_operator(operator).ok
        with pytest.raises(ValueError, match=r"^`in_shape` must be given for a \w+, got None$"):
            adapt(made)
    for module, linear in ((nn.Conv2d(1, 2, 2, bias=False), True), (nn.Conv2d(1, 2, 2), False)):
        operator = adapt(module, (1, 4, 5))
        assert isinstance(operator, LinearOperator) == linear
        assert operator.out_shape == (2, 3, 4)
        assert not any(p.requires_grad for p in module.parameters())
    root = adapt(Root(), (1, 2, 3))
    assert not isinstance(root, LinearOperator)
    assert check_operator(root).ok


def test_a_module_moves_with_its_operator() -> None:
    network = nn.Conv2d(1, 2, 3, bias=False)
    operator = from_function(network, (1, 5, 6))
    assert operator.out_shape == (2, 3, 4)
    assert check_operator(operator).ok
    assert operator.to(dtype=torch.float64)(torch.rand(1, 1, 5, 6).double()).dtype == torch.float64
    assert network.weight.dtype == torch.float32


def test_functions_are_tried_where_their_tensors_are() -> None:
    weights = torch.ones(4, device="meta")
    operator = from_function(lambda x: weights * x, (4,))
    assert operator.out_shape == (4,)
    given = from_function(lambda x: x * 2, (4,), device="meta")
    assert given.out_shape == (4,)


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"`operator` must be a pylops.LinearOperator, got int"):
        from_pylops(3)
    with pytest.raises(ValueError, match=r"`linop` must be a sigpy.linop.Linop, got int"):
        from_sigpy(3)
    with pytest.raises(ValueError, match=r"`operator` must be a linear odl.Operator, got int"):
        from_odl(3)
    with pytest.raises(ValueError, match="must be a Fourier operator of mri-nufft, got int"):
        from_mri_nufft(3)
    with pytest.raises(ValueError, match=r"of shape \(2, n\) .*, got \(3, 4\)"):
        from_finufft(torch.zeros(3, 4), (1, 4, 4))


def test_gradients_of_odl_have_a_weight_for_each_axis() -> None:
    lib = pytest.importorskip("odl")
    space = lib.uniform_discr([0, 0], [1, 1], (12, 10), dtype="float32")
    assert check_operator(from_odl(lib.Gradient(space))).ok


def test_frequencies_in_three_dimensions_are_the_explicit_sum() -> None:
    """A kooshball: spokes in all directions."""
    pytest.importorskip("pytorch_finufft")
    generator = torch.Generator().manual_seed(0)
    spokes = torch.randn(3, 12, 1, dtype=torch.float64, generator=generator)
    omega = spokes / spokes.norm(dim=0) * torch.linspace(-torch.pi, torch.pi, 17)[:-1]
    omega, n = omega.flatten(1), 8
    x = torch.randn(1, 1, n, n, n, dtype=torch.complex128, generator=generator)
    places = torch.cartesian_prod(*[torch.arange(n, dtype=torch.float64) - n // 2] * 3)
    waves = torch.exp(-1j * (omega.T @ places.T)) / n**1.5
    operator = from_finufft(omega, (1, n, n, n))
    expected = waves @ x.flatten()
    assert (operator(x).flatten() - expected).abs().max() < 1e-5 * expected.abs().max()
    adjoint = (waves.mH @ expected).reshape(1, 1, n, n, n)
    found = operator.rmatvec(expected.reshape(1, 1, -1))
    assert (found - adjoint).abs().max() < 1e-5 * adjoint.abs().max()
    assert check_operator(operator).ok
