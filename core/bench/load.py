"""Loading: the whole series, and its first correct slice, against bare reads and the libraries.

The series are made by `series_maker`: 512², int16, private tags, shuffled names.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.bench.series_maker import make_series
from core.bench.timing import Figure, Work, side_by_side
from core.imaging import decoding
from core.imaging.dicom.reader import DicomSeries
from core.imaging.opening import open_path
from core.workers import worker_command

SIZES = (300, 1000)
ROUNDS = 3
_COMPRESSED = {"jpeg-ls": 40, "jpeg-2000": 24, "rle": 24}


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sliceloop-bench-") as name:
        yield Path(name)


def _one(folder: Path) -> DicomSeries:
    (series,) = open_path(folder).series
    if not isinstance(series, DicomSeries):
        raise TypeError(f"{folder} holds no DICOM series")
    return series


# ---------------------------------------------------------------- what is compared


def _read_all_bytes(folder: Path) -> Work:
    files = [os.fspath(path) for path in folder.iterdir()]

    def work() -> None:
        for file in files:
            handle = os.open(file, os.O_RDONLY)
            os.read(handle, os.fstat(handle).st_size)
            os.close(handle)

    return work


def _bare_reads(folder: Path) -> Work:
    """The pixel bytes, from known places, into the final array: the floor of a full load."""
    series = _one(folder)
    places = [
        (os.fspath(frame.header.path), frame.header.pixels.offset)
        for frame in series.frames
        if frame.header.pixels is not None
    ]
    shape = series.summary.shape

    def work() -> None:
        array = np.empty(shape, np.int16)
        for index, (file, offset) in enumerate(places):
            handle = os.open(file, os.O_RDONLY)
            os.preadv(handle, [array[index].reshape(-1).view(np.uint8).data], offset)
            os.close(handle)

    return work


def _forgotten(folder: Path) -> Work:
    """The system's cache gives the files' pages up, so that the next reader waits for the disk."""
    files = [os.fspath(path) for path in folder.iterdir()]
    for file in files:
        handle = os.open(file, os.O_RDONLY)
        os.fsync(handle)  # pages that are still to be written cannot be given up
        os.close(handle)

    def work() -> None:
        for file in files:
            handle = os.open(file, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)

    return work


def _our_first(folder: Path) -> Work:
    def work() -> None:
        series = _one(folder)
        series.read_slice(series.summary.shape[0] // 2)

    return work


def _our_load(folder: Path) -> Work:
    return lambda: _one(folder).load()


def _pydicom_first(folder: Path) -> Work:
    import pydicom

    def work() -> None:
        heads = [(pydicom.dcmread(p, stop_before_pixels=True), p) for p in folder.iterdir()]
        heads.sort(key=lambda pair: float(pair[0].ImagePositionPatient[2]))
        _ = pydicom.dcmread(heads[len(heads) // 2][1]).pixel_array

    return work


def _pydicom_load(folder: Path) -> Work:
    import pydicom

    def work() -> None:
        found = [pydicom.dcmread(path) for path in folder.iterdir()]
        found.sort(key=lambda one: float(one.ImagePositionPatient[2]))
        np.stack([one.pixel_array for one in found])

    return work


def _yardstick(name: str) -> Any:
    """A library that is only compared with, or None where it is not installed (in the bundle)."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _sitk_first(folder: Path) -> Work | None:
    sitk = _yardstick("SimpleITK")

    def work() -> None:
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
        sitk.GetArrayFromImage(sitk.ReadImage(names[len(names) // 2]))

    return work if sitk is not None else None


def _sitk_load(folder: Path) -> Work | None:
    sitk = _yardstick("SimpleITK")

    def work() -> None:
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
        sitk.GetArrayFromImage(sitk.ReadImage(names))

    return work if sitk is not None else None


def _present(works: dict[str, Work | None]) -> dict[str, Work]:
    """Those that can be measured here."""
    return {name: work for name, work in works.items() if work is not None}


def _dicomsdl_load(folder: Path) -> Work | None:
    dicomsdl = _yardstick("dicomsdl")
    names = [str(path) for path in folder.iterdir()]

    def work() -> None:
        for name in names:
            dicomsdl.open(name).pixelData(storedvalue=True)

    return work if dicomsdl is not None else None


# ---------------------------------------------------------------- figures


def measure_first(sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> list[Figure]:
    """The first correct slice: all headers scanned and sorted, then the middle slice read."""
    figures: list[Figure] = []
    with _folder() as folder:
        for size in sizes:
            here = folder / f"{size}"
            make_series(here, size)
            taken = side_by_side(
                {"ours": _our_first(here), "read all bytes": _read_all_bytes(here)}, rounds * 3
            )
            slow = side_by_side(
                _present(
                    {
                        "ours": _our_first(here),
                        "pydicom": _pydicom_first(here),
                        "SimpleITK": _sitk_first(here),
                    }
                ),
                rounds,
            )
            name = f"first slice of {size}"
            figures.append(
                Figure(name, taken["ours"], "read all bytes", taken["read all bytes"], 1.0, False)
            )
            figures += [
                Figure(name, slow["ours"], other, slow[other], 8.0, True)
                for other in ("pydicom", "SimpleITK")
                if other in slow
            ]
    return figures


def measure_load(sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> list[Figure]:
    """Full loads, uncompressed and compressed, headers included; and memory."""
    figures: list[Figure] = []
    with _folder() as folder:
        for size in sizes:
            here = folder / f"{size}"
            make_series(here, size)
            if hasattr(os, "posix_fadvise"):
                cold = side_by_side(
                    {"ours": _our_load(here), "read all bytes": _read_all_bytes(here)},
                    rounds,
                    _forgotten(here),
                )
                figures.append(
                    Figure(
                        f"full load of {size}, cold",
                        cold["ours"],
                        "read all bytes, cold",
                        cold["read all bytes"],
                        1.3,
                        False,
                    )
                )
            taken = side_by_side(
                {"ours": _our_load(here), "bare preadv": _bare_reads(here)}, rounds * 2
            )
            slow = side_by_side(
                _present(
                    {
                        "ours": _our_load(here),
                        "pydicom": _pydicom_load(here),
                        "SimpleITK": _sitk_load(here),
                    }
                ),
                max(rounds // 2, 1),
            )
            name = f"full load of {size}"
            figures.append(
                Figure(name, taken["ours"], "bare preadv", taken["bare preadv"], 2.0, False)
            )
            figures += [
                Figure(name, slow["ours"], other, slow[other], 5.0, True)
                for other in ("pydicom", "SimpleITK")
                if other in slow
            ]
        figures += _compressed(folder, rounds)
    return figures


_GOALS: dict[str, dict[str, tuple[float, bool]]] = {
    "jpeg-ls": {"pydicom": (2.0, True)},
    "jpeg-2000": {"pydicom": (1.4, True), "SimpleITK": (1.4, True)},
    "rle": {"dicomsdl": (1.5, False)},
}


def _compressed(folder: Path, rounds: int) -> list[Figure]:
    figures: list[Figure] = []
    decoding.warm_up(os.cpu_count() or 1)
    for syntax, slices in _COMPRESSED.items():
        here = folder / syntax
        make_series(here, slices, syntax)
        others: dict[str, Work | None] = {
            "pydicom": _pydicom_load(here),
            "SimpleITK": _sitk_load(here),
            "dicomsdl": _dicomsdl_load(here),
        }
        wanted = {"ours": _our_load(here)} | {name: others[name] for name in _GOALS[syntax]}
        taken = side_by_side(_present(wanted), rounds)
        for other, (goal, higher) in _GOALS[syntax].items():
            if other in taken:
                name = f"full load of {slices}, {syntax}"
                figures.append(Figure(name, taken["ours"], other, taken[other], goal, higher))
    return figures


def measure_memory(slices: int = 300) -> dict[str, Any]:
    """Peak memory of a process that loads a series, against the array's size; Linux only."""
    if not sys.platform.startswith("linux"):
        return {}
    with _folder() as folder:
        make_series(folder, slices)
        done = subprocess.run(
            worker_command("load", str(folder)), capture_output=True, text=True, check=True
        )
    array, peak = map(int, done.stdout.split())
    allowed = 1.2 * array + 150e6
    return {
        "array_bytes": array,
        "peak_bytes": peak,
        "allowed_bytes": int(allowed),
        "met": peak <= allowed,
    }


def measure(sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> dict[str, Any]:
    """What `sliceloop bench load` gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "figures": [figure.as_dict() for figure in measure_load(sizes, rounds)],
            "memory": measure_memory(min(sizes)),
        }


def measure_first_only(sizes: tuple[int, ...] = SIZES, rounds: int = ROUNDS) -> dict[str, Any]:
    """What `sliceloop bench first` gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {"figures": [figure.as_dict() for figure in measure_first(sizes, rounds)]}


def main(words: list[str]) -> int:
    """The worker `load FOLDER`: load a series; tell its array's bytes and this process's peak."""
    volume = open_path(Path(words[1])).series[0].load()
    told = Path("/proc/self/status").read_text()
    peak = int(told.split("VmHWM:")[1].split()[0]) * 1024
    sys.stdout.write(f"{volume.voxels.nbytes} {peak}\n")
    return 0
