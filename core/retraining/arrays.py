"""A training set from arrays in one file, as MedMNIST publishes them: pictures or whole volumes.

A part's arrays are `<part>_images` and `<part>_labels`, part being train, val or test; a file
without parts holds `images` and `labels`. Source: Yang et al., *MedMNIST v2*, Sci Data 2023.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.errors import BadTableError
from core.imaging.deidentify import pseudonym, site_key
from core.imaging.intensity import Quantity
from core.imaging.volume import Progress
from core.retraining.manifest import DatasetManifest, Provenance, Split, file_digest, pixel_digest
from core.retraining.snapshot import SliceFacts, SnapshotWriter, Target, refuse_occupied
from core.retraining.splits import ALIASES, draw
from core.retraining.tables import class_id
from core.retraining.tested import TestedPictures

_COLOURS = 3


@dataclass(frozen=True)
class ArraysRequest:
    """What to make of a file of arrays.

    finding: name of the class that label 1 stands for, where labels are 0 and 1; its absence is
    named after it. classes: names of all classes instead, in the order of their numbers.
    positive: the one that is the finding. split: "auto" takes the file's own parts, and draws
    where it has none; "test" puts everything into the test part.
    """

    file: Path
    out: Path
    finding: str = "finding"
    classes: tuple[str, ...] = ()
    positive: str | None = None
    split: str = "auto"


@dataclass(frozen=True, eq=False)
class _Part:
    """Images (n, [slices,] rows, columns[, 3]) and labels (n,) of one part, "" if none is named."""

    name: str
    images: NDArray[np.generic]
    labels: NDArray[np.int64]

    @property
    def is_colour(self) -> bool:
        return self.images.ndim > 3 and self.images.shape[-1] == _COLOURS

    @property
    def of_volumes(self) -> bool:
        return self.images.ndim - self.is_colour == 4


def build_from_arrays(request: ArraysRequest, progress: Progress | None = None) -> DatasetManifest:
    """Build a set from a file of arrays; every picture or volume is a patient of its own.

    Where the file names no parts they are drawn; what was tested on before stays so.

    Raises BadTableError naming the array that cannot be understood, UnusableDatasetError if
    `out` is occupied.
    """
    refuse_occupied(request.out)
    names = _part_names(request)
    target = _target(request, names)
    positive = None if target.positive is None else target.classes.index(target.positive)
    key, splits, findings = site_key(), dict[str, Split](), dict[str, bool]()
    tested, pictures = TestedPictures(), list[tuple[str, str]]()
    volumes = True
    with SnapshotWriter(request.out, target) as writer:
        for part in _parts(request, names):
            volumes &= part.of_volumes
            grey = _as_pictures(part.images)
            for index, (image, label) in enumerate(zip(grey, part.labels, strict=True)):
                name = f"{request.file.stem}/{part.name}/{index}"
                group = pseudonym(key, f"patient:{name}")
                for facts, pixels in _slices(key, name, group, int(label), image, part):
                    writer.add(facts, pixels)
                    if pixels.min() < pixels.max():  # empty slices are alike in all volumes
                        pictures.append((name, pixel_digest(np.ascontiguousarray(pixels))))
                findings[name] = bool(label == (0 if positive is None else positive))
                if part.name:
                    splits[group] = ALIASES[part.name]
                if progress is not None and index % 20 == 0:
                    progress(index, len(grey))
        if request.split == "test":
            splits = {pseudonym(key, f"patient:{name}"): "test" for name in findings}
        elif not splits:
            drawn = draw(findings, tested.parts_of(pictures))
            tested.add(digest for name, digest in pictures if drawn[name] == "test")
            splits = {pseudonym(key, f"patient:{name}"): part for name, part in drawn.items()}
        return writer.publish(
            Provenance(source="import", digest=file_digest(request.file)),
            splits,
            unit="series" if volumes else "slice",
        )


def _part_names(request: ArraysRequest) -> list[str]:
    """Parts of the file as it names them, in its order; [""] where it names none."""
    found = _names(request.file)
    parts = [name.removesuffix("_images") for name in found if name.endswith("_images")]
    unknown = [part for part in parts if part not in ALIASES]
    if unknown:
        raise BadTableError(request.file, f"“{unknown[0]}” is none of {', '.join(sorted(ALIASES))}")
    if not parts and "images" in found:
        parts = [""]
    if not parts:
        raise BadTableError(request.file, "no array is named images, or <part>_images")
    return parts


def _names(file: Path) -> tuple[str, ...]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return tuple(arrays.files)
    except FileNotFoundError:
        raise BadTableError(file, "it does not exist") from None
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise BadTableError(file, "it is not a file of arrays (npz)") from error


def _array(file: Path, name: str) -> NDArray[np.generic]:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            found: NDArray[np.generic] = arrays[name]
            return found
    except KeyError:
        raise BadTableError(file, f"there is no array “{name}” in it") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadTableError(file, f"the array “{name}” is damaged, or holds no numbers") from error


def _prefixed(part: str, name: str) -> str:
    return f"{part}_{name}" if part else name


def _labels(file: Path, part: str) -> NDArray[np.int64]:
    name = _prefixed(part, "labels")
    labels = _array(file, name)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise BadTableError(file, f"“{name}” is not one whole number for each image")
    return labels.astype(np.int64)


def _target(request: ArraysRequest, parts: list[str]) -> Target:
    every = np.concatenate([_labels(request.file, part) for part in parts])
    if len(every) == 0 or every.min() < 0:
        raise BadTableError(request.file, "its labels are not classes numbered from 0")
    count = max(int(every.max()) + 1, 2)
    classes = tuple(class_id(name) for name in request.classes)
    if not classes:
        finding = class_id(request.finding)
        both = (f"no_{finding}", finding)
        classes = both if count == 2 else tuple(f"class_{number}" for number in range(count))
    if len(classes) != count or len(set(classes)) != count:
        raise BadTableError(request.file, f"it has {count} classes, and {len(classes)} are named")
    positive = class_id(request.positive) if request.positive else None
    if positive is None and count == 2:
        positive = classes[1]
    if positive is not None and positive not in classes:
        raise BadTableError(request.file, f"“{positive}” is none of {', '.join(classes)}")
    return Target(classes, positive)


def _parts(request: ArraysRequest, names: list[str]) -> Iterator[_Part]:
    """One part after the other, so that only one is in memory."""
    for name in names:
        array = _prefixed(name, "images")
        part = _Part(name, _array(request.file, array), _labels(request.file, name))
        flat = part.images.ndim - part.is_colour
        if flat not in (3, 4) or part.images.dtype.kind not in "iufb":
            reason = f"“{array}” is neither pictures nor volumes: {part.images.shape}"
            raise BadTableError(request.file, reason)
        if len(part.images) != len(part.labels):
            reason = f"“{array}” holds {len(part.images)} images and {len(part.labels)} labels"
            raise BadTableError(request.file, reason)
        yield part


def _as_pictures(images: NDArray[np.generic]) -> NDArray[np.generic]:
    """Shape masks of 0 and 1 as black and white; everything else as it is."""
    if images.dtype.kind == "b" or (images.dtype == np.uint8 and images.size and images.max() <= 1):
        return images.astype(np.uint8) * np.uint8(255)
    return images


def _slices(
    key: bytes, name: str, group: str, label: int, image: NDArray[np.generic], part: _Part
) -> Iterator[tuple[SliceFacts, NDArray[np.generic]]]:
    quantity = Quantity.SIGNAL
    if image.dtype == np.uint8:
        quantity = Quantity.COLOUR if part.is_colour else Quantity.GREY
    for index, pixels in enumerate(image if part.of_volumes else image[None]):
        code = pseudonym(key, f"slice:{name}#{index}")
        facts = SliceFacts(
            key=code,
            group=group,
            series=pseudonym(key, f"series:{name}"),
            label=label,
            source=code,
            quantity=quantity,
        )
        yield facts, pixels
