"""Search space: for each method and baseline, the options that are tuned and their ranges.

Options that cost time (steps, iterations, particles) are budgets, for the user to set: they stay as
they are. So do levels of noise whose default follows from the prior.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

DIGITS = 3
"""Significant digits of the values tried: a few images do not tell finer ones apart."""


@dataclass(frozen=True)
class Span:
    """Numbers from ``low`` to ``high``: whole ones if both are, evenly in ``log`` if it is true."""

    low: float
    high: float
    log: bool = True

    def suggest(self, trial: optuna.Trial, name: str) -> float:
        """The value that ``trial`` is to have."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(name, self.low, self.high, log=self.log)
        return float(f"{trial.suggest_float(name, self.low, self.high, log=self.log):.{DIGITS}g}")


@dataclass(frozen=True)
class Words:
    """Choice of one of several words."""

    words: tuple[str, ...]

    def suggest(self, trial: optuna.Trial, name: str) -> str:
        """The word that ``trial`` is to have."""
        return trial.suggest_categorical(name, self.words)


Space = dict[str, Span | Words]
SHARE = Span(0.0, 1.0, log=False)

SPACES: dict[str, Space] = {
    # Baselines.
    "deepinv-ddrm": {"eta": SHARE, "eta_b": SHARE, "sigma_max": Span(0.2, 5.0)},
    "deepinv-diffpir": {"lam": Span(0.5, 50.0), "zeta": SHARE},
    "deepinv-dpir": {"lam": Span(0.03, 5.0), "sigma_max": Span(0.05, 1.0)},
    "deepinv-dps": {"weight": Span(0.1, 1000.0), "guidance": Words(("norm", "annealed"))},
    "pnp-bm3d": {
        "lam": Span(0.03, 5.0),
        "sigma_max": Span(0.05, 0.5),
        "sigma_min": Span(0.005, 0.05),
    },
    "pseudo-inverse": {"discrepancy": Span(0.8, 1.3, log=False)},
    "wiener": {"exponent": Span(1.0, 4.0, log=False), "deviation": Span(0.05, 1.0)},
    "tv": {"weight": Span(0.5, 100.0)},
    "wavelet": {"weight": Span(1.0, 100.0), "decay": Span(0.0, 2.0, log=False)},
    # Methods.
    "daps": {"step_size": Span(0.02, 1.0)},
    "ddnm": {"eta": SHARE},
    "ddrm": {"eta": SHARE, "eta_b": SHARE},
    "dds": {"gamma": Span(0.05, 50.0), "eta": SHARE},
    "diffpir": {"lam": Span(0.1, 10.0), "zeta": Span(0.05, 1.0)},
    "dps": {"guidance": Span(0.03, 10.0)},
    "mcg": {"guidance": Span(0.01, 3.0), "lam": Span(0.3, 3.0)},
    "pc": {"snr": Span(0.03, 0.5), "mixing": SHARE, "lam": Span(0.5, 16.0)},
    "pigdm": {"eta": SHARE},
    "red_diff": {"lam": Span(0.02, 3.0), "rate": Span(0.01, 0.5)},
    "split_gibbs": {"annealing": Span(0.1, 0.9, log=False), "step_size": Span(0.02, 1.0)},
}


def get_space(name: str) -> Space:
    """The search space of the method or baseline ``name``. Raises ``ValueError`` if nothing is."""
    if name not in SPACES:
        raise ValueError(f"nothing of {name!r} is tuned: it is of {', '.join(sorted(SPACES))}")
    return SPACES[name]


def suggest(space: Space, trial: optuna.Trial) -> dict[str, Any]:
    """The options that ``trial`` is to have."""
    return {name: each.suggest(trial, name) for name, each in space.items()}
