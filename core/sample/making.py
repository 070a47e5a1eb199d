"""Makes the sample: patients are drawn, scanned and written, with the truth beside them."""

from __future__ import annotations

import hashlib
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from core.errors import CancelledError, NotDurableError
from core.imaging.volume import Cancelled, Progress
from core.sample.acquisition import FIELD_OF_VIEW, Scanner, Slice
from core.sample.dicom_writer import SampleKey, encode
from core.sample.patient import SUBTYPES, draw_patient
from core.sample.truth import SampleTruth, SliceTruth, write_truth

IMAGES = "DICOM"
"""Name of the subfolder with the images."""
SMALLEST_LESION_MM2 = 25.0
"""Blood on less area than this is not called: a reader would not see it either."""


def make_sample(
    folder: Path,
    *,
    patients: int = 6,
    slices: int = 24,
    size: int = 256,
    seed: int = 7,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> SampleTruth:
    """Write synthetic head CTs as DICOM into `folder`/DICOM, and their truth beside it.

    patients: number of series, one a patient. slices: of each, 5 mm apart from the skull base
    upwards; 24 reach the vertex. size: pixels along an image's edge. seed: the same numbers
    give the same bytes. The files' names mean nothing: only their headers tell the order.

    Returns the truth, as `sample_truth(folder)` reads it later. An older sample in the folder
    is replaced; other files are left alone. Raises NotDurableError if it cannot be written, or
    if something else stands where the images go; CancelledError.
    """
    images = folder / IMAGES
    part = folder / f".{IMAGES}.part"
    key = SampleKey(seed, slices, size)
    truth = SampleTruth(folder, ())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if images.exists():
            if not truth.table.exists():
                raise NotDurableError(images, "something that is not a sample is in its place")
            truth.table.unlink()
            shutil.rmtree(images)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        told: list[SliceTruth] = []
        numbers = range(1, patients + 1)
        workers = min(len(numbers), os.cpu_count() or 1, 4)
        with ThreadPoolExecutor(workers, thread_name_prefix="sample") as pool:
            jobs = [pool.submit(_make_patient, part, number, key, cancelled) for number in numbers]
            try:
                for done, job in enumerate(jobs, 1):
                    told.extend(job.result())
                    if progress is not None:
                        progress(done, patients)
            except BaseException:
                for job in jobs:
                    job.cancel()
                raise
        part.rename(images)
    except OSError as error:
        raise NotDurableError(folder, error.strerror or str(error)) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    truth = SampleTruth(folder, tuple(told))
    write_truth(truth)
    return truth


def _make_patient(
    folder: Path, number: int, key: SampleKey, cancelled: Cancelled | None
) -> list[SliceTruth]:
    patient = draw_patient(number, key.seed)
    told = []
    subfolder = _meaningless(key.uid(number, "study"))
    (folder / subfolder).mkdir()
    scanner = Scanner(patient, size=key.size, count=key.slices, seed=key.seed)
    for index, made in enumerate(scanner.slices()):
        if cancelled is not None and cancelled():
            raise CancelledError("making of the sample")
        slice_id, content = encode(key, patient, index, made.hounsfield)
        name = f"{subfolder}/{_meaningless(slice_id)}"
        (folder / name).write_bytes(content)
        subtypes, box = _seen(made, key.size)
        told.append(
            SliceTruth(f"{IMAGES}/{name}", patient.patient_id, slice_id, index, subtypes, box)
        )
    return told


def _meaningless(uid: str) -> str:
    """A file name from which nothing can be told, least of all the order."""
    return hashlib.sha256(uid.encode()).hexdigest()[:8].upper()


def _seen(made: Slice, size: int) -> tuple[tuple[str, ...], tuple[int, int, int, int] | None]:
    """Which kinds of blood can be seen on a slice, and the box around all of it."""
    pixel_area = (FIELD_OF_VIEW / size) ** 2
    masks = {kind: cover > 0.5 for kind, cover in made.blood.items()}
    seen = tuple(
        kind
        for kind in SUBTYPES
        if kind in masks and masks[kind].sum() * pixel_area >= SMALLEST_LESION_MM2
    )
    if not seen:
        return (), None
    rows, columns = np.nonzero(np.any([masks[kind] for kind in seen], axis=0))
    top, left = int(rows.min()), int(columns.min())
    return seen, (top, left, int(rows.max()) - top + 1, int(columns.max()) - left + 1)
