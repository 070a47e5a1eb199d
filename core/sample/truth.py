"""What the phantoms really show: the reference standard of the sample, slice by slice."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from pathlib import Path

from core import durable
from core.errors import BadTableError
from core.sample.patient import SUBTYPES

TRUTH_FILE = "truth.csv"
POSITIVE, NEGATIVE = "hemorrhage", "no_hemorrhage"
"""Class ids, as in resources/labels/."""

_COLUMNS = ("file", "patient", "slice", "hemorrhage", *SUBTYPES, "sop_uid", "box")


@dataclass(frozen=True)
class SliceTruth:
    """What one slice shows.

    file: path of the DICOM file, relative to the sample's folder. patient: Patient ID.
    slice_id: SOP Instance UID. index: 0 for the lowest slice. subtypes: kinds of hemorrhage.
    box: (top, left, height, width) in pixels around all of its blood, or None.
    """

    file: str
    patient: str
    slice_id: str
    index: int
    subtypes: tuple[str, ...] = ()
    box: tuple[int, int, int, int] | None = None

    @property
    def class_id(self) -> str:
        """Class of the slice: POSITIVE or NEGATIVE."""
        return POSITIVE if self.subtypes else NEGATIVE


@dataclass(frozen=True)
class SampleTruth:
    """What the whole sample shows. folder: where it lies; slices: by patient, then upwards."""

    folder: Path
    slices: tuple[SliceTruth, ...]

    @cached_property
    def images(self) -> Path:
        """The folder with nothing but the DICOM files, one subfolder a patient."""
        return self.folder / Path(self.slices[0].file).parts[0]

    @property
    def table(self) -> Path:
        """The CSV file from which `dataset build --from-csv` makes a training set."""
        return self.folder / TRUTH_FILE

    @cached_property
    def reference(self) -> dict[str, str]:
        """Slice id (SOP Instance UID) → class id."""
        return {item.slice_id: item.class_id for item in self.slices}

    def of_patient(self, patient: str) -> tuple[SliceTruth, ...]:
        """The slices of one patient, upwards."""
        return tuple(item for item in self.slices if item.patient == patient)

    @property
    def patients(self) -> tuple[str, ...]:
        """Patient IDs in their order."""
        return tuple(dict.fromkeys(item.patient for item in self.slices))


def write_truth(truth: SampleTruth) -> None:
    """Write the table beside the images, durably; it comes last and says: complete."""
    text = StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for item in truth.slices:
        kinds = [int(kind in item.subtypes) for kind in SUBTYPES]
        box = " ".join(map(str, item.box)) if item.box else ""
        start = (item.file, item.patient, item.index, int(bool(item.subtypes)))
        table.writerow((*start, *kinds, item.slice_id, box))
    durable.write_bytes(truth.table, text.getvalue().encode())


def sample_truth(folder: Path) -> SampleTruth:
    """Read the truth of a sample that `make_sample` has written.

    Raises BadTableError if the folder holds no complete sample.
    """
    path = folder / TRUTH_FILE
    try:
        rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
        slices = tuple(
            SliceTruth(
                row["file"],
                row["patient"],
                row["sop_uid"],
                int(row["slice"]),
                tuple(kind for kind in SUBTYPES if row[kind] == "1"),
                _box(row["box"]),
            )
            for row in rows
        )
    except (OSError, UnicodeDecodeError) as error:
        raise BadTableError(path, "there is no sample in this folder") from error
    except (KeyError, ValueError, TypeError) as error:
        raise BadTableError(path, "it is not the truth table of a sample", _COLUMNS) from error
    if not slices:
        raise BadTableError(path, "it has no rows", _COLUMNS)
    return SampleTruth(folder, slices)


def _box(text: str) -> tuple[int, int, int, int] | None:
    if not text:
        return None
    top, left, height, width = map(int, text.split())
    return top, left, height, width
