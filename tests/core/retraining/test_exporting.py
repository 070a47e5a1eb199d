"""Sets in other formats: read back by others' readers, or by our own, unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import UnusableDatasetError
from core.imaging.intensity import Quantity
from core.imaging.opening import open_path
from core.retraining.building import TableRequest, build_from_table
from core.retraining.dataset import Dataset
from core.retraining.exporting import export_as
from core.retraining.manifest import Provenance
from core.retraining.snapshot import SliceFacts, SnapshotWriter, Target
from tests.core.retraining.making import small_dataset


def test_csv_builds_the_same_set_again(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    assert export_as(dataset, "csv", tmp_path / "csv") == len(dataset)
    request = TableRequest(
        tmp_path / "csv/slices.csv", "file", "label", "group", tmp_path / "again",
        positive="bleed", split="part", series="series", order="order",
    )  # fmt: skip
    build_from_table(request)
    again = Dataset.open(tmp_path / "again")

    def content(one: Dataset) -> set[tuple[object, ...]]:
        return {
            (
                one.pixel_sha256[row],
                int(one.labels[row]),
                str(one.splits[row]),
                int(one.orders[row]),
            )
            for row in range(len(one))
        }

    assert content(again) == content(dataset)
    assert again.manifest.split_hash == dataset.manifest.split_hash
    assert again.manifest.auxiliary == dataset.manifest.auxiliary


def test_image_folder_is_read_by_torchvision(tmp_path: Path) -> None:
    from torchvision.datasets import ImageFolder

    dataset = small_dataset(tmp_path)
    assert export_as(dataset, "imagefolder", tmp_path / "folder") == 48
    read = ImageFolder(str(tmp_path / "folder/train"), allow_empty=True)
    counts = dataset.manifest.counts["train"].classes
    assert read.classes == sorted(counts)
    assert {name: read.targets.count(read.class_to_idx[name]) for name in counts} == counts
    row = dataset.keys().index(Path(read.imgs[0][0]).stem)
    np.testing.assert_array_equal(np.asarray(Image.open(read.imgs[0][0])), dataset.plane(row))


def test_coco_refers_to_pictures_that_are_there(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    export_as(dataset, "coco", tmp_path / "coco")
    for part, counts in dataset.manifest.counts.items():
        content = json.loads((tmp_path / f"coco/{part}.json").read_text())
        assert len(content["images"]) == len(content["annotations"]) == counts.slices
        for image in content["images"]:
            with Image.open(tmp_path / "coco/images" / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"])
        names = {item["id"]: item["name"] for item in content["categories"]}
        told = [names[item["category_id"]] for item in content["annotations"]]
        assert {name: told.count(name) for name in names.values()} == counts.classes


def hounsfield_set(folder: Path) -> Dataset:
    rng = np.random.default_rng(0)
    with SnapshotWriter(folder, Target(("no", "yes"), "yes")) as writer:
        for number in range(8):
            writer.add(
                SliceFacts(
                    key=f"K{number}", group=f"G{number // 4}", series=f"S{number // 4}",
                    label=number % 2, source="", slope=2.0, intercept=-1024.0,
                    quantity=Quantity.HU, spacing=(5.0, 0.5, 0.4),
                ),
                rng.integers(0, 2000, (12, 10)).astype(np.int16),
            )  # fmt: skip
        splits = {"G0": "train", "G1": "test"}
        writer.publish(Provenance(source="import", digest=""), splits)
    return Dataset.open(folder)


def test_nifti_keeps_hounsfield_units_and_spacing(tmp_path: Path) -> None:
    dataset = hounsfield_set(tmp_path / "set")
    export_as(dataset, "nifti", tmp_path / "nifti")
    datalist = json.loads((tmp_path / "nifti/datalist.json").read_text())
    (item,) = datalist["training"]
    assert item["slice_labels"] == [0, 1, 0, 1]
    assert item["label"] == 1
    series = open_path(tmp_path / "nifti" / item["image"]).series[0]
    volume = series.load()
    assert volume.geometry.spacing == pytest.approx((5.0, 0.5, 0.4))
    expected = np.stack([dataset.plane(row) for row in range(4)])
    found = volume.voxels * volume.slope[:, None, None] + volume.intercept[:, None, None]
    # NIfTI readers may flip axes into LPS; the values themselves must all be there.
    np.testing.assert_allclose(np.sort(found.ravel()), np.sort(expected.ravel()))


def test_pictures_of_hounsfield_units_pass_a_window(tmp_path: Path) -> None:
    dataset = hounsfield_set(tmp_path / "set")
    export_as(dataset, "imagefolder", tmp_path / "folder")
    with Image.open(tmp_path / "folder/train/yes/K1.png") as picture:
        grey = np.asarray(picture)
    assert (grey[dataset.plane(1) <= 0] == 0).all()
    assert (grey[dataset.plane(1) >= 80] == 255).all()


def test_an_occupied_folder_is_left_alone(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("precious")
    with pytest.raises(UnusableDatasetError):
        export_as(dataset, "csv", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
