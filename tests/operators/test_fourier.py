"""Sizes that the fast Fourier transform likes."""

from __future__ import annotations

from itertools import product

from scipy.fft import next_fast_len

from invscore.operators.fourier import fast_size


def test_a_fast_size_is_even_and_a_product_of_2_3_and_5() -> None:
    good = sorted(2 * 2**a * 3**b * 5**c for a, b, c in product(range(12), range(8), range(6)))
    for size in range(1, 1500):
        assert fast_size(size) == next(n for n in good if n >= size)
    assert fast_size(4097) == 2 * next_fast_len(2049, real=True)
