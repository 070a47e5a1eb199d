"""A group is on one side for ever, and what leaks is refused."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from core.errors import ConfoundError, LeakError
from core.retraining import fingerprints
from core.retraining.building import build_from_table
from core.retraining.confounds import CERTAIN
from core.retraining.dataset import Dataset
from core.retraining.fingerprints import Fingerprints, fine_detail, substantial_links
from core.retraining.leaks import Override, check_or_raise, examine
from core.retraining.manifest import Split
from core.retraining.splits import draw, draw_linked
from core.sentences import sentence
from tests.core.retraining.making import (
    picture,
    request,
    small_dataset,
    table_of_patients,
    write_table,
)

names = st.text("abcdefgh0123456789", min_size=1, max_size=6)
groups_of = st.dictionaries(names, st.booleans(), max_size=40)


@given(groups_of)
def test_every_group_has_one_part_and_shares_are_kept(groups: dict[str, bool]) -> None:
    drawn = draw(groups)
    assert drawn.keys() == groups.keys()
    for finding in (True, False):
        count = sum(has == finding for has in groups.values())
        tested = sum(drawn[name] == "test" for name, has in groups.items() if has == finding)
        assert abs(tested - 0.2 * count) <= 1
        if count >= 3:
            parts = {drawn[name] for name, has in groups.items() if has == finding}
            assert parts == {"train", "validation", "test"}


@given(groups_of, groups_of)
def test_growth_never_moves_a_group(small: dict[str, bool], more: dict[str, bool]) -> None:
    before = draw(small)
    after = draw(more | small, before)
    assert {name: after[name] for name in small} == before
    # Also where a patient has a finding only later.
    flipped = {name: not has for name, has in small.items()}
    assert {name: draw(more | flipped, before)[name] for name in small} == before


@given(groups_of)
def test_the_order_of_groups_does_not_matter(groups: dict[str, bool]) -> None:
    assert draw(groups) == draw(dict(reversed(groups.items())))


@given(groups_of, st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=10))
def test_linked_groups_go_together(groups: dict[str, bool], links: list[tuple[int, int]]) -> None:
    order = list(groups)
    pairs = [(order[a], order[b]) for a, b in links if a < len(order) and b < len(order)]
    drawn = draw_linked(groups, pairs)
    assert drawn.keys() == groups.keys()
    assert all(drawn[one] == drawn[two] for one, two in pairs)
    earlier: dict[str, Split] = dict.fromkeys(order[:1], "test")
    assert all(draw_linked(groups, pairs, earlier)[name] == "test" for name in earlier)


def test_a_stranger_that_shows_the_same_joins_the_test_part() -> None:
    groups = {f"g{k}": k % 2 == 0 for k in range(10)}
    drawn = draw_linked(groups | {"new": True}, [("g3", "new")], {"g3": "test"})
    assert drawn["new"] == "test"


# ----------------------------------------------------------------- the same picture again


def saved_again(pixels: np.ndarray, scale: float = 0.6, quality: int = 70) -> np.ndarray:
    image = Image.fromarray(pixels)
    size = (round(image.width * scale), round(image.height * scale))
    stream = io.BytesIO()
    image.resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(stream.getvalue())))


def textured(seed: int) -> np.ndarray:
    """A head-like disc in a white ring, the same in all, with texture of its own."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:160, :160]
    radius = np.hypot(rows - 80, columns - 80)
    disc = (radius < 60) * 110.0
    coarse = np.asarray(
        Image.fromarray(rng.normal(0, 40, (40, 40)).astype(np.float32)).resize((160, 160))
    )
    inside = disc + coarse * (disc > 0)
    return np.uint8(np.clip(np.where((radius > 60) & (radius < 68), 255, inside), 0, 255))


def test_a_picture_saved_again_is_found_and_another_of_the_same_shape_is_not() -> None:
    pictures = [textured(seed) for seed in range(12)]
    pictures += [saved_again(pictures[3]), np.uint8(pictures[5] * 0.6 + 20)]
    prints = Fingerprints()
    for pixels in pictures:
        prints.add(pixels)
    found = prints.duplicates(np.arange(len(pictures)), lambda row: pictures[row])
    assert {(item.first, item.second) for item in found} == {(3, 12), (5, 13)}
    assert fine_detail(pictures[0]).similarity(fine_detail(pictures[1])) < 0.3
    assert fine_detail(pictures[0]).similarity(fine_detail(pictures[0])) == pytest.approx(1)


