"""A set from a table: what goes in comes out, whatever the table's order, or one sentence."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import BadTableError, CoreError, LeakError, UnusableDatasetError
from core.retraining.building import build_from_table
from core.retraining.dataset import Dataset
from core.sentences import sentence
from tests.core.retraining.making import (
    picture,
    request,
    small_dataset,
    table_of_patients,
    write_table,
)


def test_pixels_labels_and_groups_come_back_as_they_went_in(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path, keep_names=True)
    assert len(dataset) == 48
    assert dataset.manifest.classes == ("no_bleed", "bleed")
    assert dataset.manifest.positive == "bleed"
    assert dataset.manifest.auxiliary == ("deep",)
    for row in range(len(dataset)):
        patient, index = dataset.sources[row].removesuffix(".png").split("/p")[1].split("_s")
        seed = int(patient) * 100 + (int(index) - 1) // 3
        np.testing.assert_array_equal(dataset.plane(row), picture(seed))
        assert dataset.labels[row] == int(int(patient) % 2 == 0 and (int(index) - 1) // 3 >= 2)
    assert len(dataset.group_codes) == 12
    dataset.verify()


def test_neighbours_are_by_position_not_by_number(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    first = dataset.part("all")[dataset.orders == 0][3]
    assert dataset.neighbours(first, 1) == [first, first, first + 1]
    assert dataset.neighbours(first + 3, 2) == [first + 1, first + 2, *[first + 3] * 3]
    assert dataset.neighbours(first + 1, 0) == [first + 1]


def test_parts_partition_the_set_and_groups_stay_whole(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    rows = np.concatenate([dataset.part(name) for name in ("train", "validation", "test")])
    assert sorted(rows) == list(range(len(dataset)))
    for group in set(dataset.groups):
        assert len(set(dataset.splits[dataset.groups == group])) == 1
    assert {len(dataset.part(name)) > 0 for name in ("train", "validation", "test")} == {True}


def test_nothing_identifying_is_stored(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    stored = b"".join(p.read_bytes() for p in dataset.folder.iterdir() if p.is_file())
    words = " ".join(dataset.keys() + dataset.group_codes + dataset.series_codes + dataset.sources)
    for secret in ("P0", "P11", "p0_s1", "free text"):
        assert secret not in words
    assert b"free text" not in stored
    assert b"slices/p" not in stored


def test_the_id_does_not_depend_on_the_order_of_rows_nor_on_the_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, rows = table_of_patients(tmp_path / "source")
    one = build_from_table(request(table, tmp_path / "one"))
    random.Random(3).shuffle(rows)
    write_table(table, rows)
    monkeypatch.setenv("SLICELOOP_HOME", str(tmp_path / "another site"))
    two = build_from_table(request(table, tmp_path / "two"))
    assert one.id == two.id
    assert one.split_hash == two.split_hash
    assert Dataset.open(tmp_path / "one").keys() != Dataset.open(tmp_path / "two").keys()


@pytest.mark.parametrize("what", ["pixel", "label", "auxiliary", "group"])
def test_the_id_changes_with_any_content(tmp_path: Path, what: str) -> None:
    table, rows = table_of_patients(tmp_path / "source")
    before = build_from_table(request(table, tmp_path / "before")).id
    if what == "pixel":
        pixels = picture(100).copy()
        pixels[0, 0] ^= 1
        Image.fromarray(pixels).save(table.parent / "slices/p1_s1.png")
    else:
        column, value = {
            "label": ("bleed", 1),
            "auxiliary": ("deep", 1),
            "group": ("patient", "P99"),
        }[what]
        rows[4][column] = value
        write_table(table, rows)
    assert build_from_table(request(table, tmp_path / "after")).id != before


def test_a_set_made_again_has_the_same_id(tmp_path: Path) -> None:
    table, _ = table_of_patients(tmp_path / "source", 5)
    ids = {build_from_table(request(table, tmp_path / str(index))).id for index in range(2)}
    assert len(ids) == 1


def test_split_test_puts_every_row_into_the_test_part(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path, split="test")
    assert set(dataset.splits) == {"test"}


def test_a_split_column_is_obeyed_and_a_leak_in_it_refused(tmp_path: Path) -> None:
    table, rows = table_of_patients(tmp_path / "source", 4)
    for row in rows:
        row["part"] = "Test" if row["patient"] == "P1" else "train"
    write_table(table, rows)
    build_from_table(request(table, tmp_path / "set", split="part"))
    assert len(Dataset.open(tmp_path / "set").part("test")) == 4
    rows[0]["part"] = "val"
    write_table(table, rows)
    with pytest.raises(LeakError) as leak:
        build_from_table(request(table, tmp_path / "leaky", split="part"))
    assert leak.value.examples == ("P0",)
    assert not (tmp_path / "leaky").exists()


def test_extending_keeps_every_earlier_assignment(tmp_path: Path) -> None:
    table, _ = table_of_patients(tmp_path / "small", 8)
    build_from_table(request(table, tmp_path / "one"))
    table, _ = table_of_patients(tmp_path / "large", 30)
    grown = build_from_table(request(table, tmp_path / "two", extends=tmp_path / "one"))
    one, two = Dataset.open(tmp_path / "one"), Dataset.open(tmp_path / "two")
    before = {one.group_codes[g]: s for g, s in zip(one.groups, one.splits, strict=True)}
    after = {two.group_codes[g]: s for g, s in zip(two.groups, two.splits, strict=True)}
    assert all(after[code] == split for code, split in before.items())
    assert sum(split == "test" for split in after.values()) > sum(
        split == "test" for split in before.values()
    )
    assert grown.extends == one.manifest.id


def test_extending_another_sites_set_goes_by_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, rows = table_of_patients(tmp_path / "source", 10)
    build_from_table(request(table, tmp_path / "one"))
    for row in rows:
        row["patient"] = f"renumbered {row['patient']}"
    write_table(table, rows)
    monkeypatch.setenv("SLICELOOP_HOME", str(tmp_path / "another site"))
    build_from_table(request(table, tmp_path / "two", extends=tmp_path / "one"))
    one, two = Dataset.open(tmp_path / "one"), Dataset.open(tmp_path / "two")
    assert set(one.group_codes).isdisjoint(two.group_codes)
    assert dict(zip(one.pixel_sha256, one.splits, strict=True)) == dict(
        zip(two.pixel_sha256, two.splits, strict=True)
    )


def test_text_labels_become_classes(tmp_path: Path) -> None:
    table, rows = table_of_patients(tmp_path / "source", 6)
    kinds = ["Free", "crack", "blow hole"]
    for index, row in enumerate(rows):
        row["kind"] = kinds[index % 3]
    write_table(table, rows)

    def target(**changes: object) -> tuple[tuple[str, ...], str | None, int]:
        out = tmp_path / f"set{len(list(tmp_path.iterdir()))}"
        manifest = build_from_table(request(table, out, label="kind", **changes))
        return manifest.classes, manifest.positive, int((Dataset.open(out).labels == 1).sum())

    assert target() == (("free", "blow_hole", "crack"), None, 8) or target()[0] == (
        "blow_hole",
        "crack",
        "free",
    )
    assert target(positive="crack") == (("no_crack", "crack"), "crack", 8)
    assert target(negative="Free") == (("free", "not_free"), "not_free", 16)


def test_two_text_labels_need_no_hint_when_one_is_an_absence(tmp_path: Path) -> None:
    table, rows = table_of_patients(tmp_path / "source", 4)
    for row in rows:
        row["kind"] = "tumour" if row["bleed"] else "normal"
    write_table(table, rows)
    manifest = build_from_table(request(table, tmp_path / "set", label="kind"))
    assert (manifest.classes, manifest.positive) == (("normal", "tumour"), "tumour")


def test_empty_labels_are_kept_as_unlabelled(tmp_path: Path) -> None:
    table, rows = table_of_patients(tmp_path / "source", 4)
    rows[0]["bleed"] = ""
    rows[1]["deep"] = ""
    write_table(table, rows)
    build_from_table(request(table, tmp_path / "set"))
    dataset = Dataset.open(tmp_path / "set")
    assert (dataset.labels == -1).sum() == 1
    assert np.isnan(dataset.auxiliary).sum() == 1


BAD = [
    ({"file": "path"}, "path"),
    ({"group": "person"}, "person"),
    ({"label": "note"}, None),
    ({"positive": "7"}, "7"),
    ({"split": "part"}, "part"),
    ({"series": "scan"}, "scan"),
    ({"group_block": 10}, "patient"),
]


@pytest.mark.parametrize(("changes", "named"), BAD)
def test_a_wrong_request_names_what_is_missing(
    tmp_path: Path, changes: dict[str, object], named: str | None
) -> None:
    table, _ = table_of_patients(tmp_path / "source", 3)
    if named is None:
        build_from_table(request(table, tmp_path / "set", **changes))
        return
    with pytest.raises(BadTableError) as error:
        build_from_table(request(table, tmp_path / "set", **changes))
    assert named in str(sentence(error.value))
    assert not (tmp_path / "set").exists()
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"file,patient,bleed\n", b"\xff\xfe\x00", b"a,a\n1,2\n", b'file,b\n"x', b"file,b\n1\n"],
)
def test_a_table_that_is_none_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(BadTableError) as error:
        build_from_table(request(tmp_path / "table.csv", tmp_path / "set"))
    assert "table.csv" in str(sentence(error.value))


def test_missing_and_broken_pictures_are_named(tmp_path: Path) -> None:
    table, _ = table_of_patients(tmp_path / "source", 3)
    (table.parent / "slices/p1_s4.png").write_text("not a picture")
    with pytest.raises(CoreError) as error:
        build_from_table(request(table, tmp_path / "set"))
    assert "p1_s4.png" in str(sentence(error.value))
    (table.parent / "slices/p1_s4.png").unlink()
    with pytest.raises(BadTableError) as absent:
        build_from_table(request(table, tmp_path / "set"))
    assert "p1_s4.png" in str(sentence(absent.value))
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_an_occupied_folder_is_left_alone(tmp_path: Path) -> None:
    table, _ = table_of_patients(tmp_path / "source", 3)
    (tmp_path / "set").mkdir()
    (tmp_path / "set/mine.txt").write_text("precious")
    with pytest.raises(UnusableDatasetError):
        build_from_table(request(table, tmp_path / "set"))
    assert (tmp_path / "set/mine.txt").read_text() == "precious"


def test_damage_is_found(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    pixels = next((dataset.folder / "pixels").iterdir())
    content = bytearray(pixels.read_bytes())
    content[-5] ^= 0xFF
    pixels.write_bytes(content)
    with pytest.raises(UnusableDatasetError, match="altered"):
        Dataset.open(dataset.folder).verify()
    table = dataset.folder / "slices.parquet"
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(UnusableDatasetError, match="altered"):
        Dataset.open(dataset.folder)
    (dataset.folder / "dataset.json").write_text("{")
    with pytest.raises(UnusableDatasetError, match="damaged"):
        Dataset.open(dataset.folder)
    with pytest.raises(UnusableDatasetError):
        Dataset.open(tmp_path / "nowhere")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    path = dataset.folder / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(UnusableDatasetError, match="newer"):
        Dataset.open(dataset.folder)


def test_a_set_travels_to_other_processes(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    dataset.plane(0)
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again.plane(3), dataset.plane(3))


def test_pictures_of_many_sizes_share_a_set(tmp_path: Path) -> None:
    rows = []
    for index in range(6):
        Image.fromarray(picture(index, (10 + index, 12))).save(tmp_path / f"{index}.png")
        rows.append({"file": f"{index}.png", "patient": index // 2, "bleed": index % 2})
    build_from_table(request(write_table(tmp_path / "t.csv", rows), tmp_path / "set"))
    dataset = Dataset.open(tmp_path / "set")
    assert {dataset.plane(row).shape[0] for row in range(6)} == set(range(10, 16))
    dataset.verify()


def test_no_set_appears_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, _ = table_of_patients(tmp_path / "source", 3)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(CoreError) as error:
        build_from_table(request(table, tmp_path / "set"))
    assert "No space left" in str(sentence(error.value))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["profile", "source"]
