"""The faces give the numbers of hmmlearn at the same params, where hmmlearn is right.

All numbers below were computed with hmmlearn 0.3.3, its priors and its floor switched off unless said otherwise.
"""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import GMMHMM, CategoricalHMM, GaussianHMM, MultinomialHMM, PoissonHMM

STEPS = np.arange(40.0)
LATE = STEPS % 13 > 6
X = np.column_stack([np.sin(1.7 * STEPS) + 3 * LATE, np.cos(0.9 * STEPS) * (1 + LATE)])
SYMBOLS = ((7 * STEPS + STEPS**2) % 11 % 4).astype(int)[:, None]
COUNTS = ((5 * STEPS + STEPS**2) % 17).astype(int)[:, None]
SHARES = np.column_stack([SYMBOLS[:, 0], 3 - SYMBOLS[:, 0], np.full(40, 2)])
LENGTHS = [15, 1, 24]

STARTPROB = [0.7, 0.3]
TRANSMAT = [[0.8, 0.2], [0.35, 0.65]]
MEANS = [[0.0, 0.5], [2.5, -0.5]]
COVARS = {
    "diag": [[1.0, 0.5], [2.0, 1.5]],
    "full": [[[1.0, 0.3], [0.3, 0.5]], [[2.0, -0.4], [-0.4, 1.5]]],
    "spherical": [0.8, 1.7],
    "tied": [[1.2, 0.2], [0.2, 0.9]],
}
EMISSIONPROB = [[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]]


def _with(hmm, **attributes):
    hmm.startprob_, hmm.transmat_ = STARTPROB, TRANSMAT
    for name, value in attributes.items():
        setattr(hmm, name, value)
    return hmm


def _gaussian(kind, **settings):
    return _with(GaussianHMM(2, covariance_type=kind, **settings), means_=MEANS, covars_=COVARS[kind])


def _one_step(hmm, x):
    """Return a face after one step of EM: hmmlearn's ``n_iter=1`` is two passes here, the second to judge it."""
    hmm.set_params(n_iter=2, init_params="", accelerate=None)
    with pytest.warns(match="reached max_iter"):
        return hmm.fit(x, LENGTHS)


@pytest.mark.parametrize(
    ("kind", "score", "log_joint", "first_state"),
    [
        ("diag", -132.75973579131792, -135.30696583708738, [0.988568515584, 0.99395210883, 0.602776357328]),
        ("full", -135.26494473349263, -139.0855269895245, [0.983036043668, 0.983492769149, 0.656586988533]),
        ("spherical", -129.76395167282035, -131.3360747674695, [0.989756090437, 0.995501848851, 0.785514004375]),
        ("tied", -134.35597352936915, -136.9298963547838, [0.997812163519, 0.99972089529, 0.843103783627]),
    ],
)
def test_gaussians_score_decode_and_smooth_alike(kind, score, log_joint, first_state):
    hmm = _gaussian(kind)
    assert hmm.score(X, LENGTHS) == pytest.approx(score, rel=1e-13)
    assert hmm.decode(X, LENGTHS)[0] == pytest.approx(log_joint, rel=1e-13)
    np.testing.assert_allclose(hmm.predict_proba(X, LENGTHS)[[0, 14, 39], 0], first_state, rtol=1e-11)
    np.testing.assert_array_equal(hmm.predict(X, LENGTHS), hmm.decode(X, LENGTHS)[1])


@pytest.mark.parametrize(
    ("kind", "score", "mean", "covars", "stay"),
    [
        (
            "diag",
            -118.7105444200507,
            0.02878279133389929,
            [[0.5530039542230537, 0], [0, 0.5432904137265782]],
            0.7918686,
        ),
        (
            "full",
            -121.00844451983194,
            0.06671811534786484,
            [[0.7006454592469019, 0.2077045946775389], [0.2077045946775389, 0.6262417112398747]],
            0.7630204,
        ),
        ("spherical", -118.898768548254, 0.01194929797022199, 0.5305660670095649 * np.eye(2), 0.8110339),
        (
            "tied",
            -123.71557784665993,
            0.16748429760628367,
            [[0.8976781837438875, 0.24638426103929684], [0.24638426103929684, 1.1937753100020347]],
            0.7985981,
        ),
    ],
)
def test_one_step_of_gaussians_from_one_start_ends_in_one_place(kind, score, mean, covars, stay):
    hmm = _one_step(_gaussian(kind), X)
    assert hmm.score(X, LENGTHS) == pytest.approx(score, rel=1e-12)
    assert hmm.means_[0, 0] == pytest.approx(mean, rel=1e-12)
    np.testing.assert_allclose(hmm.covars_[0], covars, rtol=1e-12)
    assert hmm.transmat_[0, 0] == pytest.approx(stay, abs=5e-8)


