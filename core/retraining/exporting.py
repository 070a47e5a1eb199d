"""Training sets in the formats of others: ImageFolder, CSV, COCO, and NIfTI with a MONAI datalist.

What leaves is what the set holds: pixels, classes, codes. 8-bit pictures leave as they are; CT
leaves as Hounsfield units in NIfTI, and through a window in the formats that hold pictures.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core import durable
from core.imaging.intensity import Quantity, Window, apply_window, automatic_window
from core.imaging.nifti_writing import along_the_patient, write_nifti
from core.imaging.volume import Progress
from core.labels.schema import Attention
from core.retraining.dataset import Dataset
from core.retraining.manifest import SPLITS
from core.retraining.regions import joined, to_runs
from core.retraining.snapshot import refuse_occupied

Format = Literal["imagefolder", "csv", "coco", "nifti"]

_MONAI_PARTS = {"train": "training", "validation": "validation", "test": "test"}


def export_as(
    dataset: Dataset,
    form: Format,
    out: Path,
    *,
    window: Window | None = None,
    progress: Progress | None = None,
) -> int:
    """Write a set in another format; complete, or not at all. Returns the number of slices.

    imagefolder: `<part>/<class>/<key>.png`, labelled slices only. csv: `slices.csv` and
    `images/`, to be built again by `sliceloop dataset build`. coco: `images/` and one
    `<part>.json` a part, the whole picture as the box of its class. nifti: one volume a series
    in modality values, `datalist.json` as MONAI reads it, with a label for each slice.

    window: for values that are no pictures; None takes 40/80 for HU, else an automatic one.
    Raises UnusableDatasetError if `out` is occupied, NotDurableError.
    """
    refuse_occupied(out)
    with durable.new_folder(out) as temporary:
        return _WRITERS[form](dataset, temporary, window, progress or (lambda *_: None))


def picture_of(dataset: Dataset, row: int, window: Window | None = None) -> NDArray[np.uint8]:
    """One slice as an 8-bit picture, (rows, columns[, 3])."""
    values = dataset.plane(row)
    if values.dtype == np.uint8:
        return values
    if window is None:
        is_hu = dataset.quantity_of(row) is Quantity.HU
        window = Window(40, 80, "Brain") if is_hu else automatic_window(values)
    grey: NDArray[np.uint8] = np.rint(apply_window(values, window) * 255).astype(np.uint8)
    return grey


def _pictures(
    dataset: Dataset, window: Window | None, progress: Progress, *, labelled: bool
) -> Iterator[tuple[int, Image.Image]]:
    rows = np.flatnonzero(dataset.labels >= 0) if labelled else dataset.part("all")
    for done, row in enumerate(rows):
        yield int(row), Image.fromarray(picture_of(dataset, int(row), window))
        progress(done + 1, len(rows))


def _image_folder(dataset: Dataset, folder: Path, window: Window | None, progress: Progress) -> int:
    keys, classes = dataset.keys(), dataset.manifest.classes
    for part in SPLITS:
        for name in classes:
            (folder / part / name).mkdir(parents=True)
    count = 0
    for row, picture in _pictures(dataset, window, progress, labelled=True):
        place = folder / str(dataset.splits[row]) / classes[dataset.labels[row]]
        picture.save(place / f"{keys[row]}.png")
        count += 1
    return count


def _csv(dataset: Dataset, folder: Path, window: Window | None, progress: Progress) -> int:
    keys, manifest = dataset.keys(), dataset.manifest
    (folder / "images").mkdir()
    for row, picture in _pictures(dataset, window, progress, labelled=False):
        picture.save(folder / "images" / f"{keys[row]}.png")
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    fixed = ("file", "group", "series", "order", "part", "label")
    writer.writerow([*fixed, *manifest.auxiliary, *manifest.subgroups])
    for row in range(len(dataset)):
        facts = dataset.row(row)
        writer.writerow(
            [
                f"images/{facts.key}.png",
                facts.group,
                facts.series,
                facts.order,
                facts.split,
                manifest.classes[facts.label] if facts.label >= 0 else "",
                *("" if np.isnan(value) else int(value) for value in facts.auxiliary),
                *facts.subgroups,
            ]
        )
    (folder / "slices.csv").write_text(stream.getvalue(), encoding="utf-8")
    return len(dataset)


def _coco(dataset: Dataset, folder: Path, window: Window | None, progress: Progress) -> int:
    """Source: the COCO data format, cocodataset.org."""
    keys, classes = dataset.keys(), dataset.manifest.classes
    (folder / "images").mkdir()
    parts: dict[str, dict[str, list[dict[str, Any]]]] = {
        part: {
            "images": [],
            "annotations": [],
            "categories": [
                {"id": number + 1, "name": name, "supercategory": "class"}
                for number, name in enumerate(classes)
            ],
        }
        for part in SPLITS
    }
    count = annotations = 0
    for row, picture in _pictures(dataset, window, progress, labelled=True):
        name = f"{keys[row]}.png"
        picture.save(folder / "images" / name)
        content = parts[str(dataset.splits[row])]
        number = row + 1
        content["images"].append(
            {
                "id": number,
                "file_name": name,
                "width": picture.width,
                "height": picture.height,
                "group": dataset.group_codes[dataset.groups[row]],
            }
        )
        for place in _places(dataset, row, picture):
            annotations += 1
            content["annotations"].append(
                {
                    "id": annotations,
                    "image_id": number,
                    "category_id": int(dataset.labels[row]) + 1,
                    "iscrowd": 0,
                    **place,
                }
            )
        count += 1
    for part, content in parts.items():
        (folder / f"{part}.json").write_text(json.dumps(content), encoding="utf-8")
    return count


def _places(dataset: Dataset, row: int, picture: Image.Image) -> list[dict[str, Any]]:
    """Box and outline of each region to look at; the whole picture where there is none."""
    found = []
    for region in dataset.regions_of(row):
        if region.attention is Attention.LOOK_HERE:
            top, left, height, width = region.box
            mask = region.mask(picture.height, picture.width)
            runs = list(region.runs or to_runs(mask))
            found.append(
                {
                    "bbox": [left, top, width, height],
                    "area": int(mask.sum()),
                    "segmentation": {"counts": runs, "size": [picture.height, picture.width]},
                }
            )
    whole = {
        "bbox": [0, 0, picture.width, picture.height],
        "area": picture.width * picture.height,
    }
    return found or [whole]


def _nifti(dataset: Dataset, folder: Path, _window: Window | None, progress: Progress) -> int:
    """One volume a series; unknown spacing counts as 1 mm, and the datalist says so."""
    (folder / "volumes").mkdir()
    (folder / "masks").mkdir()
    datalist: dict[str, Any] = {
        "description": "Exported from a Sliceloop training set",
        "labels": {str(index): name for index, name in enumerate(dataset.manifest.classes)},
        **{name: [] for name in _MONAI_PARTS.values()},
    }
    codes = dataset.series_codes
    for number, code in enumerate(codes):
        rows = np.flatnonzero(dataset.series == number)
        for piece, stack in enumerate(_same_size(dataset, rows)):
            name = f"{code}.nii.gz" if len(stack) == len(rows) else f"{code}-{piece + 1}.nii.gz"
            voxels = np.stack([dataset.plane(int(row)) for row in stack])
            stated = dataset.spacing[stack[0]]
            known = bool(np.isfinite(stated).all())
            between, down, across = (float(value) for value in stated) if known else (1.0,) * 3
            affine = along_the_patient((between, down, across))
            write_nifti(folder / "volumes" / name, voxels, affine)
            mask = _masks(dataset, stack)
            if mask is not None:
                write_nifti(folder / "masks" / name, mask, affine)
            labels = [int(label) for label in dataset.labels[stack]]
            given = [label for label in labels if label >= 0]
            datalist[_MONAI_PARTS[str(dataset.splits[stack[0]])]].append(
                {
                    "image": f"volumes/{name}",
                    "label": max(given) if given else -1,
                    "slice_labels": labels,
                    "group": dataset.group_codes[dataset.groups[stack[0]]],
                    "spacing_known": known,
                    **({} if mask is None else {"mask": f"masks/{name}"}),
                }
            )
        progress(number + 1, len(codes))
    (folder / "datalist.json").write_text(json.dumps(datalist, indent=2), encoding="utf-8")
    return len(dataset)


def _masks(dataset: Dataset, stack: NDArray[np.int64]) -> NDArray[np.uint8] | None:
    """Regions to look at as 1, over a stack of slices; None where nothing is marked."""
    rows, columns = (int(side) for side in dataset.sizes[stack[0]])
    found = np.stack(
        [joined(dataset.regions_of(int(row)), Attention.LOOK_HERE, rows, columns) for row in stack]
    )
    return found.astype(np.uint8) if found.any() else None


def _same_size(dataset: Dataset, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Runs of a series that can be stacked."""
    kinds = [(*dataset.sizes[row], dataset.quantity_of(int(row))) for row in rows]
    start = 0
    for index in range(1, len(rows) + 1):
        if index == len(rows) or kinds[index] != kinds[start]:
            yield rows[start:index]
            start = index


_WRITERS: dict[str, Callable[[Dataset, Path, Window | None, Progress], int]] = {
    "imagefolder": _image_folder,
    "csv": _csv,
    "coco": _coco,
    "nifti": _nifti,
}
