"""Sphinx configuration: pages are MyST notebooks, executed at every build; a warning or a failing cell stops it."""

from __future__ import annotations

import re
from typing import Any

import emkit

project = "emkit"
author = "The emkit developers"
copyright = "the emkit developers"
release = version = emkit.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "jupyter_execute", ".jupyter_cache"]
default_role = "code"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "pydata_sphinx_theme"
html_title = "emkit"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
}


def equations_as_code(*event: Any) -> None:
    """Show indented equations of a docstring as code: ``r**2`` is no bold face and ``|r|`` no substitution."""
    lines: list[str] = event[-1]
    headers = (i for i, line in enumerate(lines) if i and re.fullmatch(r"-{3,}", line.strip()))
    end = next(headers, len(lines) + 1) - 1
    shown: list[str] = []
    for i, line in enumerate(lines[:end]):
        before = next((text for text in reversed(lines[:i]) if text.strip()), "")
        opens = line.startswith("    ") and i and not lines[i - 1].strip() and not before.startswith(" ")
        if opens and not before.startswith("..") and not before.rstrip().endswith("::"):
            shown += ["::", ""]
        shown.append(line)
    lines[:end] = shown


def setup(app: Any) -> None:
    """Run the above before numpydoc, whose priority is 500."""
    app.connect("autodoc-process-docstring", equations_as_code, priority=400)