def test_looking_along_main_axes_first_finds_the_same_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every pair that correlates enough is found, over several blocks; and no other."""
    monkeypatch.setattr(fingerprints, "_BLOCK", 64)
    random = np.random.default_rng(0)
    shapes = random.normal(size=(300, 256)).astype(np.float32)
    shapes[200:] = shapes[:100] + 0.1 * random.normal(size=(100, 256))
    shapes -= shapes.mean(axis=1, keepdims=True)
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    shapes[[5, 205]] = 0  # flat
    prints, sides = Fingerprints(), np.arange(300) % 7
    prints._thumbnails, prints._hashes = list(shapes), [np.zeros(32, np.uint8)] * 300
    alike = shapes @ shapes.T >= fingerprints.THUMBNAIL_CORRELATION
    wanted = [(i, j) for i, j in np.argwhere(alike) if i < j and sides[i] != sides[j]]
    assert len(wanted) > 50 and prints.candidates(sides) == wanted


def test_flat_pictures_are_nobodys_duplicates() -> None:
    prints = Fingerprints()
    for value in (0, 0, 7, 7):
        prints.add(np.full((30, 30), value, np.uint8))
    assert prints.duplicates(np.arange(4), lambda _: np.zeros((30, 30))) == []


def test_one_slice_in_forty_does_not_join_two_patients() -> None:
    prints = Fingerprints()
    pictures = (
        [textured(seed) for seed in range(40)]
        + [textured(0)]
        + [textured(100 + seed) for seed in range(39)]
    )
    for pixels in pictures:
        prints.add(pixels)
    groups = np.repeat([0, 1], 40)
    found = prints.duplicates(groups, lambda row: pictures[row])
    assert len(found) == 1
    assert substantial_links(found, groups) == []
    assert substantial_links(found, np.arange(80)) == [(0, 40)]


# ----------------------------------------------------------------- sets


def stated(tmp_path: Path, change: str) -> Dataset:
    """Patients with a part column; the last one's pictures are those of the first, changed."""
    table, rows = table_of_patients(tmp_path / "source", 6)
    first, last = "slices/p0_s1.png", "slices/p5_s1.png"
    original = textured(1)
    Image.fromarray(original).save(table.parent / first)
    again = {"same": original, "again": saved_again(original), "other": textured(2)}[change]
    Image.fromarray(again).save(table.parent / last)
    for row in rows:
        row["part"] = "test" if row["patient"] == "P5" else "train"
    write_table(table, rows)
    build_from_table(request(table, tmp_path / "set", split="part"))
    return Dataset.open(tmp_path / "set")


@pytest.mark.parametrize(("change", "code"), [("same", "same-pixels"), ("again", "near-duplicate")])
def test_the_same_picture_on_two_sides_is_refused(tmp_path: Path, change: str, code: str) -> None:
    dataset = stated(tmp_path, change)
    assert code in {leak.code for leak in examine(dataset).leaks}
    with pytest.raises(LeakError) as leak:
        check_or_raise(dataset)
    assert "leaks" in str(sentence(leak.value))


def test_a_clean_set_passes(tmp_path: Path) -> None:
    assert examine(stated(tmp_path, "other")).leaks == ()


