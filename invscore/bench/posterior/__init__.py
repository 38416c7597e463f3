"""The bench of posterior samplers: problems whose posterior is known, and the distance to it.

**A problem** (``Problem`` in ``problem.py``) has a name, its size, and ``build(seed)``, which makes
an instance of it: the ``InverseProblem`` and the ``Prior`` that a method is given, and two
functions, ``score`` from samples to a number for each metric, and ``floor``, the same numbers for
as many draws from the true posterior. To add one, write a file that ends with ``register(Problem(
...))`` and import it here. Its name begins with that of its family, ``family-what-it-is``; its
first metric is the one that tables compare.

**A metric** (``Metric``) is a number for each instance. Its ``target`` is what the true posterior
has on average: 0 for a distance, 0.9 for the coverage of 90 % intervals. The *error* of a method is
the distance of the mean over instances from the target.

**A cell** (``Cell`` in ``cells.py``) is one method with its options on one instance. It runs
through ``reconstruct``, seeds a sample and all, and its outcome is a file: what has been run is not
run again. A method that refuses a problem, or fails, leaves a cell that says why.

``run.py`` plans and runs cells, ``rows.py`` makes a row of all instances for each metric, and
``tables.py``, ``figures.py`` and ``page.py`` show the rows.
"""

from invscore.bench.posterior import field, gaussian, levy, mixture, modes, nonlinear, pixels, sbc
from invscore.bench.posterior.problem import PROBLEMS, Instance, Metric, Problem, register

__all__ = ["PROBLEMS", "Instance", "Metric", "Problem", "register"]
__all__ += ["field", "gaussian", "levy", "mixture", "modes", "nonlinear", "pixels", "sbc"]
