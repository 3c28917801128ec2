"""A plugin by a stranger, who installs next to emkit and never imports it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import emkit
from emkit import datasets
from emkit.testing import LAWS, DoesNotApply, check_model

SOURCE = Path(__file__).parent / "emkit-coins" / "emkit_coins"
COINS = datasets.two_coins().values


def _model():
    return emkit.load_model("two-coins")


def test_it_is_found_by_its_entry_point():
    entry = emkit.available_models()["two-coins"]
    assert entry.dist is not None
    assert entry.dist.name == "emkit-coins"


def test_it_does_not_import_emkit():
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = getattr(node, "module", None) or ""
            assert not any(name.split(".")[0] == "emkit" for name in [*names, module])
    code = "import sys, emkit_coins; assert 'emkit' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_listing_models_does_not_import_it():
    code = "import sys, emkit; emkit.available_models(); assert 'emkit_coins' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("estimate_weight", [False, True])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_it_keeps_the_laws(law, estimate_weight):
    model = _model()(estimate_weight=estimate_weight)
    # Five sets do not determine three parameters; more of the same model do.
    truth = emkit.fit(_model()(), COINS, rng=0).params
    data = model.sample(truth, 200, np.random.default_rng(0)) if estimate_weight else COINS
    try:
        law(model, data)
    except DoesNotApply:
        assert law.__name__ == "statistics_of_two_halves_add_to_the_whole"


def test_check_model_takes_it_as_it_is():
    report = check_model(_model()(), COINS)
    assert len(report.kept) >= 10


def test_it_repeats_the_published_example():
    """Do and Batzoglou 2008, Nat. Biotechnol. 26:897, figure 1: (0.6, 0.5), then (0.71, 0.58), at last (0.80, 0.52)."""
    model = _model()()
    start = model.initialize(COINS, np.random.default_rng(0))._replace(heads_probability=np.array([0.6, 0.5]))
    points = [
        point.params.heads_probability for _, point in zip(range(11), emkit.iterate(model, COINS, start), strict=False)
    ]
    np.testing.assert_array_equal(points[1].round(2), [0.71, 0.58])
    np.testing.assert_array_equal(points[10].round(2), [0.80, 0.52])


def test_its_result_can_be_saved_and_loaded(tmp_path):
    result = emkit.fit(_model()(), COINS, rng=0)
    result.save(tmp_path / "coins.emkit")
    back = emkit.load(tmp_path / "coins.emkit")
    np.testing.assert_array_equal(back.params.heads_probability, result.params.heads_probability)
    assert str(back) == str(result)
