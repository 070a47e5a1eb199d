"""Mask files of a table: pictures or volumes that are not zero where the finding lies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadTableError, CoreError
from core.imaging.opening import open_path
from core.retraining.regions import SliceRegion, of_mask
from core.retraining.snapshot import SliceFacts
from core.retraining.tables import Table, TableRow


class Masks:
    """The regions that a table's masks give to its slices, file by file in the table's order."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._row: TableRow | None = None
        self._planes: NDArray[Any] | None = None
        self._next = 0

    def of(
        self, row: TableRow, facts: SliceFacts, shape: tuple[int, ...]
    ) -> tuple[SliceRegion, ...]:
        """Regions of the next slice of a row's file; none where the row names no mask.

        facts: of that slice; a mask counts only where the slice shows the finding. shape: of
        its pixels. Raises BadTableError where a mask is absent, unreadable or of another size.
        """
        if row is not self._row:
            self._row, self._next = row, 0
            self._planes = self._read(row) if row.mask else None
        if self._planes is None:
            return ()
        index, self._next = self._next, self._next + 1
        if index >= len(self._planes) or self._planes[index].shape[:2] != shape[:2]:
            raise self._problem(row, "is not of the size of its picture")
        plane = self._planes[index]
        target = self._table.target
        absence = target.positive is not None and target.classes[facts.label] != target.positive
        if facts.label < 0 or absence:
            return ()
        class_id = "" if target.positive is not None else target.classes[facts.label]
        return of_mask(_solid(plane), class_id)

    def _read(self, row: TableRow) -> NDArray[Any]:
        path = (self._table.path.parent / row.mask).resolve()
        if not path.is_file():
            raise self._problem(row, "does not exist")
        try:
            (series,) = open_path(path).series
            return np.asarray(series.load().voxels)
        except (CoreError, ValueError) as error:
            raise self._problem(row, "cannot be read as one image") from error

    def _problem(self, row: TableRow, what: str) -> BadTableError:
        return BadTableError(self._table.path, f"line {row.line}: the mask {row.mask} {what}")


def _solid(plane: NDArray[Any]) -> NDArray[np.bool_]:
    """Which pixels are meant: all but zero; in a black and white picture, the white ones.

    Lossy formats leave grey at the edges of white areas.
    """
    values = plane.max(axis=2) if plane.ndim == 3 else plane
    is_picture = values.dtype == np.uint8 and values.max(initial=0) > 127
    solid: NDArray[np.bool_] = values > 127 if is_picture else values != 0
    return solid
