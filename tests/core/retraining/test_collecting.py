"""From labels to a set: everything found goes in, nothing identifying does, nobody moves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import UnusableDatasetError
from core.imaging.opening import open_path
from core.labels.history import History
from core.labels.journal import Journal
from core.labels.labelling import Labelling
from core.labels.schema import Attention, LabelEvent, LabelSet, Region
from core.labels.sets import load_label_set
from core.retraining.collecting import build_from_labels, labels_since
from core.retraining.dataset import Dataset
from core.retraining.frozen import FrozenSplits
from core.retraining.sources import Sources
from tests.core.retraining.making import picture

HEMORRHAGE = "hemorrhage"


def stack(folder: Path, seed: int, slices: int = 5) -> Path:
    folder.mkdir(parents=True)
    for index in range(slices):
        pixels = picture(seed * 100 + index, (40, 36))
        Image.fromarray(pixels).save(folder / f"Kim_Minsu_{index + 1}.png")
    return folder


class Ward:
    """Studies on disk, and one reader who labels them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.label_set: LabelSet = load_label_set(HEMORRHAGE)
        self.sources = Sources()
        self.journal = Journal()
        self.labelling = Labelling(self.journal, "Dr Lee")

    def read(self, seed: int, labels: dict[int, str]) -> str:
        path = self.folder / f"study {seed}"
        if not path.exists():
            stack(path, seed)
        summary = open_path(path).series[0].summary
        for index, class_id in labels.items():
            self.labelling.label(summary, index, class_id, label_set=self.label_set)
        self.sources.remember(summary)
        return summary.case_id

    def standing(self) -> list[LabelEvent]:
        history = History(self.journal.events())
        return [e for case in history.cases() for e in history.standing(case)]

    def export(self, name: str, label_set: LabelSet | None = None) -> Dataset:
        marks = self.labelling.marks()
        build_from_labels(
            self.standing(), label_set or self.label_set, self.folder / name, marks=marks
        )
        return Dataset.open(self.folder / name)


@pytest.fixture
def ward(tmp_path: Path) -> Ward:
    ward = Ward(tmp_path)
    for seed in range(6):
        ward.read(seed, {1: HEMORRHAGE if seed % 2 else "no_hemorrhage", 2: "no_hemorrhage"})
    yield ward
    ward.journal.close()


def test_labelled_series_go_in_whole(ward: Ward) -> None:
    dataset = ward.export("set")
    assert len(dataset) == 30
    assert (dataset.labels >= 0).sum() == 12
    assert (dataset.labels == dataset.positive_index).sum() == 3
    assert dataset.manifest.classes == ("no_hemorrhage", "hemorrhage")
    assert dataset.manifest.provenance.source == "labels"
    for row in np.flatnonzero(dataset.labels >= 0):
        assert dataset.orders[row] in (1, 2)
    dataset.verify()


def test_nothing_of_the_patient_leaves(ward: Ward) -> None:
    dataset = ward.export("set")
    stored = b"".join(p.read_bytes() for p in dataset.folder.rglob("*") if p.is_file())
    names = " ".join(str(p.relative_to(dataset.folder)) for p in dataset.folder.rglob("*"))
    for secret in ("Kim", "Minsu", "study", "Lee"):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le"):
            assert secret.encode(encoding) not in stored
        assert secret not in names


def test_an_undone_label_is_not_trained_on(ward: Ward) -> None:
    ward.labelling.undo()
    assert (ward.export("set").labels >= 0).sum() == 11


def test_another_tasks_labels_take_none_away(ward: Ward) -> None:
    before = ward.export("before")
    subtypes = load_label_set("hemorrhage-subtypes")
    for seed in range(6):
        summary = open_path(ward.folder / f"study {seed}").series[0].summary
        ward.labelling.label_series(summary, "no_hemorrhage", label_set=subtypes)
        ward.labelling.adjudicate(summary, 1, "several", label_set=subtypes, reason="seen on MR")
    after = ward.export("after")
    assert after.manifest.id == before.manifest.id
    assert after.manifest.provenance.events == before.manifest.provenance.events
    build_from_labels(ward.standing(), subtypes, ward.folder / "subtypes")
    theirs = Dataset.open(ward.folder / "subtypes")
    assert (theirs.labels >= 0).all()
    assert (theirs.labels == theirs.manifest.classes.index("several")).sum() == 6


