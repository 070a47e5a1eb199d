"""What a person has chosen, kept between sessions. Fields, not string keys."""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from core import durable, places
from core.errors import BadSettingError, NotDurableError
from core.events import Signal
from core.settings_migrations import VERSION, migrated

_log = logging.getLogger(__name__)

RECENT_LIMIT = 10

OF_THIS_COMPUTER = frozenset(
    {
        *("version", "reader", "recent", "session", "window_geometry", "splitter", "recipe"),
        *("queue_seed", "export_folder"),
    }
)
"""Fields that mean something on this computer alone, or that name a person or a folder with a
patient's images: a profile that is passed on leaves them out."""


class OpenSeries(BaseModel):
    """A series that was open when the window was closed, as far as it can be found again.

    path: of the folder or file that was opened, on this computer. key: of the reading in it.
    index: slice looked at. is_current: the one that was shown.
    """

    model_config = ConfigDict(extra="ignore")

    path: str
    key: str = ""
    index: int = 0
    is_current: bool = False


class WindowPreset(BaseModel):
    """A window on one of the keys 1–5 for images in Hounsfield units.

    center and width are in HU, as in DICOM PS3.3 C.11.2.1.2.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
    center: float = Field(ge=-32768, le=32767)
    width: float = Field(ge=1, le=65536)


class Settings(BaseModel):
    """The person's settings; every field has a safe default.

    Reading. reader: name under which labels are given; empty means the account's name.
    task: id of the label set that is read for. industry: words and habits for objects instead of
    patients: µm, percentile windows. ask_on_open: whether the active model is asked as soon as a
    series is loaded. read_first: whether answers stay hidden until the reader has labelled
    something. restore_session: whether what was open is opened again at the next start.
    queue_seed: of the random audit, so that it is drawn again as it was.

    Looks. language: "en", "ko", or "" for the desktop's own. theme: "dark", "light", or "" for
    the desktop's own. software_rendering: the window is drawn without the graphics card.

    Images. first_layout: how the stage is divided for a series that is opened. first_window: the
    window it is first shown with: the header's, the first preset or an automatic one.
    window_presets: windows on keys 1–5 for Hounsfield units; an empty list is those delivered.
    smooth, annotations, cross_hair, measurements_shown, regions_shown: what is drawn at first.
    heat_map: whether the heat map lies over the image from the start. heat_opacity: of the heat
    map, 0.05–1. heat_colours: one of core.models.heat.COLOUR_MAPS. heat_cut: part of its range
    below which nothing is drawn, 0–0.95. cine_rate: slices a second.

    Computing. device: on which models answer. runtime: what computes on a CPU. threads: of a
    model that answers; 0 takes the libraries' choice. memory_gb: of voxels kept in memory, GiB.

    Folders. export_folder: where file dialogs for exports begin; empty is the last one used.

    Trouble. log_level: least level that the log keeps. crash_reports: whether a report is kept
    when the program ends unexpectedly.

    recent: folders and files opened last, newest first. recipe: chosen last for a retraining.
    window_geometry, splitter: Qt's own base64 state of the main window. session: what was open.
    keys: command's name → keys in Qt's portable form that replace its own; an empty list is none.
    """

    model_config = ConfigDict(extra="ignore", validate_assignment=True)

    version: int = VERSION
    reader: Annotated[str, StringConstraints(max_length=80)] = ""
    task: str = ""
    industry: bool = False
    ask_on_open: bool = True
    read_first: bool = False
    restore_session: bool = True
    queue_seed: int = Field(default=0, ge=0, le=2**31 - 1)

    language: Literal["", "en", "ko"] = ""
    theme: Literal["", "dark", "light"] = "dark"
    software_rendering: bool = False

    first_layout: Literal["single", "three-panels", "planes", "grid"] = "single"
    first_window: Literal["header", "preset", "automatic"] = "header"
    window_presets: list[WindowPreset] = Field(default_factory=list, max_length=5)
    smooth: bool = True
    annotations: bool = True
    cross_hair: bool = True
    measurements_shown: bool = True
    regions_shown: bool = True
    heat_map: bool = False
    heat_opacity: float = Field(default=0.45, ge=0.05, le=1.0)
    heat_colours: Literal["inferno", "cividis", "red-blue"] = "inferno"
    heat_cut: float = Field(default=0.25, ge=0.0, le=0.95)
    cine_rate: float = Field(default=12.5, ge=1.0, le=60.0)

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    runtime: Literal["auto", "openvino", "torch"] = "auto"
    threads: int = Field(default=0, ge=0, le=256)
    memory_gb: float = Field(default=3.0, ge=0.25, le=1024.0)

    export_folder: str = ""

    log_level: Literal["ERROR", "WARNING", "INFO", "DEBUG"] = "WARNING"
    crash_reports: bool = True

    recent: list[str] = Field(default_factory=list)
    recipe: str = ""
    window_geometry: str = ""
    splitter: list[int] = Field(default_factory=list)
    keys: dict[str, list[str]] = Field(default_factory=dict)
    session: list[OpenSeries] = Field(default_factory=list)

    @property
    def reader_name(self) -> str:
        """Who is reading."""
        if self.reader.strip():
            return self.reader.strip()
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return "reader"

    @property
    def voxel_budget(self) -> int:
        """Bytes of voxels that may stay in memory."""
        return int(self.memory_gb * 1024**3)

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """These settings with some of them changed, checked as a whole.

        Raises BadSettingError with the first field that cannot be so, and why.
        """
        unknown = sorted(set(changes) - set(type(self).model_fields))
        if unknown:
            raise BadSettingError(unknown[0], "there is no such setting")
        try:
            return type(self).model_validate({**self.model_dump(), **changes})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise BadSettingError(str(first["loc"][0]), str(first["msg"])) from error

    def to_pass_on(self) -> dict[str, Any]:
        """What may leave this computer: no name, no path, no session; see `OF_THIS_COMPUTER`."""
        return self.model_dump(exclude=set(OF_THIS_COMPUTER))


_DIGEST = "sha256"
"""Field of the file that tells a flipped byte. A file without it, such as a person's, is read."""


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


