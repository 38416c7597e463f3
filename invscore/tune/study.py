"""The search for options: a study of Optuna, remembered trial by trial."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from invscore.driver import NumericalError
from invscore.engine import Alone, Engine, in_order
from invscore.tune.space import Space, suggest

if TYPE_CHECKING:
    import optuna

Score = Callable[[int, Mapping[str, Any]], float]
DEFAULT, OPTIONS = "default", "options"
"""Keys of a stored trial: whether it has the default options, and its options."""
RANDOM_TRIALS = 4
"""Random trials before the tree of Parzen estimators proposes."""
UNPRUNED_IMAGES = 1
"""Images that every trial restores before it may be stopped."""


@dataclass(frozen=True)
class Found:
    """The best of ``trials``: its ``options`` and their ``score``, averaged over images.

    The options are empty where nothing that was tried beats the defaults. ``default``: the score of
    those, ``None`` where it is no number.
    """

    options: dict[str, Any]
    score: float
    default: float | None
    trials: int


def open_study(name: str, file: Path) -> optuna.Study:
    """The study ``name`` in the journal ``file``, which is made if there is none.

    Raises ``ValueError`` where Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ValueError("tuning needs the package optuna: pip install 'invscore[tune]'") from error
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    # A trial that is stopped is warned of with a traceback.
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    file.parent.mkdir(parents=True, exist_ok=True)
    backend = JournalFileBackend(str(file), lock_obj=JournalFileOpenLock(str(file)))
    return optuna.create_study(
        storage=JournalStorage(backend),
        study_name=name,
        direction="maximize",
        load_if_exists=True,
    )


def search(
    study: optuna.Study,
    space: Space,
    score: Score,
    *,
    images: int,
    trials: int,
    seed: int,
    engine: Engine | None = None,
    on_image: Callable[[int], None] = lambda count: None,
) -> None:
    """Go on until ``study`` has ``trials`` trials: the defaults first, then what TPE suggests.

    ``score(k, options)`` is that of image k, to be made large on average over ``images``. After
    each image, a trial that is worse so far than half of those before ends. Trial n draws from
    ``seed + n``: a search that was stopped goes on as if it had not been. ``on_image(count)`` is
    told of images that are done, those spared included.

    Trials are made here, one after the other; the images of one are scored by the ``engine``, here
    by default. Their scores count in their order, so that the search is the same whoever makes
    them: those of a trial that has ended before are let go.

    Options that give no number, or that the method refuses, are trials that end early; defaults
    that it refuses raise its ``ValueError``.
    """
    import optuna

    engine = engine or Alone()
    shared = (engine.share(score),)

    def objective(trial: optuna.Trial) -> float:
        first = not _finished(study)
        options = {} if first else suggest(space, trial)
        trial.set_user_attr(DEFAULT, first)
        trial.set_user_attr(OPTIONS, options)
        total = 0.0
        items = ((index, options) for index in range(images))
        for index, scored in enumerate(in_order(engine.run(_scored, items, shared=shared))):
            if isinstance(scored, ValueError) and first:
                raise scored
            total += scored if isinstance(scored, float) else math.nan
            on_image(1)
            mean, last = total / (index + 1), index + 1 == images
            if math.isfinite(mean):
                trial.report(mean, index)
            if not math.isfinite(mean) or (not last and _behind(study, index, mean)):
                on_image(images - index - 1)
                raise optuna.TrialPruned
        return total / images

    on_image(images * min(len(_finished(study)), trials))
    while (done := len(_finished(study))) < trials:
        study.sampler = optuna.samplers.TPESampler(seed=seed + done, n_startup_trials=RANDOM_TRIALS)
        study.optimize(objective, n_trials=1)


def best(study: optuna.Study, trials: int) -> Found | None:
    """Best trial among the first ``trials`` of ``study``; ``None`` if none has come to a score.

    Later ones, of a longer search before, do not count: the same command has the same answer.
    """
    looked_at = _finished(study)[:trials]
    # The value of a pruned trial is the mean over the images that it has seen.
    whole = [trial for trial in looked_at if trial.state.name == "COMPLETE"]
    scored = {trial.number: trial.value for trial in whole if trial.value is not None}
    if not scored:
        return None
    known = {trial.number: trial.user_attrs for trial in whole}
    defaults = [value for number, value in scored.items() if known[number][DEFAULT]]
    number = max(scored, key=scored.__getitem__)
    return Found(
        known[number][OPTIONS], scored[number], defaults[0] if defaults else None, len(looked_at)
    )


def _scored(item: tuple[int, Mapping[str, Any]], score: Score) -> float | ValueError:
    """The score of an image with options: NaN where it is none, or why they are refused."""
    try:
        return float(score(*item))
    except NumericalError:
        return math.nan
    except ValueError as error:
        return error


def _behind(study: optuna.Study, index: int, mean: float) -> bool:
    """Whether ``mean``, over images up to ``index``, is less than half of the trials had there.

    Optuna's own median pruner takes a trial by its best image so far, which is that of all trials.
    """
    reached = [trial.intermediate_values for trial in _finished(study)]
    others = [means[index] for means in reached if index in means]
    enough = index >= UNPRUNED_IMAGES and len(others) >= RANDOM_TRIALS
    return enough and mean < median(others)


def _finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Trials that came to an end, pruned or not: others belong to runs that were stopped."""
    return [trial for trial in study.trials if trial.state.name in ("COMPLETE", "PRUNED")]
