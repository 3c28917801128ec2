"""What a regression predicts: checked on the way in, scored on the way out."""

import numpy as np
import pytest
from emkit_mvn.regression.estimator import NormalRegression


def test_without_a_target_there_is_no_score():
    x, y = np.arange(5.0)[:, None], np.array([1.0, 3.0, 2.0, 5.0, 4.0])
    fit = NormalRegression().fit(x, y)
    y[1:] = np.nan
    with pytest.raises(ValueError, match="No target is seen"):
        fit.score(x, y, np.arange(len(y)))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([[1.0], [2.0]], None, "requires y to be passed"),
        ([[1.0], [2.0]], [1.0], "inconsistent numbers of samples: X has 2, y has 1"),
        ([[1.0], [np.inf]], [1.0, 2.0], "X contains infinity"),
        ([[1.0], [2.0]], [1.0, np.inf], "y contains infinity"),
        ([[1.0, np.nan], [2.0, np.nan]], [1.0, 2.0], "No row sees column 1 of X"),
        ([[1.0], [2.0]], [np.nan, np.nan], "No row sees column y: leave out"),
        ([[1.0], [2.0]], [["a"], ["b"]], "y holds strings"),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        NormalRegression().fit(x, y)
