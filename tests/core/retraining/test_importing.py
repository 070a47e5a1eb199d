"""Sets that come from the formats of others; there and back again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import BadTableError, LeakError
from core.retraining.dataset import Dataset
from core.retraining.exporting import export_as
from core.retraining.importing import import_set
from tests.core.retraining.making import picture, small_dataset
from tests.core.retraining.test_attention import marked_set


def content(dataset: Dataset) -> list[tuple[object, ...]]:
    """What of a set must survive: pixels, part, class and marked pixels, in any order."""
    rows = []
    for row in range(len(dataset)):
        height, width = (int(side) for side in dataset.sizes[row])
        marks = [r.mask(height, width).tobytes() for r in dataset.regions_of(row)]
        name = dataset.manifest.classes[dataset.labels[row]]
        plane = np.asarray(dataset.plane(row), np.float32)
        rows.append((plane.tobytes(), str(dataset.splits[row]), name, *sorted(marks)))
    return sorted(rows)


def test_image_folder_there_and_back(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    export_as(dataset, "imagefolder", tmp_path / "out")
    import_set("imagefolder", tmp_path / "out", tmp_path / "again", positive="bleed")
    again = Dataset.open(tmp_path / "again")
    assert content(again) == content(dataset)
    assert again.manifest.classes == dataset.manifest.classes
    assert again.manifest.positive == "bleed"


def test_coco_there_and_back_with_its_masks(tmp_path: Path) -> None:
    dataset = marked_set(tmp_path)
    export_as(dataset, "coco", tmp_path / "out")
    import_set("coco", tmp_path / "out", tmp_path / "again", positive="bleed")
    assert content(Dataset.open(tmp_path / "again")) == content(dataset)


def test_a_datalist_there_and_back_with_its_masks(tmp_path: Path) -> None:
    dataset = marked_set(tmp_path)
    export_as(dataset, "nifti", tmp_path / "out")
    import_set("nifti", tmp_path / "out/datalist.json", tmp_path / "again", positive="bleed")
    again = Dataset.open(tmp_path / "again")
    assert content(again) == content(dataset)
    again.verify()


def test_polygons_of_coco_become_masks(tmp_path: Path) -> None:
    for number in range(2):
        Image.fromarray(picture(number, (20, 30))).save(tmp_path / f"{number}.png")
    images = [{"id": n, "file_name": f"{n}.png", "width": 30, "height": 20} for n in range(2)]
    annotations = [
        {
            "id": 1,
            "image_id": 0,
            "category_id": 7,
            "bbox": [5, 4, 10, 8],
            "area": 80,
            "segmentation": [[5, 4, 14, 4, 14, 11, 5, 11]],
        },
        {"id": 2, "image_id": 1, "category_id": 8, "bbox": [0, 0, 30, 20], "area": 600},
    ]
    categories = [{"id": 7, "name": "Crack"}, {"id": 8, "name": "free"}]
    whole = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "all.json").write_text(json.dumps(whole))
    import_set("coco", tmp_path / "all.json", tmp_path / "set", positive="crack")
    dataset = Dataset.open(tmp_path / "set")
    (row,) = np.flatnonzero(dataset.labels == 1)
    (region,) = dataset.regions_of(int(row))
    mask = region.mask(20, 30)
    assert mask[4:12, 5:15].all()
    assert mask.sum() == 80
    assert dataset.regions_of(1 - int(row)) == ()


def folder_of_classes(folder: Path, parts: tuple[str, ...]) -> Path:
    for index, part in enumerate(parts):
        for kind in ("free", "crack"):
            (folder / part / kind).mkdir(parents=True)
            for number in range(3):
                name = f"P{number}_{kind}.png"
                seed = index * 10 + number + 5 * len(kind)
                Image.fromarray(picture(seed)).save(folder / part / kind / name)
    return folder


def test_without_parts_they_are_drawn_by_group(tmp_path: Path) -> None:
    source = folder_of_classes(tmp_path / "in", ("",))
    import_set("imagefolder", source, tmp_path / "set", positive="crack", group_pattern=r"(P\d+)_")
    dataset = Dataset.open(tmp_path / "set")
    assert len(dataset.group_codes) == 3
    for group in range(3):
        assert len(set(dataset.splits[dataset.groups == group])) == 1


def test_a_patient_in_two_parts_is_refused(tmp_path: Path) -> None:
    source = folder_of_classes(tmp_path / "in", ("train", "test"))
    with pytest.raises(LeakError):
        import_set("imagefolder", source, tmp_path / "set", group_pattern=r"(P\d+)_")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"images": 3}', '{"images": [], "annotations": []}'])
def test_what_is_none_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    for form in ("coco", "nifti"):
        with pytest.raises(BadTableError):
            import_set(form, tmp_path / "x.json", tmp_path / "set")  # type: ignore[arg-type]
    with pytest.raises(BadTableError):
        import_set("imagefolder", tmp_path / "nothing", tmp_path / "set")
    for pattern in ("(", "x"):
        with pytest.raises(BadTableError):
            import_set("imagefolder", tmp_path, tmp_path / "set", group_pattern=pattern)
