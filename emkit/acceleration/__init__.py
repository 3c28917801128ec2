"""Longer steps than EM takes, in natural coordinates.

An accelerator looks at params x and their EM image F(x), as vectors, and may propose another point. It never judges:
the driver halves an infeasible proposal towards F(x), evaluates it, and accepts it only if the objective has not
fallen by more than rounding (the gate). So no accelerator can make a fit worse or wrong, only slower.
"""

from emkit.acceleration.anderson import Anderson
from emkit.acceleration.automatic import Automatic
from emkit.acceleration.base import Acceleration, Accelerator
from emkit.acceleration.names import as_accelerator
from emkit.acceleration.quasi_newton import QuasiNewton
from emkit.acceleration.squarem import Squarem

__all__ = ["Acceleration", "Accelerator", "Anderson", "Automatic", "QuasiNewton", "Squarem", "as_accelerator"]