Run = Callable[[Callable[[], None]], None]
"""Does, now or later, what it is given."""


def at_once(write: Callable[[], None]) -> None:
    """Have something written by whoever asks for it: see `SettingsStore.write_by`."""
    write()


class SettingsStore:
    """Reads and writes the settings file of the profile."""

    looks_changed = Signal()
    """Language, theme, keys or profile were changed: what is shown must be built again."""
    changed = Signal(object)
    """Settings were changed at once, as by the dialog: the set of the names of the fields."""

    LOOKS = frozenset({"language", "theme", "industry", "keys", "window_presets"})
    """Fields after whose change the window's inside is built again."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or places.settings_folder() / "settings.json"
        self.damaged = ""
        """Name of the file in which settings that could not be read were kept aside."""
        self.kept_aside = ""
        """Name of the file in which the settings of another version were kept aside."""
        self._run: Run = at_once
        self.values = self._read()

    @property
    def file(self) -> Path:
        """Where the settings are."""
        return self._file

    def _read(self) -> Settings:
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            version = content.get("version", 1)
            if _DIGEST in content and content.pop(_DIGEST) != _digest(content):
                raise ValueError("they are not as they were written")
            values = Settings.model_validate(migrated(content))
        except FileNotFoundError:
            return Settings()
        except (OSError, ValueError, AttributeError, TypeError, ValidationError):
            # Kept aside, so that nothing a person chose is lost for good.
            self.damaged = self._put_aside("damaged")
            return Settings()
        if version != VERSION:
            self.kept_aside = self._put_aside(f"v{version}")
            self._write(values.model_dump())
        return values

    def _put_aside(self, why: str) -> str:
        """Rename the file to settings.WHY.json; an earlier one of that name stays, too."""
        aside = self._file.with_suffix(f".{why}.json")
        number = 2
        while aside.exists() and why != "damaged":
            aside = self._file.with_suffix(f".{why}-{number}.json")
            number += 1
        try:
            self._file.replace(aside)
        except OSError:
            return self._file.name
        return aside.name

    def write_by(self, run: Run) -> None:
        """Have what is saved from now on written by `run`, which keeps the order of its calls.

        A window has it done on another thread: a disk may take as long as it likes.
        """
        self._run = run

    def save(self) -> None:
        """Write the settings; a full disk costs the settings, not the session."""
        content = self.values.model_dump()
        self._run(lambda: self._write(content))

    def _write(self, content: dict[str, Any]) -> None:
        try:
            durable.write_json(self._file, {**content, _DIGEST: _digest(content)})
        except NotDurableError as error:
            _log.warning("Settings could not be saved: %s", error.reason)

    def begin_afresh(self) -> str:
        """Settings as delivered; the file of before is kept. Returns its name, "" if none was."""
        name = self._put_aside("before") if self._file.exists() else ""
        self.values = Settings(reader=self.values.reader)
        self.save()
        return name

    def change(self, values: Settings) -> None:
        """Take other settings, keep them, and say which fields differ."""
        before = self.values.model_dump()
        after = values.model_dump()
        different = {name for name in after if after[name] != before[name]}
        if not different:
            return
        self.values = values
        self.save()
        self.changed.emit(different)
        if different & self.LOOKS:
            self.looks_changed.emit()

    def change_looks(self, **changes: object) -> None:
        """Change language, theme, keys or profile by name, keep them, and say so."""
        for name, value in changes.items():
            setattr(self.values, name, value)
        self.save()
        self.looks_changed.emit()

    def remember(self, path: Path) -> None:
        """Put a path at the top of the recent list."""
        text = str(path)
        others = [item for item in self.values.recent if item != text]
        self.values.recent = [text, *others][:RECENT_LIMIT]
        self.save()

    def forget(self, path: Path) -> None:
        """Take a path off the recent list."""
        self.values.recent = [item for item in self.values.recent if item != str(path)]
        self.save()

    def forget_all(self) -> None:
        """Empty the recent list."""
        self.values.recent = []
        self.save()
