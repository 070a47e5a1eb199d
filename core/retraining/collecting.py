"""A training set from the labels made in the window: their studies opened again, de-identified.

What goes in: pixels in their stored type, classes, codes under this site's key. What stays
here: names, numbers and dates of people, descriptions and notes, file names, who labelled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from core.errors import BurnedInTextError, CoreError, UnusableDatasetError
from core.imaging.acquisition import acquisition_text
from core.imaging.deidentified import note_looked, text_unseen
from core.imaging.deidentify import pseudonym, site_key
from core.imaging.opening import open_path
from core.imaging.volume import Progress, Series, Volume
from core.labels.schema import LabelEvent, LabelSet
from core.retraining.fingerprints import Fingerprints, substantial_links
from core.retraining.frozen import FrozenSplits
from core.retraining.manifest import DatasetManifest, Provenance
from core.retraining.regions import SliceRegion, of_label
from core.retraining.series import letters_of
from core.retraining.snapshot import (
    SliceFacts,
    SnapshotWriter,
    Target,
    comparable_stored,
    refuse_occupied,
)
from core.retraining.sources import Sources
from core.retraining.splits import name_digest
from core.sentences import sentence


@dataclass(frozen=True)
class LeftOut:
    """Labels that are not in the set. reason: a sentence for the person at this computer.

    code: the reason in one word, for the set's provenance. path: where it was looked for.
    """

    case_id: str
    labels: int
    code: str
    reason: str
    path: Path | None


@dataclass(frozen=True)
class Collected:
    """What an export made, and what it had to leave out."""

    manifest: DatasetManifest
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Case:
    """The labels of one series. patient: name of the group (never leaves)."""

    case_id: str
    patient: str
    events: tuple[LabelEvent, ...]
    marks: tuple[LabelEvent, ...] = ()


def build_from_labels(
    standing: Iterable[LabelEvent],
    label_set: LabelSet,
    out: Path,
    *,
    sources: Sources | None = None,
    splits: FrozenSplits | None = None,
    marks: Iterable[LabelEvent] = (),
    looked_at_by: str = "",
    progress: Progress | None = None,
) -> Collected:
    """Make a set of all series that have a label of this label set now.

    standing: the entries that give the current labels (`Labelling.standing`). The whole series
    goes in, so that each slice has its neighbours; slices without a label stay unlabelled.
    marks: the entries that give the regions marked now (`Labelling.marks`). Of both, those of
    this label set go in.
    looked_at_by: the person who has looked at all pictures and found no text in them that names
    anybody; without it, series in which text is likely are left out (see
    `core.imaging.deidentified`).
    A study that is not where it was, or has changed, is left out and told of; nothing else is.

    Raises UnusableDatasetError if nothing is labelled, or none of it can be found.
    """
    refuse_occupied(out)
    chosen = [event for event in standing if event.draft.label_set == label_set.id]
    if not chosen:
        raise UnusableDatasetError(
            out,
            f"nothing is labelled for “{label_set.names['en']}” yet",
            "Label slices in the window first.",
        )
    cases = _cases(chosen, [mark for mark in marks if mark.draft.label_set == label_set.id])
    classes = _classes(label_set)
    left_out: list[LeftOut] = []
    prints, used = Fingerprints(), _Used()
    key = site_key()
    if looked_at_by.strip():
        note_looked([case.case_id for case in cases], key, looked_at_by)
    with SnapshotWriter(out, classes) as writer:
        for done, (case, opened) in enumerate(_opened(cases, sources or Sources())):
            if isinstance(opened, LeftOut):
                left_out.append(opened)
            elif why := text_unseen(opened, key):
                left_out.append(_unseen(case, why, opened.summary.path))
            else:
                _add(writer, prints, key, case, opened, classes, used, left_out)
            if progress is not None:
                progress(done + 1, len(cases))
        if not len(writer):
            raise UnusableDatasetError(
                out,
                f"none of the {len(cases)} labelled series is where it was",
                "Open the studies again, or name their folders with --study.",
            )
        names = {pseudonym(key, case.patient): case.patient for case in cases}
        groups = _findings(cases, key, classes, set(writer.groups))
        frozen = splits or FrozenSplits()
        parts = frozen.assign(groups, names, _links(writer, prints, list(groups)))
        manifest = writer.publish(
            Provenance(
                source="labels",
                digest=chosen[-1].digest,
                columns={"label_set": label_set.id},
                events=tuple(sorted(used.events)),
                left_out=_counted(left_out),
            ),
            splits=parts,
            extends=frozen.last_set,
        )
    frozen.note(manifest.id)
    return Collected(manifest, tuple(left_out))


def labels_since(standing: Iterable[LabelEvent], manifest: DatasetManifest | None) -> int:
    """How many current labels are not in a set: what retraining would learn anew."""
    known = set() if manifest is None else set(manifest.provenance.events)
    return sum(event.sequence not in known for event in standing)


class _Used:
    """Keys and label events that are in the set."""

    def __init__(self) -> None:
        self.keys: set[str] = set()
        self.events: set[int] = set()


def _cases(events: Sequence[LabelEvent], marks: Sequence[LabelEvent]) -> list[_Case]:
    """Labels by series, in the order in which a set stores them: patients by digest."""
    by_case: dict[str, list[LabelEvent]] = defaultdict(list)
    for event in events:
        by_case[event.draft.case_id].append(event)
    marked: dict[str, list[LabelEvent]] = defaultdict(list)
    for mark in marks:
        marked[mark.draft.case_id].append(mark)
    cases = []
    for case_id, own in by_case.items():
        stated = own[-1].draft.patient_id.strip(" \0")
        patient = f"patient:{stated}" if stated else f"case:{case_id}"
        cases.append(_Case(case_id, patient, tuple(own), tuple(marked[case_id])))
    return sorted(cases, key=lambda case: (name_digest(case.patient), case.case_id))


def _classes(label_set: LabelSet) -> Target:
    """Absences first; a finding is named as such if there is exactly one."""
    ordered = sorted(label_set.classes, key=lambda item: item.positive)
    positive = [item.id for item in ordered if item.positive]
    return Target(tuple(item.id for item in ordered), positive[0] if len(positive) == 1 else None)


def _opened(cases: Sequence[_Case], sources: Sources) -> Iterator[tuple[_Case, Series | LeftOut]]:
    """Each case with its series, or with why it is left out. A folder is looked at once."""
    looked: dict[Path, dict[str, Series] | str] = {}
    for case in cases:
        path = sources.find(case.case_id)
        if path is None:
            reason = "Nobody noted where this series lies; open it again in the window."
            yield case, LeftOut(case.case_id, len(case.events), "unknown-place", reason, None)
            continue
        if path not in looked:
            try:
                looked[path] = {one.summary.case_id: one for one in open_path(path).series}
            except CoreError as error:
                looked[path] = str(sentence(error))
        found = looked[path]
        if isinstance(found, str):
            yield case, LeftOut(case.case_id, len(case.events), "vanished", found, path)
        elif case.case_id not in found:
            reason = f"The labelled series is not there any more, or its files changed ({path})."
            yield case, LeftOut(case.case_id, len(case.events), "changed", reason, path)
        else:
            yield case, found[case.case_id]


def _add(
    writer: SnapshotWriter,
    prints: Fingerprints,
    key: bytes,
    case: _Case,
    series: Series,
    target: Target,
    used: _Used,
    left_out: list[LeftOut],
) -> None:
    """All slices of a series, in order, with what is known of each."""
    summary = series.summary
    try:
        volume = series.load()
    except CoreError as error:
        reason = str(sentence(error))
        left_out.append(LeftOut(case.case_id, len(case.events), "unreadable", reason, summary.path))
        return
    labels = {event.draft.slice_id: event for event in case.events}
    marks = {event.draft.slice_id: event for event in case.marks}
    known = [event for event in case.events if event.draft.new in target.classes]
    absent = sum(event.draft.slice_id not in summary.slice_ids for event in known)
    if absent:
        reason = f"{absent} labelled slices are not in the series any more."
        left_out.append(LeftOut(case.case_id, absent, "slices-gone", reason, summary.path))
    group, code = pseudonym(key, case.patient), pseudonym(key, f"case:{case.case_id}")
    acquisition = acquisition_text(series, key)
    for index, slice_id in enumerate(summary.slice_ids):
        event = labels.get(slice_id)
        label = -1
        if event is not None and event.draft.new in target.classes:
            label = target.classes.index(event.draft.new)
            used.events.add(event.sequence)
        name = pseudonym(key, f"slice:{slice_id}")
        if name in used.keys:  # the same picture in two series
            name = pseudonym(key, f"slice:{case.case_id}/{slice_id}")
        used.keys.add(name)
        pixels = np.asarray(volume.voxels[index])
        facts = replace(_facts(volume, index, name, group, code, label), acquisition=acquisition)
        writer.add(facts, pixels, _marked(marks.get(slice_id), used))
        prints.add(comparable_stored(pixels, facts.slope, facts.intercept, facts.quantity))


def _unseen(case: _Case, why: str, path: Path) -> LeftOut:
    reason = str(sentence(BurnedInTextError(path, why)))
    return LeftOut(case.case_id, len(case.events), "burned-in-text", reason, path)


def _marked(mark: LabelEvent | None, used: _Used) -> tuple[SliceRegion, ...]:
    if mark is None:
        return ()
    used.events.add(mark.sequence)
    return tuple(of_label(region) for region in mark.draft.regions)


def _facts(volume: Volume, index: int, key: str, group: str, series: str, label: int) -> SliceFacts:
    geometry = volume.geometry
    return SliceFacts(
        key=key,
        group=group,
        series=series,
        label=label,
        source=key,
        slope=float(volume.slope[index]),
        intercept=float(volume.intercept[index]),
        quantity=volume.summary.quantity,
        spacing=geometry.spacing if geometry.has_spacing else (float("nan"),) * 3,
        orientation=letters_of(geometry),
    )


def _findings(
    cases: Sequence[_Case], key: bytes, target: Target, present: set[str]
) -> dict[str, bool]:
    """Group code → whether it has a finding (without a single one: any class but the first)."""
    groups: dict[str, bool] = {}
    for case in cases:
        code = pseudonym(key, case.patient)
        if code in present:
            found = {event.draft.new for event in case.events}
            has = (
                target.positive in found
                if target.positive is not None
                else bool(found - {target.classes[0], None})
            )
            groups[code] = groups.get(code, False) or has
    return groups


def _links(
    writer: SnapshotWriter, prints: Fingerprints, codes: Sequence[str]
) -> list[tuple[str, str]]:
    number = {code: index for index, code in enumerate(codes)}
    sides = np.array([number[code] for code in writer.groups])
    links = substantial_links(prints.duplicates(sides, writer.comparable), sides)
    return [(codes[one], codes[two]) for one, two in links]


def _counted(left_out: Sequence[LeftOut]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for item in left_out:
        counts[item.code] = counts.get(item.code, 0) + item.labels
    return counts
