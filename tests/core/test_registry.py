import sys

import pytest

from emkit.errors import DuplicateModelError, UnknownModelError
from emkit.registry import available_models, load_model, model_name


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that lays out distributions as pip does, in a folder on the path."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def put(distribution, entry_points, files):
        metadata = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        (metadata / "entry_points.txt").write_text("\n".join(["[emkit.models]", *lines]))
        for name, source in files.items():
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(source)

    yield put
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", "") and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


A_MODEL = "class Model:\n    pass\n"


def test_models_are_listed_by_name_without_importing_them(install):
    install("zeta", {"zz-model": "zeta_package:Model"}, {"zeta_package.py": "raise SystemExit('imported')"})
    install("alpha", {"aa-model": "alpha_package:Model"}, {"alpha_package.py": "raise SystemExit('imported')"})
    names = list(available_models())
    assert names == sorted(names)
    assert {"aa-model", "zz-model"} <= set(names)
    assert available_models()["zz-model"].value == "zeta_package:Model"


def test_a_model_is_loaded_by_name_and_its_neighbours_are_left_alone(install):
    install("good", {"good-model": "good_package:Model"}, {"good_package.py": A_MODEL})
    install("loud", {"loud-model": "loud_package:Model"}, {"loud_package.py": "raise SystemExit('imported')"})
    model = load_model("good-model")
    assert (model.__module__, model.__name__) == ("good_package", "Model")
    assert "loud_package" not in sys.modules


def test_an_unknown_name_is_answered_with_the_known_and_the_close_ones(install):
    install("good", {"two-coins": "good_package:Model", "weather": "good_package:Model"}, {})
    with pytest.raises(UnknownModelError) as caught:
        load_model("two-coin")
    known, _, hint = str(caught.value).partition("Did you mean")
    assert "two-coins" in known
    assert "weather" in known
    assert hint == " 'two-coins'?"


def test_a_name_far_from_all_others_is_answered_without_a_guess(install):
    install("good", {"two-coins": "good_package:Model"}, {})
    with pytest.raises(UnknownModelError) as caught:
        load_model("xyzzy")
    assert "Did you mean" not in str(caught.value)


def test_with_no_model_installed_the_error_names_the_entry_point_group(monkeypatch):
    monkeypatch.setattr("emkit.registry.entry_points", lambda group: [])
    with pytest.raises(UnknownModelError, match=r"no installed distribution .* 'emkit\.models'"):
        load_model("anything")


def test_a_name_registered_twice_is_an_error_that_names_both_distributions(install):
    install("first-house", {"twice": "one_package:Model"}, {"one_package.py": A_MODEL})
    install("second-house", {"twice": "two_package:Model"}, {"two_package.py": A_MODEL})
    assert "twice" in available_models()
    with pytest.raises(DuplicateModelError, match="first-house and by second-house"):
        load_model("twice")


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import a_library_that_is_not_there", ModuleNotFoundError),
        ("1 / 0", ZeroDivisionError),
        ("Another = int", AttributeError),
    ],
)
def test_a_broken_plugin_is_named_with_its_reason(install, source, cause):
    install("broken-house", {"broken": "broken_package:Model"}, {"broken_package.py": source})
    with pytest.raises(ImportError, match=f"broken-house.*{cause.__name__}") as caught:
        load_model("broken")
    assert isinstance(caught.value.__cause__, cause)


def test_an_entry_point_that_is_no_class_is_refused(install):
    install("odd-house", {"odd": "odd_package:Model"}, {"odd_package.py": "Model = 7"})
    with pytest.raises(ImportError, match=r"odd-house.*must be a class and is of type int"):
        load_model("odd")


def test_a_class_knows_the_name_it_is_registered_under(install):
    install(
        "good",
        {"good-model": "good_package:Model"},
        {"good_package.py": A_MODEL + "class Other:\n    pass\n"},
    )
    cls = load_model("good-model")
    assert model_name(cls) == "good-model"
    assert model_name(sys.modules["good_package"].Other) is None


def test_a_class_registered_through_a_reexport_knows_its_name(install):
    install(
        "shop",
        {"shown": "shop_package:Model"},
        {"shop_package/__init__.py": "from shop_package.back import Model", "shop_package/back.py": A_MODEL},
    )
    cls = load_model("shown")
    assert cls.__module__ == "shop_package.back"
    assert model_name(cls) == "shown"


def test_asking_for_a_name_imports_no_other_plugin_and_survives_a_broken_neighbour(install):
    install("loud", {"a-loud": "loud_package:Model"}, {"loud_package.py": "raise SystemExit('imported')"})
    install(
        "shop",
        {"a-broken": "shop_package:Missing", "shown": "shop_package:Shown"},
        {"shop_package.py": A_MODEL + "Shown = Model\n"},
    )
    assert model_name(load_model("shown")) == "shown"
    assert "loud_package" not in sys.modules


def test_a_class_of_no_plugin_has_no_name():
    assert model_name(int) is None
