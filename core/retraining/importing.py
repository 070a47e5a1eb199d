"""Training sets from the formats of others: ImageFolder, COCO, and NIfTI with a MONAI datalist.

What is read is what `core.retraining.exporting` writes and what others commonly write. Parts that
the source states stay; where it states none they are drawn by group. The group (the patient) is
what a pattern finds in a file's name, or what the source says, or else each file by itself, which
is safe only if no two files show one patient.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from core.errors import BadTableError, LeakError
from core.imaging.acquisition import acquisition_text
from core.imaging.deidentify import pseudonym, site_key
from core.imaging.opening import open_path
from core.imaging.volume import Progress, Series
from core.labels.schema import Attention
from core.retraining.manifest import DatasetManifest, Provenance, Split, file_digest
from core.retraining.regions import SliceRegion, from_runs, of_mask
from core.retraining.series import letters_of
from core.retraining.snapshot import SliceFacts, SnapshotWriter, Target
from core.retraining.splits import ALIASES, draw, name_digest
from core.retraining.tables import class_id, natural_key

Form = Literal["imagefolder", "coco", "nifti"]

_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
_WHOLE = 0.999
"""A box over this share of a picture says nothing of where the finding is."""


@dataclass(frozen=True)
class Foreign:
    """One file of the source. part: "" where it states none.

    labels: a class name, or one (or None) a slice. mask: file that is not zero where the finding
    lies. regions: of a picture, where the source holds boxes or masks.
    """

    file: Path
    part: str
    group: str
    labels: str | tuple[str | None, ...] | None
    mask: Path | None = None
    regions: tuple[SliceRegion, ...] = field(default=())

    def label_of(self, index: int) -> str | None:
        """Class name of one slice."""
        if isinstance(self.labels, tuple):
            return self.labels[index] if index < len(self.labels) else None
        return self.labels


def import_set(
    form: Form,
    source: Path,
    out: Path,
    *,
    positive: str | None = None,
    group_pattern: str | None = None,
    progress: Progress | None = None,
) -> DatasetManifest:
    """Build a set from a folder (imagefolder), an annotation file (coco) or a datalist (nifti).

    positive: the class that is the finding. group_pattern: a regular expression whose first
    group, in a file's name, is the patient. Names become codes.

    Raises BadTableError where the source cannot be understood, LeakError if a group stands in
    two parts, and what opening a file raises.
    """
    pattern = _pattern(source, group_pattern)
    try:
        items = list(_READERS[form](source))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise BadTableError(source, f"it is not {form} as Sliceloop reads it") from error
    if pattern is not None:
        items = [_regrouped(item, pattern, source) for item in items]
    target = _target(source, items, positive)
    parts = _parts(items, target)
    items.sort(key=lambda item: (name_digest(item.group), natural_key(item.file.name)))
    key = site_key()
    volumes = True
    with SnapshotWriter(out, target) as writer:
        for done, item in enumerate(items):
            slices = _add(writer, key, item, target, source)
            volumes &= slices > 1 and not isinstance(item.labels, tuple)
            if progress is not None:
                progress(done + 1, len(items))
        digest = file_digest(source) if source.is_file() else name_digest(form)
        return writer.publish(
            Provenance(source="import", digest=digest),
            {pseudonym(key, f"patient:{name}"): part for name, part in parts.items()},
            unit="series" if volumes else "slice",
        )


def _add(writer: SnapshotWriter, key: bytes, item: Foreign, target: Target, source: Path) -> int:
    """Put the slices of one file into the set; how many there are."""
    series = _open(item.file, source)
    volume, acquisition = series.load(), acquisition_text(series, key)
    masks = None if item.mask is None else np.asarray(_open(item.mask, source).load().voxels)
    if masks is not None and masks.shape[:3] != volume.voxels.shape[:3]:
        raise BadTableError(source, f"the mask {item.mask} is not of the size of its image")
    for index in range(volume.slices):
        name = item.label_of(index)
        pixels = np.asarray(volume.voxels[index])
        regions = item.regions
        if masks is not None:
            regions = of_mask(masks[index])
        code = pseudonym(key, f"slice:{item.group}/{item.file.name}#{index}")
        facts = SliceFacts(
            key=code,
            group=pseudonym(key, f"patient:{item.group}"),
            series=pseudonym(key, f"series:{item.group}/{item.file.name}"),
            label=-1 if name is None else target.classes.index(name),
            source=code,
            slope=float(volume.slope[index]),
            intercept=float(volume.intercept[index]),
            quantity=volume.summary.quantity,
            spacing=volume.geometry.spacing if volume.geometry.has_spacing else (float("nan"),) * 3,
            orientation=letters_of(volume.geometry),
            acquisition=acquisition,
        )
        writer.add(facts, pixels, regions)
    return volume.slices


def _open(path: Path, source: Path) -> Series:
    if not path.is_file():
        raise BadTableError(source, f"the file {path.name} that it names does not exist")
    found = open_path(path).series
    if len(found) != 1:
        raise BadTableError(source, f"{path.name} holds {len(found)} series instead of one")
    return found[0]


def _target(source: Path, items: list[Foreign], positive: str | None) -> Target:
    names: set[str] = set()
    for item in items:
        said = item.labels if isinstance(item.labels, tuple) else (item.labels,)
        names |= {name for name in said if name is not None}
    if len(names) < 2:
        raise BadTableError(source, f"it tells {len(names)} classes apart; two are the least")
    finding = None if positive is None else class_id(positive)
    if finding is not None and finding not in names:
        raise BadTableError(
            source, f"no image is “{finding}”; there are {', '.join(sorted(names))}"
        )
    ordered = sorted(names, key=natural_key)
    if finding is not None:
        ordered.sort(key=lambda name: name == finding)
    return Target(tuple(ordered), finding)


def _parts(items: list[Foreign], target: Target) -> dict[str, Split]:
    stated: dict[str, Split] = {}
    torn: set[str] = set()
    for item in items:
        if item.part and stated.setdefault(item.group, ALIASES[item.part]) != ALIASES[item.part]:
            torn.add(item.group)
    if torn:
        raise LeakError(f"{len(torn)} groups stand in two parts", tuple(sorted(torn)[:5]))
    finding = target.positive or target.classes[-1]
    groups: dict[str, bool] = {}
    for item in items:
        said = item.labels if isinstance(item.labels, tuple) else (item.labels,)
        groups[item.group] = groups.get(item.group, False) or finding in said
    return stated if set(stated) == set(groups) else draw(groups, stated)


def _pattern(source: Path, text: str | None) -> re.Pattern[str] | None:
    if text is None:
        return None
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise BadTableError(
            source, f"the group pattern is no regular expression: {error}"
        ) from error
    if pattern.groups < 1:
        raise BadTableError(source, "the group pattern has no group in parentheses")
    return pattern


def _regrouped(item: Foreign, pattern: re.Pattern[str], source: Path) -> Foreign:
    found = pattern.search(item.file.name)
    if found is None or not found.group(1):
        raise BadTableError(source, f"the group pattern finds nothing in {item.file.name}")
    return Foreign(item.file, item.part, found.group(1), item.labels, item.mask, item.regions)


# ----------------------------------------------------------------- formats


def _image_folder(source: Path) -> Iterator[Foreign]:
    """`[part/]class/file`, as torchvision's ImageFolder."""
    folders = [path for path in sorted(source.iterdir()) if path.is_dir()]
    has_parts = bool(folders) and all(path.name.lower() in ALIASES for path in folders)
    for part in folders if has_parts else [source]:
        for kind in sorted(path for path in part.iterdir() if path.is_dir()):
            for file in sorted(kind.rglob("*")):
                if file.suffix.lower() in _PICTURES:
                    name = part.name.lower() if has_parts else ""
                    yield Foreign(file, name, file.stem, class_id(kind.name))


