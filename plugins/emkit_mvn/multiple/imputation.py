"""Multiple imputation: several completed copies of a table, whose differences show what the gaps hide."""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal

import attrs
import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import ArrayLike, NDArray

from emkit import EMResult
from emkit.arrays import as_matrix, as_sample_weight, column_names, one_of, whole_number
from emkit.engines import EngineChoice, as_engine, opened
from emkit.errors import ConvergenceWarning
from emkit.estimator import rng_of, warn_about
from emkit_mvn.checks import check_columns_are_seen
from emkit_mvn.fitting import column_labels, fit_columns, naming
from emkit_mvn.imputer.bounded import Box
from emkit_mvn.imputer.containers import snapshot
from emkit_mvn.kernels.rows import IncompleteRows
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.multiple.chain import Chain, check_can_augment, check_rows, is_too_slow, run_chain
from emkit_mvn.multiple.imputations import Imputations
from emkit_mvn.multiple.posterior import noninformative
from emkit_mvn.multiple.resampling import Replicate
from emkit_mvn.params import NormalParams
from emkit_mvn.priors import Prior

Array = NDArray[np.float64]

METHODS = ("augmentation", "bootstrap")

#: Largest total weight: up to it whole numbers of rows are exact.
MOST_ROWS = 2.0**53


def multiple_imputation(
    X: Any,
    n_imputations: int = 20,
    *,
    method: Literal["augmentation", "bootstrap"] = "augmentation",
    prior: Prior | Literal["ridge", "jeffreys"] | None = None,
    sample_weight: ArrayLike | None = None,
    min_value: ArrayLike | None = None,
    max_value: ArrayLike | None = None,
    burn_in: int | None = None,
    spacing: int | None = None,
    random_state: Any = None,
    engine: EngineChoice = None,
) -> Imputations:
    """Return completed copies of a table with gaps, drawn under a multivariate normal.

    Each copy has params of its own, drawn from what the data say of them, and gaps drawn given the seen cells of their
    row under these params. The copies differ by as much as the gaps are unknown, and so do the results of an analysis
    made of each [1]_.

    Parameters
    ----------
    X : (n_samples, n_features)
        Array or data frame with NaN in its gaps, which are taken to be missing at random. Rows without a seen cell are
        filled as well.
    n_imputations : int
    method : {"augmentation", "bootstrap"}
        Params drawn from their posterior, by data augmentation [2]_ from the fit; or fitted to rows drawn with
        replacement [3]_, which needs no choice of steps but a fit for each copy, and larger samples.
    prior : Prior, {"ridge", "jeffreys"} or None
        None is Jeffreys' prior for augmentation, and maximum likelihood for the bootstrap.
    sample_weight : (n_samples,), optional
        How often each row counts; whole numbers for augmentation. A row that counts several times is completed once.
    min_value, max_value : float or (n_features,), optional
        Bounds on the draws of gaps. The params are those of a normal without bounds.
    burn_in, spacing : int, optional
        Steps of augmentation before the first copy and between copies. By default the autocorrelation that is left
        over ``spacing`` steps is at most 0.05 for any linear function of the params, with 10 to 1000 steps; and
        ``burn_in`` is twice as long.
    random_state : int, Generator, RandomState or None
        The same int gives the same imputations, whatever the engine.
    engine : Engine, concurrent.futures.Executor or int, optional
        Where fits run, of the bootstrap all at once; a number is one of threads. Augmentation is a chain of steps.

    Returns
    -------
    imputations : Imputations

    Raises
    ------
    ValueError
        If the rows do not determine the params and there is no prior, or an argument is wrong.
    DegenerateError
        If columns follow from others, so that the chain cannot go on.
    FitFailedError
        If a column has so few seen cells that the bootstrap loses all of them.

    Warns
    -----
    ConvergenceWarning
        If a fit did not converge, or ``spacing`` leaves successive copies more alike than that.
    DegenerateWarning
        If the fit has notes, such as on pairs of columns that no row sees together.

    References
    ----------
    .. [1] D. B. Rubin, Multiple Imputation for Nonresponse in Surveys, Wiley 1987.
    .. [2] J. L. Schafer, Analysis of Incomplete Multivariate Data, Chapman & Hall 1997, chapter 5.
    .. [3] J. Honaker, G. King, American Journal of Political Science 54 (2010) 561-581.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((50, 2)) @ [[1.0, 0.8], [0.0, 0.6]]
    >>> x[:20, 1] = np.nan
    >>> imputations = multiple_imputation(x, random_state=0)
    >>> imputations
    Imputations(20 tables of 50 x 2 with 20 gaps filled, method='augmentation', burn_in=20, spacing=10)
    >>> pooled = imputations.pool(lambda table: (table[:, 1].mean(), table[:, 1].var(ddof=1) / 50))
    >>> bool(pooled.standard_error > x[:, 1][20:].std(ddof=1) / np.sqrt(50))
    True
    """
    n = whole_number(n_imputations, "n_imputations")
    one_of(method, "method", METHODS)
    burn_in, spacing = _steps(burn_in, "burn_in", method), _steps(spacing, "spacing", method)
    x = np.array(as_matrix(X, allow_nan=True))
    box = Box.of(min_value, max_value, _names(X, x))
    model, labels = MultivariateNormal(prior=prior), column_labels(X, range(x.shape[1]))
    weights = as_sample_weight(sample_weight, len(x))
    with naming(labels):
        rows = model.prepare(x if weights is None else (x, weights))
        _check(model, rows, method)
    chain_seed, replicate_seeds, draw_seeds = _seed_sequence(random_state).spawn(3)
    result = fit_columns(model, x, weights, labels, engine=engine)
    warn_about(result, "multiple_imputation")
    with naming(labels):
        if method == "augmentation":
            rng = np.random.default_rng(chain_seed)
            drawn = run_chain(model, result.params, rows, n, burn_in=burn_in, spacing=spacing, rng=rng)
            _warn_if_slow(drawn)
        else:
            drawn = _bootstrap(result, rows, replicate_seeds.spawn(n), engine)
    return Imputations(
        params=drawn.params,
        method=method,
        result=result,
        rate=drawn.rate,
        burn_in=drawn.burn_in,
        spacing=drawn.spacing,
        trace=drawn.trace,
        table=snapshot(X, x),
        x=x,
        box=box,
        seeds=tuple(draw_seeds.spawn(n)),
    )


