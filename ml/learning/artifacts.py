"""Model bundles on disk, in formats that cannot execute code when loaded.

A booster is stored as LightGBM's own text, a forest with skops and an allow-list of exactly the types that a forest
consists of, a linear model and everything else as JSON; never as a pickle. Each file's SHA-256 is stored elsewhere (in
the model's row), so that a changed file is refused before anything in it is parsed.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ml.learning.calibration import Calibration
from ml.learning.drift import Ranges
from ml.learning.estimators import Estimator
from ml.learning.learners import Fitted, is_booster
from ml.learning.linear import LinearModel
from ml.learning.training import Bundle
from ml.learning.versions import software_versions
from stocks.storage.durable_files import replace_file, sha256_of

CARD_FILE = "bundle.json"
VERSION = 2
"""Of the layout of a bundle's files."""

# The one type of a forest that skops does not trust by default: its compiled trees.
TRUSTED_TYPES = frozenset({"sklearn.tree._tree.Tree"})


class ArtifactUnreadable(ValueError):
    """A stored model is missing, was changed, or contains something that must not be loaded."""


def save_bundle(bundle: Bundle, models_dir: Path, market: str) -> dict[str, Any]:
    """Write a bundle into its own folder; the same bundle gives the same id, files and hashes.

    ``market`` is the kind of market that the bundle was fitted on, real or simulated.

    Returns
    -------
    dict
        Columns of ``TrainedModel``: id (estimator, session and 12 digits of the hash of the rest), estimator, those of
        the bundle's metadata, features, software, path (below ``models_dir``), files (name → SHA-256).
    """
    names = [f"member_{number}{_suffix(fit)}" for number, fit in enumerate(bundle.fits.values())]
    card = {
        "version": VERSION,
        "market": market,
        "estimator": bundle.estimator.name,
        "features": list(bundle.features),
        "members": names,
        "calibration": bundle.calibration and bundle.calibration.as_json(),
        "metadata": dict(bundle.metadata),
        "software": software_versions(),
        "ranges": bundle.ranges and bundle.ranges.as_json(),
    }
    content = json.dumps(card, indent=1, sort_keys=True).encode()
    name = f"{bundle.estimator.name}_{bundle.metadata['session']}_{hashlib.sha256(content).hexdigest()[:12]}"
    folder = models_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    with replace_file(folder / CARD_FILE) as path:
        path.write_bytes(content)
    for file, fit in zip(names, bundle.fits.values(), strict=True):
        with replace_file(folder / file) as path:
            _write(path, fit)
    return dict(bundle.metadata) | {
        "id": name,
        "estimator": bundle.estimator.name,
        "features": list(bundle.features),
        "software": card["software"],
        "path": name,
        "files": {file: sha256_of(folder / file) for file in (CARD_FILE, *names)},
    }


def load_bundle(folder: Path, files: Mapping[str, str], market: str) -> Bundle:
    """Read a bundle of a kind of market after verifying every file by its SHA-256; it predicts bitwise as it did.

    Raises
    ------
    ArtifactUnreadable
        A file is missing or its hash differs, a type is not allowed, the layout is of another version, or the
        bundle was fitted on another kind of market.
    """
    for name, digest in files.items():
        path = folder / name
        if path.name != name:
            raise ArtifactUnreadable(f"{name!r} is not the name of a file in {folder}; it is not loaded. Train again.")
        if not path.is_file():
            raise ArtifactUnreadable(f"{path} is missing: train again.")
        if sha256_of(path) != digest:
            raise ArtifactUnreadable(f"{path} has changed since the model was stored; it is not loaded. Train again.")
    if CARD_FILE not in files:
        raise ArtifactUnreadable(f"{folder} has no hash for {CARD_FILE}; it is not loaded. Train again.")
    card = json.loads((folder / CARD_FILE).read_text())
    if card.get("version") != VERSION:
        raise ArtifactUnreadable(
            f"{folder} is of version {card.get('version', 1)} of the models' layout, not {VERSION}. Train again."
        )
    # Older cards do not name it.
    if card.get("market", market) != market:
        raise ArtifactUnreadable(
            f"{folder} was fitted on the {card['market']} market, and this is the {market} one. Train again."
        )
    unhashed = set(card["members"]) - set(files)
    if unhashed:
        raise ArtifactUnreadable(f"{folder} names files without a hash: {', '.join(sorted(unhashed))}. Train again.")
    return _bundle(folder, card)


def _bundle(folder: Path, card: dict[str, Any]) -> Bundle:
    try:
        estimator = Estimator.from_json(card["estimator"], card["metadata"]["parameters"])
    except (KeyError, TypeError) as error:
        raise ArtifactUnreadable(
            f"{folder} is of an estimator that this version lacks ({error}). Train again."
        ) from error
    fits = [_load_model(folder / name) for name in card["members"]]
    return Bundle(
        estimator=estimator,
        features=tuple(card["features"]),
        fits=dict(zip(estimator.members, fits, strict=True)),
        calibration=card["calibration"] and Calibration.from_json(card["calibration"]),
        metadata=card["metadata"],
        ranges=card.get("ranges") and Ranges.from_json(card["ranges"]),
    )


def _suffix(fit: Fitted) -> str:
    if isinstance(fit, LinearModel):
        return ".json"
    return ".txt" if is_booster(fit) else ".skops"


def _write(path: Path, fit: Fitted) -> None:
    if isinstance(fit, LinearModel):
        path.write_text(json.dumps(fit.as_json()))
        return
    if is_booster(fit):
        path.write_text(fit.model_to_string())
        return
    import skops.io

    skops.io.dump(fit, path)


def _load_model(path: Path) -> Fitted:
    loaders = {".txt": _load_booster, ".json": _load_linear}
    return loaders.get(path.suffix, _load_forest)(path)


def _load_linear(path: Path) -> Fitted:
    try:
        model = LinearModel.from_json(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactUnreadable(f"{path} is not a linear model: {error}. Train again.") from error
    if not np.isfinite(model.coefficients).all():
        raise ArtifactUnreadable(f"{path} has coefficients that are no numbers. Train again.")
    return model


def _load_booster(path: Path) -> Fitted:
    import lightgbm

    try:
        booster: Fitted = lightgbm.Booster(model_str=path.read_text())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
        raise ArtifactUnreadable(f"{path} is not a LightGBM model: {error}. Train again.") from error
    return booster


def _load_forest(path: Path) -> Fitted:
    import skops.io

    try:
        untrusted = set(skops.io.get_untrusted_types(file=path)) - TRUSTED_TYPES
    except Exception as error:  # skops and zipfile raise many kinds on a damaged file; none of them may be loaded
        raise ArtifactUnreadable(f"{path} is not a stored forest: {error}. Train again.") from error
    if untrusted:
        raise ArtifactUnreadable(f"{path} contains types that are not allowed: {', '.join(sorted(untrusted))}.")
    forest: Fitted = skops.io.load(path, trusted=sorted(TRUSTED_TYPES))
    return forest
