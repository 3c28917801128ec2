"""The table of coefficients that people read."""

import numpy as np
import pandas as pd
import pytest
from emkit_mvn import Ridge
from emkit_mvn.regression.estimator import NormalRegression
from mvn_tables import AIRQUALITY
from scipy import stats

from emkit.errors import DegenerateWarning


def test_the_summary_shows_what_it_holds():
    frame = pd.DataFrame(AIRQUALITY[:, 1:4], columns=["solar", "wind", "temperature"])
    fit = NormalRegression().fit(frame, pd.Series(AIRQUALITY[:, 0], name="ozone"))
    summary = fit.summary(level=0.9)
    assert summary.names == ("intercept", "solar", "wind", "temperature")
    np.testing.assert_allclose(summary.coefficients, [[fit.intercept_, *fit.coef_]])
    np.testing.assert_allclose(summary.p_values, 2 * stats.norm.sf(np.abs(summary.z)))
    np.testing.assert_allclose(summary.upper - summary.lower, 2 * stats.norm.ppf(0.95) * summary.standard_errors)
    assert (summary.n_samples, summary.n_complete) == (153, 111)
    text = str(summary)
    assert "153 rows, 111 of them complete" in text
    line = next(line for line in text.splitlines() if line.startswith("wind"))
    assert [float(word) for word in line.split()[1:3]] == pytest.approx(
        [fit.coef_[1], fit.standard_errors_[1]], rel=1e-4
    )
    for level in (95, 0, "a", None, np.nan):
        with pytest.raises(ValueError, match="level must be a number between 0 and 1"):
            fit.summary(level=level)


@pytest.mark.parametrize("extra", ["constant", "duplicated", "summed"])
def test_where_the_covariance_rests_on_its_floor_nothing_is_said_of_errors(extra):
    # The floor ties what would vary: derivatives along what is left are not those of the coefficients.
    solar, ozone = AIRQUALITY[:, 1], AIRQUALITY[:, 0]
    third = {"constant": np.full(153, 3.0), "duplicated": solar, "summed": solar + ozone}[extra]
    x = np.column_stack([solar, third])
    with pytest.warns(DegenerateWarning, match="floor"):
        fit = NormalRegression().fit(x, ozone)
    summary = fit.summary()
    for values in (fit.standard_errors_, fit.intercept_standard_error_, summary.p_values, summary.lower, summary.z):
        assert np.isnan(values).all()
    assert np.isfinite(summary.coefficients).all()
    assert "nan" in str(summary)
    free = NormalRegression(prior=Ridge(5.0)).fit(x, ozone)
    assert (free.standard_errors_ > 0).all()
