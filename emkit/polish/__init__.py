"""The last part of a climb by the exact score: superlinear where EM is linear."""

from emkit.polish.ascent import Ascent
from emkit.polish.settings import Polish, as_polish
from emkit.polish.view import Place, View

__all__ = ["Ascent", "Place", "Polish", "View", "as_polish"]
