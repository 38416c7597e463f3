"""The examples in docstrings of public names run, and say what comes out."""

from __future__ import annotations

import doctest
import importlib
import inspect

import pytest

NAMES = {
    "invscore": """
        GaussianMixturePrior GaussianNoise GaussianPrior InverseProblem NetworkPrior PoissonNoise
        Prior Result estimate_noise exact_posterior load_prior reconstruct simulate
    """,
    "invscore.operators": """
        Blur CompressedSensing Identity Inpainting LinearOperator MRI NonlinearOperator Operator
        PhaseRetrieval SuperResolution Tomography check_operator from_function from_matrix jacobian
        stack
    """,
    "invscore.priors": "DenoiserPrior StationaryGaussianPrior available_priors check_prior",
    "invscore.methods": "get_method",
    "invscore.metrics": "psnr",
    "invscore.sampling": "sample",
}
CASES = [(package, name) for package, names in NAMES.items() for name in names.split()]


@pytest.mark.parametrize(("package", "name"), CASES)
def test_examples_run(package: str, name: str) -> None:
    thing = getattr(importlib.import_module(package), name)
    text = inspect.getdoc(thing) or ""
    test = doctest.DocTestParser().get_doctest(text, {}, name, thing.__module__, 0)
    said: list[str] = []
    done = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(
        test, out=said.append, clear_globs=False
    )
    assert done.attempted > 0, "no example"
    assert done.failed == 0, "".join(said)
