"""A mixture of three bivariate normals on simulated data."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from scipy.special import ndtri

import emkit
from emkit import StepTolerance, space
from problems.record import Problem


@attrs.frozen(eq=False)
class NormalMixtureParams:
    weights: np.ndarray = space.simplex()
    means: np.ndarray = space.real()
    covariances: np.ndarray = space.covariance()


class BivariateNormalMixture(emkit.LatentModel):
    """A mixture of normal distributions, textbook steps; statistics are counts, sums and sums of outer products."""

    def e_step(self, params: NormalMixtureParams, data: Any) -> emkit.EStep:
        size = data.shape[1]
        roots = np.linalg.cholesky(params.covariances)
        scaled = np.linalg.solve(roots, np.swapaxes(data - params.means[:, None], 1, 2))
        log_scale = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1) + size / 2 * np.log(2 * np.pi)
        log_joint = (np.log(params.weights) - log_scale)[:, None] - (scaled**2).sum(axis=1) / 2
        top = log_joint.max(axis=0)
        joint = np.exp(log_joint - top)
        sums = joint.sum(axis=0)
        shares = joint / sums
        second = (shares[:, None] * data.T) @ data
        total = np.log(sums).sum() + top.sum()
        return emkit.EStep((shares.sum(axis=1), shares @ data, second), float(total), float(len(data)))

    def m_step(self, params: NormalMixtureParams, statistics: Any) -> NormalMixtureParams:
        counts, first, second = statistics
        means = first / counts[:, None]
        covariances = second / counts[:, None, None] - means[:, :, None] * means[:, None, :]
        return NormalMixtureParams(counts / counts.sum(), means, (covariances + np.swapaxes(covariances, 1, 2)) / 2)


def _simulated(sizes, means, covariances):
    """Return rows of normal distributions made with a congruential generator that every machine repeats.

    ``r = (3685477807 r + 12345) // 65536 % 32768`` from 1, through the normal quantile, two numbers a row.
    """
    r, rows = 1, []
    for size, (m1, m2), (s11, s12, s22) in zip(sizes, means, covariances, strict=True):
        uniform = np.empty(2 * size)
        for i in range(2 * size):
            r = (r * 3685477807 + 12345) // 65536 % 32768
            uniform[i] = r / 32768
        z1, z2 = ndtri(uniform).reshape(size, 2).T
        slope = s12 / s11
        rows.append(
            np.column_stack([m1 + np.sqrt(s11) * z1, m2 + slope * np.sqrt(s11) * z1 + np.sqrt(s22 - s12 * slope) * z2])
        )
    return np.concatenate(rows)


#: The example of Julia's FixedPointTestProblems; these "covariances" are (s11, s12, s22).
THREE_NORMALS = _simulated((300, 200, 500), ((0, 8), (-4, 10), (-3, 2)), ((2, 0.5, 2), (2, -0.5, 12), (4, 2, 3)))
THREE_NORMALS_PROBLEM = Problem(
    "three bivariate normals",
    BivariateNormalMixture(),
    THREE_NORMALS,
    NormalMixtureParams(
        [0.4, 0.2, 0.4],
        [[0, 7.5], [-4, 12], [-2, 0]],
        [[[2, 0], [0, 1]], [[2, 0], [0, 2]], [[4, 0], [0, 2]]],
    ),
    -4787.80900970324,
    # 429 for the 17 free numbers; the driver's length of a step has all weights and both covariances of a matrix.
    430,
    StepTolerance(1e-7),
)
