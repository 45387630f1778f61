"""Model bundles on disk, in formats that cannot execute code when loaded.

A booster is stored as LightGBM's own text, a forest with skops and an allow-list of exactly the types that a forest
consists of, everything else as JSON; never as a pickle. Each file's SHA-256 is stored elsewhere (in the model's row),
so that a changed file is refused before anything in it is parsed.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.learning.calibration import Calibration
from ml.learning.estimators import Fitted, is_booster
from ml.learning.training import Bundle, acceptance
from stocks.storage.durable_files import replace_file

CARD_FILE = "bundle.json"

# The one type of a forest that skops does not trust by default: its compiled trees.
TRUSTED_TYPES = frozenset({"sklearn.tree._tree.Tree"})


class ArtifactUnreadable(ValueError):
    """A stored model is missing, was changed, or contains something that must not be loaded."""


def save_bundle(bundle: Bundle, models_dir: Path) -> dict[str, Any]:
    """Write a bundle into its own folder; the same bundle gives the same id, files and hashes.

    Returns
    -------
    dict
        Columns of ``TrainedModel``: id (estimator, session and 12 digits of the hash of the rest), estimator, session,
        train_from, train_until, samples, features, parameters, metrics, data_hash, path (below
        ``models_dir``), files (name → SHA-256), status and reason (see ``training.acceptance``).
    """
    card = _card(bundle)
    content = json.dumps(card, indent=1, sort_keys=True).encode()
    name = f"{bundle.estimator}_{bundle.metadata['session']}_{hashlib.sha256(content).hexdigest()[:12]}"
    folder = models_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    with replace_file(folder / CARD_FILE) as path:
        path.write_bytes(content)
    for role, models in (("price", bundle.price), ("risk", bundle.risk)):
        for file, model in zip(card[role], models, strict=True):
            with replace_file(folder / file) as path:
                _write(path, model)
    accepted, reason = acceptance(bundle.metadata["metrics"])
    files = {file: _sha256(folder / file) for file in (CARD_FILE, *card["price"], *card["risk"])}
    return bundle.metadata | {
        "id": name,
        "estimator": bundle.estimator,
        "features": list(bundle.features),
        "path": name,
        "files": files,
        "status": "accepted" if accepted else "rejected",
        "reason": reason,
    }


def load_bundle(folder: Path, files: Mapping[str, str]) -> Bundle:
    """Read a bundle after verifying every file by its SHA-256; it predicts bitwise as the bundle that was written.

    Raises
    ------
    ArtifactUnreadable
        A file is missing or its hash differs, or a type is not allowed.
    """
    for name, digest in files.items():
        path = folder / name
        if path.name != name:
            raise ArtifactUnreadable(f"{name!r} is not the name of a file in {folder}; it is not loaded. Train again.")
        if not path.is_file():
            raise ArtifactUnreadable(f"{path} is missing: train again.")
        if _sha256(path) != digest:
            raise ArtifactUnreadable(f"{path} has changed since the model was stored; it is not loaded. Train again.")
    if CARD_FILE not in files:
        raise ArtifactUnreadable(f"{folder} has no hash for {CARD_FILE}; it is not loaded. Train again.")
    card = json.loads((folder / CARD_FILE).read_text())
    unhashed = {*card["price"], *card["risk"]} - set(files)
    if unhashed:
        raise ArtifactUnreadable(f"{folder} names files without a hash: {', '.join(sorted(unhashed))}. Train again.")
    return Bundle(
        estimator=card["estimator"],
        features=tuple(card["features"]),
        price=tuple(_load_model(folder / name) for name in card["price"]),
        risk=tuple(_load_model(folder / name) for name in card["risk"]),
        calibration=Calibration.from_json(card["calibration"]),
        metadata=card["metadata"],
    )


def _card(bundle: Bundle) -> dict[str, Any]:
    def names(role: str, models: Sequence[Fitted]) -> list[str]:
        return [f"{role}_{number}{'.txt' if is_booster(model) else '.skops'}" for number, model in enumerate(models)]

    return {
        "estimator": bundle.estimator,
        "features": list(bundle.features),
        "price": names("price", bundle.price),
        "risk": names("risk", bundle.risk),
        "calibration": bundle.calibration.as_json(),
        "metadata": bundle.metadata,
    }


def _write(path: Path, model: Fitted) -> None:
    if is_booster(model):
        path.write_text(model.model_to_string())
        return
    import skops.io

    skops.io.dump(model, path)


def _load_model(path: Path) -> Fitted:
    return _load_booster(path) if path.suffix == ".txt" else _load_forest(path)


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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
