"""What a person has chosen, kept between sessions. Fields, not string keys."""

from __future__ import annotations

import getpass
import json
import logging
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core import durable, places
from core.errors import NotDurableError
from core.events import Signal

_log = logging.getLogger(__name__)

RECENT_LIMIT = 10


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


class Settings(BaseModel):
    """The person's settings; every field has a safe default.

    reader: name under which labels are given; empty means the account's name.
    recent: folders and files opened last, newest first.
    ask_on_open: whether the active model is asked as soon as a series is loaded.
    read_first: whether answers stay hidden until the reader has labelled something.
    heat_opacity: of the heat map over the image, 0 to 1.
    recipe: chosen last for a retraining. task: id of the label set that is read for.
    window_geometry, splitter: Qt's own base64 state of the main window.
    language: "en", "ko", or "" for the desktop's own. theme: "dark", "light", or "" for the
        desktop's own.
    industry: words and habits for objects instead of patients: µm, percentile windows.
    keys: command's name → keys in Qt's portable form that replace its own; an empty list is none.
    restore_session: whether what was open is opened again at the next start.
    session: what was open, see `OpenSeries`.
    queue_seed: of the random audit, so that it is drawn again as it was.
    """

    model_config = ConfigDict(extra="ignore", validate_assignment=True)

    version: int = 1
    reader: str = ""
    recent: list[str] = Field(default_factory=list)
    ask_on_open: bool = True
    read_first: bool = False
    heat_opacity: float = Field(default=0.45, ge=0.05, le=1.0)
    recipe: str = ""
    task: str = ""
    window_geometry: str = ""
    splitter: list[int] = Field(default_factory=list)
    language: Literal["", "en", "ko"] = ""
    theme: Literal["", "dark", "light"] = "dark"
    industry: bool = False
    keys: dict[str, list[str]] = Field(default_factory=dict)
    restore_session: bool = True
    session: list[OpenSeries] = Field(default_factory=list)
    queue_seed: int = 0

    @property
    def reader_name(self) -> str:
        """Who is reading."""
        if self.reader.strip():
            return self.reader.strip()
        try:
            return getpass.getuser()
        except (KeyError, OSError):
            return "reader"


class SettingsStore:
    """Reads and writes the settings file of the profile."""

    looks_changed = Signal()
    """Language, theme, keys or profile were changed: what is shown must be built again."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or places.settings_folder() / "settings.json"
        self.damaged = ""
        """Name of the file in which settings that could not be read were kept aside."""
        self.values = self._read()

    def _read(self) -> Settings:
        try:
            return Settings.model_validate(json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Settings()
        except (OSError, ValueError, ValidationError):
            # Kept aside, so that nothing a person chose is lost for good.
            aside = self._file.with_suffix(".damaged.json")
            try:
                self._file.replace(aside)
            except OSError:
                aside = self._file
            self.damaged = aside.name
            return Settings()

    def save(self) -> None:
        """Write the settings; a full disk costs the settings, not the session."""
        try:
            durable.write_json(self._file, self.values.model_dump())
        except NotDurableError as error:
            _log.warning("Settings could not be saved: %s", error.reason)

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