def test_an_automatic_split_never_separates_the_same_picture(tmp_path: Path) -> None:
    rows = []
    for index in range(24):
        pixels = textured(index // 2)
        Image.fromarray(saved_again(pixels, 0.8) if index % 2 else pixels).save(
            tmp_path / f"{index}.png"
        )
        rows.append({"file": f"{index}.png", "patient": f"P{index}", "bleed": index // 2 % 2})
    build_from_table(request(write_table(tmp_path / "t.csv", rows), tmp_path / "set"))
    health = examine(Dataset.open(tmp_path / "set"))
    assert health.leaks == ()
    assert health.duplicates == 12


def test_a_group_on_two_sides_is_refused(tmp_path: Path) -> None:
    dataset = small_dataset(tmp_path)
    dataset.splits[0] = "test" if dataset.splits[0] != "test" else "train"
    with pytest.raises(LeakError) as leak:
        check_or_raise(dataset)
    assert leak.value.examples == (dataset.group_codes[0],)


def test_a_size_that_gives_the_label_away_is_told(tmp_path: Path) -> None:
    rows = []
    for index in range(40):
        size = (30 + 10 * (index % 2), 40)
        Image.fromarray(picture(index, size)).save(tmp_path / f"{index}.png")
        rows.append({"file": f"{index}.png", "patient": index, "bleed": index % 2})
    build_from_table(request(write_table(tmp_path / "t.csv", rows), tmp_path / "set"))
    told = [c.message for c in examine(Dataset.open(tmp_path / "set")).cautions]
    assert any("number of rows" in message for message in told)
    assert not any("number of columns" in message for message in told)


def test_a_column_that_gives_the_label_away_is_told_and_does_not_stop(tmp_path: Path) -> None:
    """A scanner that only the ill were put into; another column that says nothing stays silent."""
    rows = []
    for index in range(40):
        Image.fromarray(picture(index)).save(tmp_path / f"{index}.png")
        scanner = "new" if index % 2 and index > 4 else "old"
        rows.append(
            {"file": f"{index}.png", "patient": index, "bleed": index % 2, "scanner": scanner,
             "site": "north" if index < 20 else "south"}
        )  # fmt: skip
    table = write_table(tmp_path / "t.csv", rows)
    build_from_table(request(table, tmp_path / "set", subgroups=("scanner", "site")))
    found = check_or_raise(Dataset.open(tmp_path / "set"))
    told = [caution.message for caution in found if caution.code == "confound"]
    assert len(told) == 1 and "scanner" in told[0]


def test_small_parts_are_told(tmp_path: Path) -> None:
    codes = {caution.code for caution in examine(small_dataset(tmp_path)).cautions}
    assert "few-test-findings" in codes
    assert not math.isnan(len(codes))


def test_a_clean_set_is_read_once_and_a_changed_one_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = stated(tmp_path, "other")
    first = check_or_raise(dataset)
    monkeypatch.setattr(Fingerprints, "add", lambda *_: pytest.fail("pixels were read again"))
    assert check_or_raise(Dataset.open(dataset.folder)) == first
    dataset.splits[0] = "validation"  # a patient on two sides is found without any pixel
    monkeypatch.undo()
    with pytest.raises(LeakError):
        check_or_raise(dataset)


def confounded(folder: Path) -> Dataset:
    """Twelve patients with findings in small pictures, twelve without in large ones."""
    (folder / "slices").mkdir(parents=True)
    rows: list[dict[str, object]] = []
    for patient in range(24):
        finding = patient % 2
        for index in range(2):
            name = f"slices/{patient}-{index}.png"
            size = (24, 20) if finding else (26, 20)
            Image.fromarray(picture(patient * 10 + index, size)).save(folder / name)
            rows.append({"file": name, "patient": f"P{patient}", "bleed": finding})
    build_from_table(request(write_table(folder / "t.csv", rows), folder / "set"))
    return Dataset.open(folder / "set")


def test_what_gives_the_labels_away_stops_unless_a_person_passes_it_over(tmp_path: Path) -> None:
    dataset = confounded(tmp_path)
    with pytest.raises(ConfoundError) as caught:
        check_or_raise(dataset)
    assert "number of rows" in caught.value.what.lower()
    with pytest.raises(ConfoundError):
        check_or_raise(dataset)  # from the kept result, too
    said = check_or_raise(dataset, override=Override("Dr. Kim", "One scanner each."))
    told = next(caution.message for caution in said if caution.code == CERTAIN)
    assert "passed over by Dr. Kim: One scanner each" in told
    for nobody in (("", "why"), ("who", " ")):
        with pytest.raises(ValueError, match="names who"):
            Override(*nobody)


def test_a_leak_is_passed_over_by_name_but_never_a_patient_on_two_sides(tmp_path: Path) -> None:
    override = Override("Dr. Kim", "The pictures are phantoms.")
    table, rows = table_of_patients(tmp_path / "source")
    Image.open(tmp_path / "source" / str(rows[0]["file"])).save(
        tmp_path / "source" / str(rows[-1]["file"])
    )
    for row in rows:
        row["part"] = "test" if row["patient"] in ("P0", "P1") else "train"
    write_table(table, rows)
    build_from_table(request(table, tmp_path / "set", split="part"))
    dataset = Dataset.open(tmp_path / "set")
    with pytest.raises(LeakError):
        check_or_raise(dataset)
    said = check_or_raise(dataset, override=override)
    assert any(c.code == "leak" and "Dr. Kim" in c.message for c in said)
    dataset.splits[0] = "train"
    dataset.splits[1] = "test"
    with pytest.raises(LeakError):
        check_or_raise(dataset, override=override)


@pytest.mark.parametrize("shared", [0, 255])
def test_pairs_are_those_of_comparing_each_with_each(shared: int) -> None:
    """Also where all pictures share a coarse shape, so that main axes tell few of them apart."""
    random = np.random.default_rng(3)
    pictures = random.integers(0, 160, (300, 32, 32)).astype(np.float32)
    if shared:
        pictures[:, 10:20, 10:20] = shared
    pictures[280:] = pictures[:20] + random.normal(0, 2, (20, 32, 32)).astype(np.float32)
    prints = Fingerprints()
    for one in pictures:
        prints.add(one)
    sides = np.arange(300)
    found = prints.candidates(sides)
    thumbnails, hashes = np.stack(prints._thumbnails), np.stack(prints._hashes)
    alike = thumbnails @ thumbnails.T >= fingerprints.THUMBNAIL_CORRELATION
    apart = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2)
    every = np.argwhere(np.triu(alike & (apart <= fingerprints.HASH_DISTANCE), 1))
    assert found == [(int(one), int(two)) for one, two in every]
    assert {(k, k + 280) for k in range(20)} <= set(found)