def _bootstrap(
    result: EMResult[NormalParams], rows: IncompleteRows, seeds: list[SeedSequence], engine: EngineChoice
) -> Chain:
    """Return params fitted to rows drawn with replacement, as a chain without steps."""
    with opened(as_engine(engine)) as workers:
        fits = list(workers.map(Replicate.of(result.model, result.params, rows), seeds))
    failed = [found.message for found in fits if not found.converged]
    if failed:
        msg = f"multiple_imputation: {len(failed)} of {len(fits)} replicates did not converge, the first: {failed[0]}"
        warnings.warn(msg, ConvergenceWarning, stacklevel=3)
    params = tuple(attrs.evolve(result.params, mean=f.params.mean, covariance=f.params.covariance) for f in fits)
    return Chain(params, np.zeros(0), math.nan, 0, 0)


def _check(model: MultivariateNormal, rows: IncompleteRows, method: str) -> None:
    """Raise ValueError where the rows and the prior leave params without a posterior."""
    if rows.total_weight > MOST_ROWS:
        msg = (
            f"sample_weight adds up to {rows.total_weight:.3g} rows, which imputation counts or draws one by "
            f"one: a total of at most {MOST_ROWS:g} is expected. Divide the weights."
        )
        raise ValueError(msg)
    check_columns_are_seen(rows)
    if method == "augmentation":
        check_can_augment(model, rows)
    elif model.prior is None:
        check_rows(rows, noninformative(rows.x.shape[1]))


def _warn_if_slow(chain: Chain) -> None:
    if is_too_slow(chain) and len(chain.params) > 1:
        msg = (
            f"multiple_imputation: the gaps hide {chain.rate:.4g} of the information about some function of the "
            f"params, so {chain.spacing} steps leave an autocorrelation of {chain.rate**chain.spacing:.2f} between "
            "imputations. Give a larger spacing, a prior such as prior='ridge', or method='bootstrap'."
        )
        warnings.warn(msg, ConvergenceWarning, stacklevel=3)


def _steps(value: int | None, name: str, method: str) -> int | None:
    if value is not None and method != "augmentation":
        msg = f"{name} counts steps of method='augmentation'; the method is {method!r}, which has none: leave it out."
        raise ValueError(msg)
    return None if value is None else whole_number(value, name)


def _names(X: Any, x: Array) -> NDArray[np.object_]:
    names = column_names(X)
    return np.array(range(x.shape[1]) if names is None else names, dtype=object)


def _seed_sequence(random_state: Any) -> SeedSequence:
    """Return a new seed sequence: spawning from one that was given would change it."""
    source = rng_of(random_state)
    if isinstance(source, Generator):
        return SeedSequence(int(source.integers(2**63)))
    if isinstance(source, SeedSequence):
        return SeedSequence(source.entropy, spawn_key=source.spawn_key, pool_size=source.pool_size)
    return SeedSequence(source)