def _coco(source: Path) -> Iterator[Foreign]:
    """One annotation file, or a folder with one a part; pictures beside it or in `images/`.

    A picture's class is that of its largest annotation. Source: cocodataset.org, data format.
    """
    if source.is_file():
        files = [(source, source.stem.lower())]
    else:
        files = [(file, file.stem.lower()) for file in sorted(source.glob("*.json"))]
    for file, stem in files:
        content = json.loads(file.read_bytes())
        names = {item["id"]: class_id(str(item["name"])) for item in content["categories"]}
        said: dict[Any, list[dict[str, Any]]] = {}
        for annotation in content["annotations"]:
            said.setdefault(annotation["image_id"], []).append(annotation)
        for image in content["images"]:
            own = said.get(image["id"], [])
            size = (int(image["height"]), int(image["width"]))
            largest = max(own, key=lambda item: float(item.get("area", 0)), default=None)
            picture = next(
                (
                    path
                    for folder in (file.parent / "images", file.parent)
                    if (path := folder / Path(str(image["file_name"])).name).is_file()
                ),
                file.parent / Path(str(image["file_name"])).name,
            )
            yield Foreign(
                picture,
                stem if stem in ALIASES else "",
                str(image.get("group", picture.stem)),
                None if largest is None else names[largest["category_id"]],
                regions=tuple(
                    region for item in own if (region := _region(item, size)) is not None
                ),
            )


