"""From a prediction's weights back to the people who labelled, and from a label to its models.

    weights → card → run → recipe → training set → label events → people

Each link is recomputed, not believed: hashes of files, the set's id from its rows and pixels, the
chain of the journal. What lies on another computer (a shipped model's run, a set made from a
table) is told as such; that is no fault.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core import places
from core.errors import CoreError
from core.labels.schema import LabelEvent
from core.models.card import Card, check_weights, read_card
from core.retraining.dataset import Dataset
from core.retraining.manifest import DatasetManifest, read_manifest
from core.retraining.protocol import RunFolder
from core.sentences import sentence

State = Literal["holds", "elsewhere", "broken"]


@dataclass(frozen=True)
class Link:
    """One link of the chain.

    name: "weights", "run", "recipe", "training set", "labels" or "people". told: what it is, in
    words.
    state: "holds" where it was recomputed; "elsewhere" where its evidence is not on this
    computer; "broken" where it is here and does not fit.
    """

    name: str
    state: State
    told: str


@dataclass(frozen=True)
class Lineage:
    """What a model was made from. events: label events that it learnt from, by number."""

    model: str
    links: tuple[Link, ...]
    events: tuple[int, ...] = ()

    @property
    def broken(self) -> tuple[Link, ...]:
        """Links that do not hold."""
        return tuple(link for link in self.links if link.state == "broken")


@dataclass(frozen=True)
class Learnt:
    """A model that learnt from a label. dataset: id of the set that carried it."""

    model: str
    run: Path
    dataset: str


def trace(
    folder: Path,
    events: Mapping[int, LabelEvent] | None = None,
    *,
    runs: Path | None = None,
    datasets: Path | None = None,
    deep: bool = False,
) -> Lineage:
    """The chain of one model.

    folder: of the model. events: number → entry of this computer's journal, None without one.
    runs, datasets: where they lie; default: this profile. deep: read every pixel of the set.
    """
    card = read_card(folder)
    links = [_weights(folder, card)]
    run = _run_of(card, runs or places.runs())
    if run is None:
        told = "it was trained elsewhere"
        links += [Link(name, "elsewhere", told) for name in ("run", "recipe")]
    else:
        links += [_run(run, card), _recipe(run, card)]
    found, manifest = _dataset(card, run, datasets or places.datasets(), deep)
    links.append(found)
    used = manifest.provenance.events if manifest is not None else ()
    if manifest is None or manifest.provenance.source != "labels":
        told = "made from a table" if manifest is not None else "the set is not here"
        links += [Link(name, "elsewhere", told) for name in ("labels", "people")]
    else:
        links += _labels(manifest, events)
    return Lineage(card.id, tuple(links), tuple(used))


def learnt_from(
    sequence: int, *, runs: Path | None = None, models: Iterable[Path] = ()
) -> list[Learnt]:
    """The models of this computer that learnt from a label event, oldest run first.

    models: further model folders (the catalogue's), by which a run's model is named.
    """
    named = {card.weights_sha256: card.id for card in _cards(models)}
    found = []
    for folder in _finished(runs or places.runs()):
        try:
            manifest = read_manifest(folder.request.data)
            weights = str((folder.result or {}).get("weights_sha256", ""))
        except CoreError:
            continue
        if sequence in manifest.provenance.events:
            model = named.get(weights, str((folder.result or {}).get("model", "")))
            found.append(Learnt(model, folder.path, manifest.id))
    return found


# ----------------------------------------------------------------- links


def _weights(folder: Path, card: Card) -> Link:
    try:
        check_weights(folder, card)
    except CoreError as error:
        return Link("weights", "broken", str(sentence(error)))
    return Link("weights", "holds", f"SHA-256 {card.weights_sha256[:16]}, as the card says")


def _run_of(card: Card, root: Path) -> RunFolder | None:
    for folder in _finished(root):
        result = folder.result or {}
        if result.get("weights_sha256") == card.weights_sha256:
            return folder
    return None


def _finished(root: Path) -> Iterator[RunFolder]:
    if not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        if (path / "result.json").is_file() and (path / "request.json").is_file():
            try:
                folder = RunFolder(path)
                if folder.result is not None:
                    yield folder
            except (CoreError, OSError, ValueError):
                continue  # what cannot be read is evidence of nothing


def _run(run: RunFolder, card: Card) -> Link:
    try:
        made = read_card(run.model)
        check_weights(run.model, made)
    except CoreError as error:
        return Link("run", "broken", str(sentence(error)))
    if made.weights_sha256 != card.weights_sha256:
        return Link("run", "broken", f"{run.path.name} holds other weights than it says")
    return Link("run", "holds", f"{run.path.name} ended with these weights")


def _recipe(run: RunFolder, card: Card) -> Link:
    try:
        kept = json.loads((run.path / "recipe.json").read_bytes())
    except (OSError, ValueError):
        return Link("recipe", "broken", f"{run.path.name} holds no readable recipe.json")
    if kept != card.recipe:
        return Link("recipe", "broken", "the run's recipe is not the one on the card")
    return Link("recipe", "holds", f"“{kept.get('title', '')}”, word for word on the card")


def _dataset(
    card: Card, run: RunFolder | None, root: Path, deep: bool
) -> tuple[Link, DatasetManifest | None]:
    name, wanted = "training set", card.data.dataset_id
    places_to_look: list[Path] = []
    if run is not None:
        try:
            places_to_look.append(run.request.data)
        except CoreError as error:
            return Link(name, "broken", str(sentence(error))), None
    if root.is_dir():
        places_to_look += sorted(path for path in root.iterdir() if path.is_dir())
    for number, folder in enumerate(places_to_look):
        try:
            manifest = read_manifest(folder)
            if manifest.id != wanted:
                if number == 0 and run is not None:
                    told = f"the run's set is {manifest.id[:16]}, the card's {wanted[:16]}"
                    return Link(name, "broken", told), None
                continue
            dataset = Dataset.open(folder)
            if deep:
                dataset.verify()
        except CoreError as error:
            if number == 0 and run is not None and folder.exists():
                return Link(name, "broken", str(sentence(error))), None
            continue
        how = "every pixel recomputed" if deep else "table and split as it says"
        told = f"{manifest.id[:16]}, {len(dataset)} slices, {how}"
        return Link(name, "holds", told), manifest
    return Link(name, "elsewhere", f"{wanted[:16] or 'unnamed'} is not on this computer"), None


def _labels(
    manifest: DatasetManifest, events: Mapping[int, LabelEvent] | None
) -> tuple[Link, Link]:
    used = manifest.provenance.events
    if events is None:
        told = "this computer has no label journal"
        return Link("labels", "elsewhere", told), Link("people", "elsewhere", told)
    if manifest.provenance.digest not in {event.digest for event in events.values()}:
        told = "the journal has no entry with the digest that the set names"
        return Link("labels", "broken", told), Link("people", "broken", told)
    missing = [number for number in used if number not in events]
    if missing:
        told = f"{len(missing)} of the {len(used)} entries used are not in the journal"
        return Link("labels", "broken", told), Link("people", "broken", told)
    people: dict[str, int] = {}
    for number in used:
        reader = events[number].reader
        people[reader] = people.get(reader, 0) + 1
    who = ", ".join(f"{name} ({count})" for name, count in sorted(people.items()))
    return (
        Link("labels", "holds", f"{len(used)} entries of the journal, whose chain holds"),
        Link("people", "holds", who),
    )


def _cards(folders: Iterable[Path]) -> Iterator[Card]:
    for folder in folders:
        try:
            yield read_card(folder)
        except CoreError:
            continue
