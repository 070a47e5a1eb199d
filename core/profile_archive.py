"""A profile in one ZIP: settings, keys, label sets and models, for another computer or for later.

No patient leaves unless that is asked for: recent paths, what was open and the reader's name
stay behind, and the label journal, which knows patients, goes only with `labels=True`. The key
from which pseudonyms are made (`site.key`) never goes.

Taking a profile over checks everything before anything is changed. A label set or model that is
here already under that name, and differs, stays as it is and is told.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from core import durable, places
from core.errors import BadLabelSetError, BadProfileError, BadSettingError, DamagedModelError
from core.labels.journal import program
from core.labels.sets import own_sets_folder, read_label_set
from core.models.card import CARD_FILE, read_card
from core.models.catalogue import Catalogue
from core.sentences import sentence
from core.settings import OF_THIS_COMPUTER, Settings
from core.settings_migrations import migrated

FORMAT = 1
LARGEST = 4 * 1024**3
"""Bytes that a profile may unpack to."""

_MOST_FILES = 2000
_JOURNAL = "labels.db"


class Manifest(BaseModel):
    """What a profile says of itself. holds_patients: the label journal is inside."""

    model_config = ConfigDict(extra="ignore", strict=True)

    kind: Literal["sliceloop-profile"] = "sliceloop-profile"
    format: int = FORMAT
    program: str = ""
    holds_patients: bool = False
    label_sets: list[str] = []
    cards: list[str] = []
    weights: list[str] = []


@dataclass(frozen=True)
class Choice:
    """What goes into a profile.

    models: ids of models whose cards go; weights: whether their weights go along. labels: the
    label journal, which names patients.
    """

    settings: bool = True
    label_sets: bool = True
    models: tuple[str, ...] = ()
    weights: bool = False
    labels: bool = False


@dataclass
class Taken:
    """What was taken over from a profile, and what stayed as it was and why."""

    settings: bool = False
    label_sets: list[str] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    cards: list[str] = field(default_factory=list)
    labels: bool = False
    left: list[str] = field(default_factory=list)


def cards_folder() -> Path:
    """Folders of cards that came without their weights: to be read, not to be asked."""
    return places.data_folder() / "cards"


# ----------------------------------------------------------------- out


def export_profile(
    out: Path, values: Settings, choice: Choice, catalogue: Catalogue | None = None
) -> Manifest:
    """Write a profile into `out`, whole or not at all. Returns what is in it.

    Raises UnknownModelError for a model that is not there, BadProfileError if the journal cannot
    be read, NotDurableError if the file cannot be written.
    """
    manifest = Manifest(program=program(), holds_patients=choice.labels)
    with tempfile.TemporaryDirectory(prefix="sliceloop-profile-") as scratch:
        made = Path(scratch) / "profile.zip"
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            if choice.settings:
                archive.writestr("settings.json", _json(_settings_out(values)))
            if choice.label_sets:
                for file in sorted(own_sets_folder().glob("*.yaml")):
                    manifest.label_sets.append(read_label_set(file).id)
                    archive.write(file, f"labels/{file.name}")
            for name in choice.models:
                entry = (catalogue or Catalogue()).get(name)
                archive.write(entry.folder / CARD_FILE, f"models/{entry.card.id}/{CARD_FILE}")
                manifest.cards.append(entry.card.id)
                if choice.weights:
                    for part, _ in entry.card.weight_files:
                        stored = f"models/{entry.card.id}/{part}"
                        archive.write(entry.folder / part, stored, zipfile.ZIP_STORED)
                    manifest.weights.append(entry.card.id)
            if choice.labels:
                archive.write(_journal_copy(Path(scratch) / _JOURNAL), f"journal/{_JOURNAL}")
            archive.writestr("manifest.json", _json(manifest.model_dump()))
        durable.write_bytes(out, made.read_bytes())
    return manifest


def _settings_out(values: Settings) -> dict[str, Any]:
    return {"version": values.version, **values.to_pass_on()}


def _journal_copy(to: Path) -> Path:
    """The journal as it stands, though a window may be writing to it."""
    file = places.journal_file()
    if not file.is_file():
        raise BadProfileError(file, "there is no label journal here")
    try:
        with (
            closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(to)) as copy,
        ):
            source.backup(copy)
    except sqlite3.Error as error:
        raise BadProfileError(file, "the label journal cannot be read") from error
    return to


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


# ----------------------------------------------------------------- in


def read_manifest(path: Path) -> Manifest:
    """What a profile says that it holds. Raises BadProfileError."""
    with _opened(path) as archive:
        return _manifest(path, archive)


def take_over(
    path: Path,
    values: Settings,
    keep: Callable[[Settings], None],
    catalogue: Catalogue | None = None,
    *,
    labels: bool = False,
) -> Taken:
    """Take over what a profile holds; `keep` is given the settings with those of the profile.

    labels: the label journal, too; only where there is none yet. Raises BadProfileError before
    anything is changed if the file is not as a profile is.
    """
    taken = Taken()
    with (
        _opened(path) as archive,
        tempfile.TemporaryDirectory(prefix="sliceloop-profile-") as scratch,
    ):
        manifest = _manifest(path, archive)
        root = Path(scratch)
        for name in _names(path, archive):
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, target.open("wb") as into:
                shutil.copyfileobj(source, into)
        merged = _settings_in(path, root, values)
        sets = _sets_in(path, root)
        models = _models_in(path, root, manifest)
        if merged is not None:
            keep(merged)
            taken.settings = True
        for file in sets:
            _take_set(file, taken)
        for folder in models:
            _take_model(folder, catalogue or Catalogue(), taken)
        journal = root / "journal" / _JOURNAL
        if labels and journal.is_file():
            _take_journal(path, journal, taken)
    return taken


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except OSError as error:
        raise BadProfileError(path, error.strerror or "it cannot be read") from error
    except zipfile.BadZipFile as error:
        raise BadProfileError(path, "it is no ZIP file, or is damaged") from error


def _names(path: Path, archive: zipfile.ZipFile) -> Sequence[str]:
    """The files inside, each of a place that a profile has; nothing climbs out of it."""
    infos = [item for item in archive.infolist() if not item.is_dir()]
    if len(infos) > _MOST_FILES or sum(item.file_size for item in infos) > LARGEST:
        raise BadProfileError(path, "it would unpack to more than a profile can hold")
    names = [item.filename for item in infos]
    if len(set(names)) != len(names):
        raise BadProfileError(path, "a file is in it twice")
    for name in names:
        if not _is_of_a_profile(name):
            raise BadProfileError(path, "it holds a file that no profile has")
    return names


def _is_of_a_profile(name: str) -> bool:
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        return False
    if len(parts) == 1:
        return name in ("manifest.json", "settings.json")
    if parts[0] == "labels":
        return len(parts) == 2 and name.endswith(".yaml")
    if parts[0] == "models":
        return len(parts) == 3 and (parts[2] == CARD_FILE or parts[2].endswith(".safetensors"))
    return parts == ["journal", _JOURNAL]


def _manifest(path: Path, archive: zipfile.ZipFile) -> Manifest:
    _names(path, archive)
    try:
        found = Manifest.model_validate_json(archive.read("manifest.json"))
    except KeyError as error:
        raise BadProfileError(path, "it does not say what it holds") from error
    except (ValidationError, zipfile.BadZipFile, RuntimeError) as error:
        raise BadProfileError(path, "what it says of itself cannot be read") from error
    if found.format > FORMAT:
        raise BadProfileError(path, "it was made by a newer version of Sliceloop")
    return found


def _settings_in(path: Path, root: Path, values: Settings) -> Settings | None:
    file = root / "settings.json"
    if not file.is_file():
        return None
    try:
        content = migrated(json.loads(file.read_text(encoding="utf-8")))
        known = set(Settings.model_fields) - OF_THIS_COMPUTER
        return values.changed({name: content[name] for name in known & set(content)})
    except BadSettingError as error:
        raise BadProfileError(path, f"the setting “{error.setting}” is not valid") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise BadProfileError(path, "its settings cannot be read") from error


def _sets_in(path: Path, root: Path) -> list[Path]:
    files = sorted((root / "labels").glob("*.yaml"))
    for file in files:
        try:
            found = read_label_set(file)
        except (BadLabelSetError, yaml.YAMLError) as error:
            raise BadProfileError(path, f"the label set {file.stem} is not valid") from error
        if found.id != file.stem:
            raise BadProfileError(path, f"the label set {file.stem} has another id")
    return files


def _models_in(path: Path, root: Path, manifest: Manifest) -> list[Path]:
    folders = sorted(item for item in (root / "models").glob("*") if item.is_dir())
    for folder in folders:
        try:
            card = read_card(folder)
        except DamagedModelError as error:
            raise BadProfileError(path, f"the card of {folder.name} is not valid") from error
        has_weights = any(folder.glob("*.safetensors"))
        if card.id != folder.name or has_weights != (card.id in manifest.weights):
            raise BadProfileError(path, f"{folder.name} is not the model that it says it is")
    return folders


def _take_set(file: Path, taken: Taken) -> None:
    target = own_sets_folder() / file.name
    shipped = places.resources() / "labels" / file.name
    content = file.read_bytes()
    if shipped.is_file() or (target.is_file() and target.read_bytes() != content):
        taken.left.append(f"label set {file.stem}: there is another one of that name here")
        return
    durable.write_bytes(target, content)
    taken.label_sets.append(file.stem)


def _take_model(folder: Path, catalogue: Catalogue, taken: Taken) -> None:
    if not any(folder.glob("*.safetensors")):
        card = (folder / CARD_FILE).read_bytes()
        durable.write_bytes(cards_folder() / folder.name / CARD_FILE, card)
        taken.cards.append(folder.name)
        return
    if any(entry.card.id == folder.name for entry in catalogue.list()):
        taken.left.append(f"model {folder.name}: there is one of that name here")
        return
    try:
        catalogue.publish(folder)
    except DamagedModelError as error:
        taken.left.append(f"model {folder.name}: {sentence(error)}")
        return
    taken.models.append(folder.name)


def _take_journal(path: Path, journal: Path, taken: Taken) -> None:
    target = places.journal_file()
    if target.exists():
        taken.left.append("labels: this profile has a label journal of its own")
        return
    try:
        with closing(sqlite3.connect(journal)) as copy:
            is_whole = copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    except sqlite3.Error:
        is_whole = False
    if not is_whole:
        raise BadProfileError(path, "its label journal is damaged")
    durable.write_bytes(target, journal.read_bytes())
    target.chmod(0o600)
    taken.labels = True
