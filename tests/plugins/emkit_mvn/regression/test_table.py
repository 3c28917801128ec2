"""The table of coefficients that people read."""

import numpy as np
import pandas as pd
import pytest
from emkit_mvn.regression.estimator import NormalRegression
from mvn_tables import AIRQUALITY
from scipy import stats


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
    with pytest.raises(ValueError, match="level must be a number between 0 and 1"):
        fit.summary(level=95)