def _region(annotation: dict[str, Any], size: tuple[int, int]) -> SliceRegion | None:
    """Where an annotation says the finding is; None if that is the whole picture."""
    left, top, width, height = (float(side) for side in annotation["bbox"])
    if width * height >= _WHOLE * size[0] * size[1] or width <= 0 or height <= 0:
        return None
    box = (top, left, height, width)
    shape = annotation.get("segmentation")
    runs: tuple[int, ...] = ()
    if isinstance(shape, dict) and isinstance(shape.get("counts"), list):
        runs = tuple(int(run) for run in shape["counts"])
        from_runs(runs, *size)
    elif isinstance(shape, list) and shape and len(shape[0]) >= 6:
        runs = _polygon(shape, size)
    return SliceRegion(Attention.LOOK_HERE, box, "", runs)


def _polygon(corners: list[list[float]], size: tuple[int, int]) -> tuple[int, ...]:
    from core.retraining.regions import to_runs

    picture = Image.new("L", (size[1], size[0]))
    for ring in corners:
        ImageDraw.Draw(picture).polygon([float(value) for value in ring], fill=1)
    mask: NDArray[np.bool_] = np.asarray(picture) > 0
    return to_runs(mask)


def _nifti(source: Path) -> Iterator[Foreign]:
    """A MONAI datalist: `training`, `validation`, `test`, each of images with labels.

    label: a class number or name, or the path of a mask, of which a slice with any pixel shows
    the finding; slice_labels: one a slice, -1 for none.
    """
    content = json.loads(source.read_bytes())
    names = {str(number): class_id(str(name)) for number, name in content.get("labels", {}).items()}

    def named(value: Any) -> str | None:
        if value in (-1, None):
            return None
        return names.get(str(value), class_id(str(value)))

    for part in ("training", "validation", "test"):
        for item in content.get(part, []):
            image = source.parent / str(item["image"])
            mask = item.get("mask")
            label = item.get("label")
            if mask is None and isinstance(label, str) and "." in label:
                mask, label = label, None
            path = None if mask is None else source.parent / str(mask)
            labels: str | tuple[str | None, ...] | None
            if "slice_labels" in item:
                labels = tuple(named(value) for value in item["slice_labels"])
            elif label is None and path is not None:
                voxels = np.asarray(_open(path, source).load().voxels)
                labels = tuple("finding" if plane.any() else "no_finding" for plane in voxels)
            else:
                labels = named(label)
            yield Foreign(image, part, str(item.get("group", image.name)), labels, path)


_READERS = {"imagefolder": _image_folder, "coco": _coco, "nifti": _nifti}
