"""Whoever was tested on once is tested on for ever, by the pictures themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import places
from core.errors import UnusableDatasetError
from core.retraining.arrays import ArraysRequest, build_from_arrays
from core.retraining.building import build_from_table
from core.retraining.dataset import Dataset
from core.retraining.tested import TestedPictures
from tests.core.retraining.making import picture, request, write_table


def table(folder: Path, patients: range, prefix: str = "P", **more: object) -> Path:
    """Two slices a patient, pictures by the patient's number; the first slice is black."""
    rows: list[dict[str, object]] = []
    for patient in patients:
        for index in range(2):
            name = f"{patient}-{index}.png"
            pixels = picture(patient) if index else np.zeros((24, 20), np.uint8)
            Image.fromarray(pixels).save(folder / name)
            row = {"file": name, "patient": f"{prefix}{patient}", "bleed": patient % 2}
            rows.append(row | more)
    return write_table(folder / f"{prefix}{len(patients)}.csv", rows)


def parts(dataset: Dataset) -> dict[str, str]:
    """Picture that is not black → its part."""
    return {
        digest: str(dataset.splits[row])
        for row, digest in enumerate(dataset.pixel_sha256)
        if not dataset.is_flat(row)
    }


def test_a_set_built_again_from_more_patients_tests_on_the_same_ones(tmp_path: Path) -> None:
    build_from_table(request(table(tmp_path, range(10)), tmp_path / "first"))
    first = parts(Dataset.open(tmp_path / "first"))
    tested = {digest for digest, part in first.items() if part == "test"}
    assert 0 < len(tested) < len(first)
    for number, (prefix, patients) in enumerate([("P", 60), ("renamed", 60), ("Q", 80)]):
        out = tmp_path / f"set-{number}"
        build_from_table(request(table(tmp_path, range(patients), prefix), out))
        later = parts(Dataset.open(out))
        assert {later[digest] for digest in tested} == {"test"}
        # Black slices, which all patients share, bind nobody.
        assert sum(part == "test" for part in later.values()) <= 0.2 * patients + 2
        tested |= {digest for digest, part in later.items() if part == "test"}


def test_without_the_record_some_would_have_moved(tmp_path: Path) -> None:
    """The test above can fail: a draw alone gives places to others when there are more."""
    build_from_table(request(table(tmp_path, range(10)), tmp_path / "first"))
    first = parts(Dataset.open(tmp_path / "first"))
    tested = {digest for digest, part in first.items() if part == "test"}
    moved = 0
    for seed in range(4):
        (places.data_folder() / "tested.bin").unlink()
        out = tmp_path / f"other-{seed}"
        build_from_table(request(table(tmp_path, range(60), f"seed{seed}-"), out))
        later = parts(Dataset.open(out))
        moved += sum(later[digest] != "test" for digest in tested)
    assert moved


def test_parts_that_a_person_states_are_neither_kept_nor_changed(tmp_path: Path) -> None:
    path = table(tmp_path, range(10), part="test")
    build_from_table(request(path, tmp_path / "stated", split="part"))
    build_from_table(request(path, tmp_path / "whole", split="test"))
    assert not (places.data_folder() / "tested.bin").exists()
    build_from_table(request(path, tmp_path / "drawn"))
    assert set(parts(Dataset.open(tmp_path / "drawn")).values()) == {"train", "validation", "test"}
    path = table(tmp_path, range(10), part="train")
    build_from_table(request(path, tmp_path / "taught", split="part"))
    assert set(parts(Dataset.open(tmp_path / "taught")).values()) == {"train"}


def test_a_damaged_record_is_told_and_not_begun_anew(tmp_path: Path) -> None:
    path = table(tmp_path, range(6))
    build_from_table(request(path, tmp_path / "first"))
    record = places.data_folder() / "tested.bin"
    record.write_bytes(record.read_bytes()[:-1])
    with pytest.raises(UnusableDatasetError, match="tested on"):
        build_from_table(request(path, tmp_path / "second"))


def test_volumes_without_parts_are_tested_on_again_among_more(tmp_path: Path) -> None:
    """Their first slice is empty, and their second the same in all of them."""
    cubes = np.random.default_rng(0).integers(0, 255, (40, 24, 8, 8), dtype=np.uint8)
    cubes[:, 0], cubes[:, 1, 0, 0] = 0, 9
    cubes[:, 1] = cubes[0, 1]
    labels = np.arange(40) % 2

    def tested(count: int, order: np.ndarray) -> set[str]:
        chosen = order[order < count]
        np.savez(tmp_path / f"{count}.npz", images=cubes[chosen], labels=labels[chosen])
        build_from_arrays(ArraysRequest(tmp_path / f"{count}.npz", tmp_path / f"set{count}"))
        found = Dataset.open(tmp_path / f"set{count}").by_series()
        return {found.pixel_sha256[row] for row in found.part("test")}

    first = tested(10, np.arange(40))
    later = tested(40, np.random.default_rng(1).permutation(40))
    assert first and first <= later and len(later) <= 10


def test_the_record_holds_what_was_added(tmp_path: Path) -> None:
    record = TestedPictures(tmp_path / "tested.bin")
    one, two = "ab" * 32, "cd" * 32
    record.add([one])
    again = TestedPictures(tmp_path / "tested.bin")
    assert one in again and two not in again
    again.add([one, two])
    assert two in TestedPictures(tmp_path / "tested.bin")
    assert (tmp_path / "tested.bin").stat().st_size == 32
