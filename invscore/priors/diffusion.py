"""Diffusion and flow networks as priors: whatever they predict, and however they tell the time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from invscore.hardware.doubles import moving
from invscore.options.words import kind_of
from invscore.priors.denoiser import DenoiserPrior, Range

Predicts = Literal["epsilon", "v", "x0", "score", "flow", "edm"]
PREDICTS = ("epsilon", "v", "x0", "score", "flow", "edm")
ClassLabel = int | Tensor | Sequence[float]
Time = Literal["index", "sigma", "log", "noise", "data"]
F64 = torch.float64
TIMES = ("index", "sigma", "log", "noise", "data")


class Diffusion(nn.Module):
    """``D(z, s) = c_skip z + c_out F(c_in z, time)`` of a network F, in its own range.

    ``z = z0 + s n`` is what F knows in another scale. With a table ``alphas_cumprod``, abar, it is
    variance-preserving: ``x = z / sqrt(1 + s^2)`` with ``s^2 = (1 - abar) / abar`` (Ho et al.
    2020); a ``sub`` one is sub-variance-preserving, ``x = sqrt(abar) z`` with
    ``s = (1 - abar) / sqrt(abar)`` (Song et al. 2021, Eq. 29). Without, ``x = z``
    (variance-exploding), ``x = z / (1 + s)`` for flows, and EDM's unit variance. F predicts

    - ``"epsilon"``: the noise n; D = z - s F.
    - ``"v"``: ``sqrt(abar) n - sqrt(1 - abar) z0`` (Salimans & Ho 2022), a table only.
    - ``"x0"``: the image z0; D = F.
    - ``"score"``: the gradient of the log-density of x.
    - ``"flow"``: the velocity of the straight path ``x = (1 - r) z0 + r n`` with the share of noise
      ``r = s / (1 + s)``: ``n - z0`` where time runs towards the noise, ``z0 - n`` where it runs
      towards the image (Lipman et al. 2023).
    - ``"edm"``: the residual of Karras et al. 2022, Table 1, for images of deviation
      ``sigma_data``.

    ``time`` is what F is told, times ``time_scale``: ``"index"``, the place in the table (or what
    ``times`` has there), between its entries linear in ln s; ``"sigma"``, s itself; ``"log"``, ln s
    (by default a quarter of it); ``"noise"``, r; ``"data"``, 1 - r; or a function of s.
    F is called as ``F(x, time)``, with times (b,), or ``F(x, time, labels)`` where there is a
    ``class_label``: labels (b,) of a whole number, (b, classes) of a vector, such as the one of a
    class among zeros, or zeros alone, that EDM's networks take. What F gives is a tensor or has one
    as ``sample``; of twice as many channels as the image, a mean and a variance, the first half
    counts.

    >>> import torch
    >>> from invscore.priors import Diffusion
    >>> velocity = lambda x, t: 0 * x
    >>> flow = Diffusion(velocity, predicts="flow", time="noise")
    >>> z = torch.ones(1, 1, 2, 2)
    >>> torch.allclose(flow(z, torch.ones(1)), z / 2)
    True
    """

    log_levels: Tensor
    times: Tensor
    class_label: Tensor | None

    def __init__(
        self,
        network: Callable[..., Any],
        *,
        predicts: Predicts,
        alphas_cumprod: Tensor | Sequence[float] | None = None,
        times: Sequence[float] | None = None,
        time: Time | Callable[[Tensor], Tensor] | None = None,
        time_scale: float | None = None,
        sigma_data: float | None = None,
        class_label: ClassLabel | None = None,
        sub: bool = False,
    ) -> None:
        super().__init__()
        if predicts not in PREDICTS:
            raise ValueError(f"`predicts` must be one of {', '.join(PREDICTS)}, got {predicts!r}")
        if predicts == "v" and alphas_cumprod is None:
            raise ValueError('`alphas_cumprod` must be given with predicts="v"')
        if predicts in ("flow", "edm") and alphas_cumprod is not None:
            raise ValueError(f"`alphas_cumprod` does not go with predicts={predicts!r}")
        if sub and (predicts == "v" or alphas_cumprod is None):
            raise ValueError('`sub` goes with `alphas_cumprod`, and not with predicts="v"')
        if (predicts == "edm") != (sigma_data is not None):
            raise ValueError('`sigma_data` must be given with predicts="edm", and only there')
        if time is None:
            usual: dict[str, Time] = {"flow": "noise", "edm": "log"}
            time = usual.get(predicts, "index" if alphas_cumprod is not None else "sigma")
        if isinstance(time, str) and time not in TIMES:
            raise ValueError(f"`time` must be one of {', '.join(TIMES)}, got {time!r}")
        if time == "index" and alphas_cumprod is None:
            raise ValueError('`time="index"` is a place in `alphas_cumprod`: it must be given')
        self.network, self.predicts, self.time = network, predicts, time
        self.time_scale = (0.25 if time == "log" else 1.0) if time_scale is None else time_scale
        self.sigma_data = sigma_data
        label = None if class_label is None else torch.as_tensor(class_label)
        if label is not None and label.ndim != (1 if label.is_floating_point() else 0):
            raise ValueError(
                "`class_label` must be a whole number or a vector of real numbers, got "
                f"{class_label!r}"
            )
        self.preserving, self.sub = alphas_cumprod is not None, sub
        levels = (
            torch.ones(0, dtype=F64) if alphas_cumprod is None else _levels(alphas_cumprod, sub)
        )
        entries = 0 if alphas_cumprod is None else len(alphas_cumprod)
        clock = torch.as_tensor(range(entries) if times is None else times, dtype=F64)
        if len(clock) != entries:
            raise ValueError(
                f"`times` must have one number for each of `alphas_cumprod`, {entries}, got "
                f"{len(clock)}"
            )
        clock = clock[: len(levels)]
        self.register_buffer("log_levels", levels.log(), persistent=False)
        self.register_buffer("times", clock, persistent=False)
        self.register_buffer("class_label", label, persistent=False)

    @property
    def levels(self) -> tuple[float, float]:
        """The lowest and the highest s of the table. Raises ``ValueError`` where there is none."""
        if not self.preserving:
            raise ValueError("`sigma_min` and `sigma_max` must be given where there is no table")
        return float(self.log_levels[0].exp()), float(self.log_levels[-1].exp())

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        return super()._apply(moving(fn), recurse)  # type: ignore[no-untyped-call]

    def forward(self, z: Tensor, s: Tensor) -> Tensor:
        column = s.reshape(-1, *[1] * (z.ndim - 1))
        scale, skip, out = self.coefficients(column)
        told = [scale * z, self.told(s)]
        if self.class_label is not None:
            told.append(self.class_label.expand(len(z), *self.class_label.shape))
        given = self.network(*told)
        given = getattr(given, "sample", given)
        if not isinstance(given, Tensor) or given.ndim != z.ndim:
            raise ValueError(f"the network must give a tensor of images, got {kind_of(given)}")
        channels = z.shape[1]
        if given.shape[1] not in (channels, 2 * channels):
            raise ValueError(
                f"the network must give {channels} channels, or {2 * channels} with variances, got "
                f"{given.shape[1]}"
            )
        return skip * z + out * given[:, :channels]

    def coefficients(self, s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``c_in``, ``c_skip`` and ``c_out``, of the shape of ``s``."""
        one = torch.ones_like(s)
        if self.predicts == "edm":
            assert self.sigma_data is not None
            variance = s**2 + self.sigma_data**2
            root = variance.rsqrt()
            return root, self.sigma_data**2 / variance, s * self.sigma_data * root
        if self.predicts == "flow":
            image = 1 / (1 + s)
            return image, image, s * image if self.time == "data" else -s * image
        c_in = (1 + s**2).rsqrt() if self.preserving else one
        if self.sub:  # (sqrt(s^2 + 4) - s) / 2 without the difference of large numbers
            c_in = 2 / ((s**2 + 4).sqrt() + s)
        if self.predicts == "epsilon":
            return c_in, one, -s
        if self.predicts == "v":
            return c_in, c_in**2, -s * c_in
        if self.predicts == "x0":
            return c_in, torch.zeros_like(s), one
        return c_in, one, s**2 * c_in  # the score of c_in z is that of z over c_in

    def told(self, s: Tensor) -> Tensor:
        """The time that the network is told at the levels ``s``, (b,)."""
        if callable(self.time):
            return self.time(s)
        if self.time == "index":
            return self.time_scale * self._place(s.to(self.log_levels).log()).to(s)
        clock = {"sigma": s, "log": s.log(), "noise": s / (1 + s), "data": 1 / (1 + s)}
        return self.time_scale * clock[self.time]

    def _place(self, known: Tensor) -> Tensor:
        """The times of the table at logarithms of levels, linear between its entries."""
        table = self.log_levels
        above = torch.searchsorted(table, known).clamp(1, len(table) - 1)
        low, high = table[above - 1], table[above]
        share = ((known - low) / (high - low)).clamp(0, 1)
        return torch.lerp(self.times[above - 1], self.times[above], share)