def test_another_tasks_regions_take_none_away(ward: Ward) -> None:
    subtypes = load_label_set("hemorrhage-subtypes")
    box, other = (Region((2, 3, size, size), Attention.LOOK_HERE) for size in (4, 8))
    summaries = [open_path(ward.folder / f"study {seed}").series[0].summary for seed in range(6)]
    for summary in summaries:
        ward.labelling.mark(summary, 1, [box], label_set=ward.label_set)
    before = ward.export("before")
    assert len(before.regions) == 6
    for summary in summaries:
        ward.labelling.label(summary, 2, "no_hemorrhage", label_set=subtypes)
        ward.labelling.mark_slices(summary, {1: [], 2: [other]}, label_set=subtypes)
        ward.labelling.mark(summary, 1, [box, other], label_set=subtypes)
        ward.labelling.mark(summary, 1, [], label_set=subtypes)
    after = ward.export("after")
    assert after.manifest.id == before.manifest.id
    assert after.regions == before.regions
    assert after.manifest.provenance.events == before.manifest.provenance.events
    theirs = ward.export("subtypes", subtypes)
    marked = [row for row in range(len(theirs)) if theirs.regions_of(row)]
    assert [theirs.orders[row] for row in marked] == [2] * 6
    used = set(theirs.manifest.provenance.events)
    assert used.isdisjoint(before.manifest.provenance.events)
    ward.labelling.undo()  # with nothing read for: the last step of all, which was no mark of ours
    assert ward.export("again").regions == before.regions


def test_test_patients_stay_when_labels_grow(ward: Ward) -> None:
    one = ward.export("one")
    before = dict(zip(one.keys(), one.splits, strict=True))
    for seed in range(6, 16):
        ward.read(seed, {0: HEMORRHAGE if seed % 3 else "no_hemorrhage"})
    ward.read(0, {3: HEMORRHAGE})  # a known patient turns out to have a finding
    two = ward.export("two")
    after = dict(zip(two.keys(), two.splits, strict=True))
    assert all(after[key] == split for key, split in before.items())
    assert len(two.part("test")) > len(one.part("test"))
    assert two.manifest.extends == one.manifest.id
    assert one.manifest.id != two.manifest.id


def test_the_same_labels_make_the_same_set(ward: Ward) -> None:
    assert ward.export("one").manifest.id == ward.export("two").manifest.id


def test_what_is_new_is_counted(ward: Ward) -> None:
    manifest = ward.export("one").manifest
    assert labels_since(ward.standing(), None) == 12
    assert labels_since(ward.standing(), manifest) == 0
    ward.read(1, {0: HEMORRHAGE, 2: HEMORRHAGE})
    assert labels_since(ward.standing(), manifest) == 2


def test_a_vanished_study_is_told_and_the_rest_goes_in(ward: Ward, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "study 3")
    (tmp_path / "study 4/Kim_Minsu_2.png").unlink()
    found = build_from_labels(ward.standing(), ward.label_set, tmp_path / "set")
    assert {item.code for item in found.left_out} == {"vanished", "changed"}
    assert sum(item.labels for item in found.left_out) == 4
    assert found.manifest.provenance.left_out == {"vanished": 2, "changed": 2}
    assert len(Dataset.open(tmp_path / "set")) == 20
    assert all(item.reason.endswith((".", ")")) for item in found.left_out)


def test_a_moved_study_is_found_at_its_new_place(ward: Ward, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    shutil.move(tmp_path / "study 3", tmp_path / "archive")
    ward.sources.remember(open_path(tmp_path / "archive/study 3").series[0].summary)
    assert len(ward.export("set")) == 30


def test_without_labels_or_studies_there_is_a_sentence(ward: Ward, tmp_path: Path) -> None:
    with pytest.raises(UnusableDatasetError, match="nothing is labelled"):
        build_from_labels([], ward.label_set, tmp_path / "set")
    with pytest.raises(UnusableDatasetError, match="none of the 6"):
        build_from_labels(
            ward.standing(), ward.label_set, tmp_path / "set", sources=Sources(tmp_path / "no.json")
        )
    assert not (tmp_path / "set").exists()
    assert FrozenSplits().known() == {}


def test_a_damaged_record_of_test_patients_stops_the_export(ward: Ward, tmp_path: Path) -> None:
    (tmp_path / "splits.json").write_text("{")
    with pytest.raises(UnusableDatasetError, match="tested on"):
        build_from_labels(
            ward.standing(),
            ward.label_set,
            tmp_path / "set",
            splits=FrozenSplits(tmp_path / "splits.json"),
        )
    assert not (tmp_path / "set").exists()


def test_places_are_remembered_and_private(ward: Ward, profile: Path) -> None:
    file = profile / "data/sources.json"
    assert len(json.loads(file.read_text())) == 6
    assert file.stat().st_mode & 0o077 == 0
    stamp = file.stat().st_mtime_ns
    ward.read(0, {})
    assert file.stat().st_mtime_ns == stamp
    file.write_text("not json")
    assert Sources().find("x") is None
