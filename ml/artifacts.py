"""Bundles on disk: text and lists that can be read without running anything in them.

A booster is LightGBM's own text, a forest is skops with an allow-list of exactly the types that a forest of trees is
made of, the rest is JSON. No pickle anywhere. Each file's SHA-256 is kept outside of the folder (on the model's
row): a file that changed is refused, never half-read.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.calibration import Calibration
from ml.estimators import Fitted, is_booster
from ml.training import Bundle, acceptance
from stocks.storage.durable_files import replace_file

CARD_FILE = "bundle.json"

# What skops would not load unasked and a forest needs: its compiled trees.
TRUSTED_TYPES = frozenset({"sklearn.tree._tree.Tree"})


class ArtifactUnreadable(ValueError):
    """A stored model is missing, changed, or holds something that may not be loaded."""


def save_bundle(bundle: Bundle, models_dir: Path) -> dict[str, Any]:
    """Write a bundle into a folder of its own.

    Parameters
    ----------
    bundle
        What to keep.
    models_dir
        Folder of all models; the bundle's own is named after its id.

    Returns
    -------
    dict
        Columns of ``TrainedModel``: id (estimator, session and 12 digits of the hash of the rest), estimator, session,
        train_from, train_until, samples, features, parameters, metrics, data_hash, path (below
        ``models_dir``), files (name → SHA-256), status and reason (judged by ``training.acceptance``).

    Notes
    -----
    The same bundle gives the same id, files and hashes; writing it twice changes nothing.
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
    """Read a bundle back.

    Parameters
    ----------
    folder
        The bundle's own folder.
    files
        Name → SHA-256 of each file, as they were kept when it was written.

    Returns
    -------
    Bundle
        Predicts the same bits as the one that was written.

    Raises
    ------
    ArtifactUnreadable
        A file is missing, its hash differs, or it names a type that is not allowed.
    """
    for name, digest in files.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactUnreadable(f"{path} is missing: train again.")
        if _sha256(path) != digest:
            raise ArtifactUnreadable(f"{path} has changed since the model was stored: it is not loaded. Train again.")
    if CARD_FILE not in files:
        raise ArtifactUnreadable(f"{folder} has no hash for {CARD_FILE}: it is not loaded. Train again.")
    card = json.loads((folder / CARD_FILE).read_text())
    unknown = {*card["price"], *card["risk"]} - set(files)
    if unknown:
        raise ArtifactUnreadable(f"{folder} names files without a hash: {', '.join(sorted(unknown))}. Train again.")
    return Bundle(
        estimator=card["estimator"],
        features=tuple(card["features"]),
        price=_models(folder, card["price"]),
        risk=_models(folder, card["risk"]),
        calibration=Calibration.from_json(card["calibration"]),
        metadata=card["metadata"],
    )


def _card(bundle: Bundle) -> dict[str, Any]:
    def names(role: str, models: Sequence[Fitted]) -> list[str]:
        suffix = [".txt" if is_booster(model) else ".skops" for model in models]
        return [f"{role}_{number}{kind}" for number, kind in enumerate(suffix)]

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


def _models(folder: Path, names: Sequence[str]) -> tuple[Fitted, ...]:
    return tuple(_model(folder / name) for name in names)


def _model(path: Path) -> Fitted:
    return _booster(path) if path.suffix == ".txt" else _forest(path)


def _booster(path: Path) -> Fitted:
    import lightgbm

    try:
        booster: Fitted = lightgbm.Booster(model_str=path.read_text())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
        raise ArtifactUnreadable(f"{path} is no LightGBM model: {error}. Train again.") from error
    return booster


def _forest(path: Path) -> Fitted:
    import skops.io

    try:
        foreign = set(skops.io.get_untrusted_types(file=path)) - TRUSTED_TYPES
    except Exception as error:  # whatever skops or zipfile stumbles over: the file is not read
        raise ArtifactUnreadable(f"{path} is no stored forest: {error}. Train again.") from error
    if foreign:
        raise ArtifactUnreadable(f"{path} holds types that are not allowed: {', '.join(sorted(foreign))}.")
    forest: Fitted = skops.io.load(path, trusted=sorted(TRUSTED_TYPES))
    return forest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
