import hashlib
import json
import pickle
import zipfile
from dataclasses import replace

import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LinearRegression

from ml.learning.artifacts import CARD_FILE, ArtifactUnreadable, load_bundle, save_bundle
from ml.learning.prediction import predict
from ml.learning.training import fit_night
from tests.ml.markets import market_samples, nothing_stored, tiny

MARKET = "simulated"


@pytest.fixture(scope="module")
def data():
    return market_samples(shares=20, days=260)


@pytest.fixture(scope="module", params=["ensemble", "random_forest"])
def bundle(request, data):
    return fit_night(data, tiny(request.param, size=0.03), data.sessions[-1].date(), nothing_stored()).bundle


@pytest.fixture
def stored(bundle, tmp_path):
    return save_bundle(bundle, tmp_path, MARKET), tmp_path


def tonight(data):
    return data.between(int(data.position[-1]), int(data.position[-1]))


def test_a_bundle_comes_back_bit_by_bit(data, bundle, stored):
    card, folder = stored
    again = load_bundle(folder / card["path"], card["files"], MARKET)
    assert again.metadata == json.loads(json.dumps(bundle.metadata))
    assert again.calibration == bundle.calibration
    assert again.estimator == replace(bundle.estimator, note="")
    pd.testing.assert_frame_equal(predict(again, tonight(data)), predict(bundle, tonight(data)), check_exact=True)


def test_the_row_to_store(bundle, stored):
    card, folder = stored
    assert card["id"] == card["path"]
    assert card["id"].startswith(f"{bundle.estimator.name}_{bundle.metadata['session']}_")
    assert card["recipe"] == bundle.estimator.recipe
    assert sorted(path.name for path in (folder / card["path"]).iterdir()) == sorted(card["files"])
    for name, digest in card["files"].items():
        assert hashlib.sha256((folder / card["path"] / name).read_bytes()).hexdigest() == digest
    json.dumps(card)


def test_writing_twice_changes_nothing(bundle, stored):
    card, folder = stored
    assert save_bundle(bundle, folder, MARKET)["id"] == card["id"]


def test_a_changed_file_is_refused(stored):
    card, folder = stored
    for name in card["files"]:
        path = folder / card["path"] / name
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(ArtifactUnreadable, match=f"{name} has changed since the model was stored"):
            load_bundle(folder / card["path"], card["files"], MARKET)
        path.write_bytes(content)
    load_bundle(folder / card["path"], card["files"], MARKET)


def test_a_missing_file_is_refused(stored):
    card, folder = stored
    name = next(name for name in card["files"] if name != CARD_FILE)
    (folder / card["path"] / name).unlink()
    with pytest.raises(ArtifactUnreadable, match=f"{name} is missing: train again"):
        load_bundle(folder / card["path"], card["files"], MARKET)


def test_files_without_a_recorded_hash_are_refused(stored):
    card, folder = stored
    with pytest.raises(ArtifactUnreadable, match="names files without a hash"):
        load_bundle(folder / card["path"], {CARD_FILE: card["files"][CARD_FILE]}, MARKET)
    with pytest.raises(ArtifactUnreadable, match=r"has no hash for bundle\.json"):
        load_bundle(folder / card["path"], {}, MARKET)


def test_a_file_outside_the_models_folder_is_not_read(stored, tmp_path):
    card, folder = stored
    for name in ("../elsewhere", str(tmp_path / "elsewhere"), "."):
        with pytest.raises(ArtifactUnreadable, match="is not the name of a file in"):
            load_bundle(folder / card["path"], card["files"] | {name: "0" * 64}, MARKET)


def plant(stored, name: str, content: bytes):
    """Replace a model's file by another one, with a matching hash."""
    card, folder = stored
    place = folder / card["path"]
    old = next(file for file in card["files"] if file.startswith("member_0"))
    text = (place / CARD_FILE).read_text().replace(old, name)
    (place / CARD_FILE).write_text(text)
    (place / name).write_bytes(content)
    files = {file: hashlib.sha256((place / file).read_bytes()).hexdigest() for file in {*card["files"], name} - {old}}
    return place, files, MARKET


def test_types_that_skops_trusts_are_loaded(stored):
    content = skops.io.dumps(LinearRegression())
    fits = load_bundle(*plant(stored, "planted.skops", content)).fits
    assert isinstance(next(iter(fits.values())), LinearRegression)  # on skops' own list of harmless types


class Foreign:
    """A type on no allow-list."""


def test_foreign_types_are_refused(stored):
    content = skops.io.dumps(Foreign())
    with pytest.raises(ArtifactUnreadable, match=r"types that are not allowed: .*Foreign"):
        load_bundle(*plant(stored, "planted.skops", content))


def test_a_pickle_is_refused(stored):
    with pytest.raises(ArtifactUnreadable, match="is not a stored forest"):
        load_bundle(*plant(stored, "planted.skops", pickle.dumps([1])))


def test_broken_text_is_refused(stored):
    with pytest.raises(ArtifactUnreadable, match="is not a LightGBM model"):
        load_bundle(*plant(stored, "planted.txt", b"tree\nnothing"))


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"coefficients": [NaN, 1]}', b'{"coefficients": "x"}'])
def test_a_broken_linear_model_is_refused(stored, content):
    with pytest.raises(ArtifactUnreadable, match=r"is not a linear model|coefficients that are no numbers"):
        load_bundle(*plant(stored, "planted.json", content))


def test_a_bundle_of_an_older_layout_is_refused(stored):
    card, folder = stored
    place = folder / card["path"]
    content = json.loads((place / CARD_FILE).read_text())
    del content["version"]
    (place / CARD_FILE).write_text(json.dumps(content))
    files = card["files"] | {CARD_FILE: hashlib.sha256((place / CARD_FILE).read_bytes()).hexdigest()}
    with pytest.raises(ArtifactUnreadable, match=r"is of version 1 of the models' layout, not 2\. Train again\."):
        load_bundle(place, files, MARKET)


def test_a_bundle_of_another_market_is_refused(stored):
    card, folder = stored
    with pytest.raises(ArtifactUnreadable, match="was fitted on the simulated market, and this is the real one"):
        load_bundle(folder / card["path"], card["files"], "real")


def test_an_estimator_that_is_gone_is_refused(stored):
    card, folder = stored
    place = folder / card["path"]
    text = (place / CARD_FILE).read_text().replace('"learner": "', '"learner": "former ')
    (place / CARD_FILE).write_text(text)
    files = card["files"] | {CARD_FILE: hashlib.sha256((place / CARD_FILE).read_bytes()).hexdigest()}
    with pytest.raises(ArtifactUnreadable, match=r"an estimator that this version lacks .*former"):
        load_bundle(place, files, MARKET)


def test_a_forest_is_a_zip_without_pickles(data, tmp_path):
    night = fit_night(data, tiny("random_forest", size=0.02), data.sessions[-1].date(), nothing_stored())
    card = save_bundle(night.bundle, tmp_path, MARKET)
    with zipfile.ZipFile(tmp_path / card["path"] / "member_0.skops") as archive:
        assert not any(name.endswith((".pkl", ".pickle")) for name in archive.namelist())
