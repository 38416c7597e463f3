"""The time of our operators against the libraries that have them, on the same input.

    python examples/benchmarks/operators.py

Beside deepinv, and ASTRA, SigPy, mri-nufft, FINUFFT, RTK and PyLops where they are installed, and
SciPy; forward and adjoint. Names of libraries after the file choose them. Each
time is the least processor time of interleaved repeats on one thread; a ratio below one means that
ours is faster. Differences are relative to the largest number, up to a factor for all.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec

import torch
from operator_pairs import BESIDE, as_channels
from torch import Tensor

REPEATS, SECONDS = 200, 4.0
"""Of each pair of calls, whichever is reached first, but three times at least."""


def main(chosen: list[str]) -> None:
    torch.set_num_threads(1)
    print("| operator | beside | ours, ms | theirs, ms | ratio | difference |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for library in chosen:
        if find_spec(library) is None:
            continue
        for name, ours, theirs in BESIDE[library]():
            own, other = least(ours, theirs)
            found, expected = as_channels(ours()).flatten(), as_channels(theirs()).flatten()
            factor = (found @ expected) / (expected @ expected)
            error = float((found - factor * expected).abs().max() / found.abs().max())
            cells = (f"{own:.2f}", f"{other:.2f}", f"{own / other:.2f}", f"{error:.0e}")
            print(f"| {name} | {library} | {' | '.join(cells)} |", flush=True)


@torch.no_grad()
def least(ours: Callable[[], Tensor], theirs: Callable[[], Tensor]) -> tuple[float, float]:
    """Milliseconds of processor time a call, the least of several."""
    best = [float("inf"), float("inf")]
    began = time.process_time()
    for repeat in range(REPEATS):
        for place, function in enumerate((ours, theirs)):
            start = time.process_time()
            function()
            best[place] = min(best[place], 1e3 * (time.process_time() - start))
        if repeat >= 2 and time.process_time() - began > SECONDS:
            break
    return best[0], best[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "library", nargs="*", choices=[*BESIDE, "all"], default="all", metavar="LIBRARY"
    )
    names = parser.parse_args().library
    main([*BESIDE] if "all" in names else names)
