"""Measurements kept from one session to the next: a small file for each series.

A file is named by a digest of its key and holds places in space and identifiers of slices: no
patient, no path. Measurements are neither labels nor learnt from, so they stand beside the journal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from core import durable, places
from core.errors import DamagedMeasurementsError, NotDurableError
from core.imaging.geometry import Plane
from core.reading.measurements import Kind, Measurement

_PLANES = {plane.name.lower(): plane for plane in Plane}
_HOW = ConfigDict(frozen=True, extra="forbid", defer_build=True)
"""Built with the first file: the window imports this while it is put together."""


class Item(BaseModel):
    """One measurement in a file.

    slice_id: of the slice, for measurements on slices; another plane is told by its index.
    """

    model_config = _HOW

    kind: Kind
    plane: Literal["slice", "row", "column"]
    slice_id: str = ""
    index: Annotated[int, Field(ge=0)] = 0
    points: tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat], ...]

    @model_validator(mode="after")
    def _has_its_points(self) -> Item:
        if len(self.points) != self.kind.points:
            raise ValueError(f"{self.kind.value} has {len(self.points)} points")
        return self


class _File(BaseModel):
    model_config = _HOW

    format: Literal[1] = 1
    measurements: tuple[Item, ...]


@dataclass(frozen=True)
class Kept:
    """What is kept of a series.

    placed: on slices that are there, in the order in which they were made. elsewhere: on slices
    that are not, as of a study that has not been copied whole; to be written again, not shown.
    """

    placed: tuple[Measurement, ...] = ()
    elsewhere: tuple[Item, ...] = ()


class KeptMeasurements:
    """The files in one folder, the person's own if none is named."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or places.measurements()
        self._names: frozenset[str] | None = None

    def might_have(self, key: str) -> bool:
        """Whether something was kept before this was first asked; looks at the disk once."""
        if self._names is None:
            there = self._folder.glob("*.json") if self._folder.is_dir() else ()
            self._names = frozenset(file.name for file in there)
        return self._file(key).name in self._names

    def read(self, key: str, slice_ids: Sequence[str]) -> Kept:
        """What is kept of a series with these slices under a key.

        Raises DamagedMeasurementsError; the file has then been put aside.
        """
        file = self._file(key)
        try:
            items = _File.model_validate_json(file.read_bytes()).measurements
        except FileNotFoundError:
            return Kept()
        except (OSError, ValidationError) as error:
            raise DamagedMeasurementsError(_aside(file)) from error
        index = {slice_id: place for place, slice_id in enumerate(slice_ids)}
        placed, elsewhere = [], []
        for item in items:
            place = index.get(item.slice_id) if item.plane == "slice" else item.index
            if place is None:
                elsewhere.append(item)
            else:
                placed.append(Measurement(item.kind, _PLANES[item.plane], place, item.points))
        return Kept(tuple(placed), tuple(elsewhere))

    def write(
        self,
        key: str,
        slice_ids: Sequence[str],
        measured: Iterable[Measurement],
        elsewhere: Sequence[Item] = (),
    ) -> None:
        """Keep these of a series and no others. Raises NotDurableError."""
        items = (*elsewhere, *(_item(one, slice_ids) for one in measured))
        file = self._file(key)
        if items:
            durable.make_folder(self._folder, 0o700)
            content: dict[str, Any] = _File(measurements=items).model_dump(mode="json")
            durable.write_json(file, content)
            return
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise NotDurableError(file, error.strerror or str(error)) from error

    def _file(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"


def _item(one: Measurement, slice_ids: Sequence[str]) -> Item:
    is_slice = one.plane is Plane.SLICE
    return Item(
        kind=one.kind,
        plane=one.plane.name.lower(),
        slice_id=slice_ids[one.index] if is_slice else "",
        index=0 if is_slice else one.index,
        points=one.points,
    )


def _aside(file: Path) -> Path:
    """Rename a file to NAME.damaged, NAME.damaged-2 and so on: earlier ones stay, too."""
    aside, number = file.with_suffix(".damaged"), 2
    while aside.exists():
        aside = file.with_suffix(f".damaged-{number}")
        number += 1
    try:
        file.replace(aside)
    except OSError:
        return file
    return aside