@pytest.mark.parametrize(
    ("kind", "means", "covars"),
    [
        ("diag", [0.11680936054684746, 0.12790817429980061], [[0.553150385348834, 0], [0, 0.5432709562317853]]),
        (
            "full",
            [0.15151886809581064, 0.18684140857665418],
            [[0.6998548763197792, 0.24658565064081048], [0.24658565064081048, 0.6295401188763744]],
        ),
        ("spherical", [0.0982909577946175, 0.08597279526522247], 0.5379640038896241 * np.eye(2)),
        (
            "tied",
            [0.23520451691834304, 0.18891026058644309],
            [[1.030692789044892, 0.16778194442943775], [0.16778194442943775, 1.2112235121542803]],
        ),
    ],
)
def test_priors_mean_what_they_mean_in_hmmlearn(kind, means, covars):
    # With means_prior=1, means_weight=2, covars_prior=0.5 (the identity times 0.5 where matrices are full or tied),
    # covars_weight=5, transmat_prior=3, startprob_prior=2.
    priors = {"means_prior": 1.0, "means_weight": 2.0, "covars_prior": 0.5, "covars_weight": 5.0}
    hmm = _one_step(_gaussian(kind, transmat_prior=3.0, startprob_prior=2.0, **priors), X)
    np.testing.assert_allclose(hmm.means_[0], means, rtol=1e-12)
    np.testing.assert_allclose(hmm.covars_[0], covars, rtol=1e-12)
    if kind == "diag":
        np.testing.assert_allclose(hmm.transmat_[:, 0], [0.7375884858986309, 0.2285695550665916], rtol=1e-12)
        np.testing.assert_allclose(hmm.startprob_, [0.766536379009, 0.233463620991], rtol=1e-11)


def test_gaussian_mixtures_score_and_decode_alike():
    hmm = _with(
        GMMHMM(2, n_mix=2),
        weights_=[[0.6, 0.4], [0.5, 0.5]],
        means_=[[[0.0, 0.5], [-1.0, 0.0]], [[2.5, -0.5], [3.0, 0.5]]],
        covars_=[[[1.0, 0.5], [0.5, 0.7]], [[2.0, 1.5], [1.0, 0.8]]],
    )
    assert hmm.score(X, LENGTHS) == pytest.approx(-129.4651885949391, rel=1e-13)
    assert hmm.decode(X, LENGTHS)[0] == pytest.approx(-130.8460812496544, rel=1e-13)


def test_symbols_score_decode_and_step_alike():
    hmm = _with(CategoricalHMM(2), emissionprob_=EMISSIONPROB)
    assert hmm.score(SYMBOLS, LENGTHS) == pytest.approx(-53.358876422796264, rel=1e-13)
    assert hmm.decode(SYMBOLS, LENGTHS)[0] == pytest.approx(-59.709575047572315, rel=1e-13)
    hmm = _one_step(hmm, SYMBOLS)
    expected = [[0.4574041043564241, 0.3523766452543185, 0.11484515499499905, 0.07537409539425834]]
    expected += [[0.18003631882982993, 0.3408930616575859, 0.2847079482375271, 0.19436267127505705]]
    np.testing.assert_allclose(hmm.emissionprob_, expected, rtol=1e-12)
    assert hmm.score(SYMBOLS, LENGTHS) == pytest.approx(-49.84682177950907, rel=1e-12)


def test_counts_score_decode_and_step_alike():
    hmm = _with(PoissonHMM(2), lambdas_=[[4.0], [9.0]])
    assert hmm.score(COUNTS, LENGTHS) == pytest.approx(-149.59120534919452, rel=1e-13)
    assert hmm.decode(COUNTS, LENGTHS)[0] == pytest.approx(-155.55431124277789, rel=1e-13)
    hmm = _one_step(hmm, COUNTS)
    np.testing.assert_allclose(hmm.lambdas_[:, 0], [2.833544711048, 12.00303476778], rtol=1e-11)
    np.testing.assert_allclose(hmm.transmat_, [[0.332230313052, 0.667769686948], [0.363975980833, 0.636024019167]])


def test_a_gamma_prior_adds_events_and_rows_as_in_hmmlearn():
    hmm = PoissonHMM(1, lambdas_prior=3.0, lambdas_weight=2.0).fit(COUNTS)
    assert hmm.lambdas_[0, 0] == pytest.approx((COUNTS.sum() + 3) / (40 + 2), rel=1e-12)


def test_counts_of_symbols_score_decode_and_step_alike():
    hmm = _with(MultinomialHMM(2, n_trials=5), emissionprob_=[[0.5, 0.2, 0.3], [0.2, 0.5, 0.3]])
    assert hmm.score(SHARES, LENGTHS) == pytest.approx(-107.06954283535019, rel=1e-12)
    assert hmm.decode(SHARES, LENGTHS)[0] == pytest.approx(-115.20844447032476, rel=1e-12)
    hmm = _one_step(hmm, SHARES)
    expected = [[0.35742863941376374, 0.24257136058623632, 0.4], [0.11987277779002688, 0.48012722220997317, 0.4]]
    np.testing.assert_allclose(hmm.emissionprob_, expected, rtol=1e-12)


def test_the_stationary_distribution_is_that_of_hmmlearn():
    hmm = _with(PoissonHMM(2), lambdas_=[[4.0], [9.0]])
    hmm.transmat_ = [[0.332230313052, 0.667769686948], [0.363975980833, 0.636024019167]]
    np.testing.assert_allclose(hmm.get_stationary_distribution() @ hmm.transmat_, hmm.get_stationary_distribution())
    hmm.transmat_ = TRANSMAT
    np.testing.assert_allclose(hmm.get_stationary_distribution(), [0.35 / 0.55, 0.2 / 0.55], rtol=1e-12)
