"""The last part of a climb by the exact score: superlinear where EM is linear."""

from emkit.polish.ascent import Ascent
from emkit.polish.settings import Polish, as_polish
from emkit.polish.view import View

__all__ = ["Ascent", "Polish", "View", "as_polish"]
