"""One start of a fit: the loop, the steps it takes, and the chart it takes them on."""

from emkit.climb.climb import Climb
from emkit.climb.evaluation import Evaluation

__all__ = ["Climb", "Evaluation"]