class DiffusionPrior(DenoiserPrior):
    """The prior of a diffusion or flow network, which predicts noise, velocity, score or image.

    ``network``, ``predicts``, ``alphas_cumprod``, ``times``, ``time``, ``time_scale``,
    ``sigma_data`` and ``class_label`` are those of ``Diffusion``; ``range`` is that of the images
    which the network was trained on, and the rest as for ``DenoiserPrior``. The levels follow from
    ``alphas_cumprod`` where it is given, and must be given otherwise.

    ```python
    import torch
    from invscore.priors import DiffusionPrior

    def network(x, t):  # of pure noise: epsilon is what is not expected of images of variance 1
        return (1 - abar[t.long()]).sqrt().reshape(-1, 1, 1, 1) * x

    abar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), dim=0)
    prior = DiffusionPrior(network, alphas_cumprod=abar, predicts="epsilon", channels=1)
    ```

    >>> import torch
    >>> from invscore.priors import DiffusionPrior
    >>> abar = torch.linspace(0.999, 0.001, 1000)
    >>> network = lambda x, t: torch.zeros_like(x)  # yours: the noise in x at the index t
    >>> prior = DiffusionPrior(network, channels=1, predicts="epsilon", alphas_cumprod=abar)
    >>> prior.denoise(torch.rand(2, 1, 8, 8), 0.1).shape
    torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        network: Callable[..., Any],
        *,
        channels: int,
        predicts: Predicts,
        alphas_cumprod: Tensor | Sequence[float] | None = None,
        times: Sequence[float] | None = None,
        time: Time | Callable[[Tensor], Tensor] | None = None,
        time_scale: float | None = None,
        sigma_data: float | None = None,
        class_label: ClassLabel | None = None,
        range: Range = (-1.0, 1.0),
        sigma_min: float | None = None,
        sigma_max: float | None = None,
        complex: bool = False,
        facts: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        D = Diffusion(
            network,
            predicts=predicts,
            alphas_cumprod=alphas_cumprod,
            times=times,
            time=time,
            time_scale=time_scale,
            sigma_data=sigma_data,
            class_label=class_label,
        )
        unit = (range[1] - range[0]) / (2 if complex else 1)
        if sigma_min is None or sigma_max is None:
            low, high = D.levels
            sigma_min = low / unit if sigma_min is None else sigma_min
            sigma_max = high / unit if sigma_max is None else sigma_max
        super().__init__(
            D,
            channels=channels,
            range=range,
            sigma_min=sigma_min,
            sigma_max=sigma_max,
            complex=complex,
            facts={**(facts or {}), "predicts": predicts},
            **options,
        )


def _levels(alphas_cumprod: Tensor | Sequence[float], sub: bool) -> Tensor:
    """``s`` of each entry but pure noise, at the end, which has no level.

    Raises ``ValueError`` unless they fall, between 1 and 0.
    """
    abar = torch.as_tensor(alphas_cumprod, dtype=F64)
    if abar.ndim != 1 or len(abar) < 2 or not (abar[-1] >= 0 and abar[0] < 1):
        raise ValueError("`alphas_cumprod` must be a list of numbers between 1 and 0")
    if not bool((abar.diff() < 0).all()):
        raise ValueError("`alphas_cumprod` must fall from nearly 1 to nearly 0")
    abar = abar[abar > 0]
    return (1 - abar) * abar.rsqrt() if sub else ((1 - abar) / abar).sqrt()
