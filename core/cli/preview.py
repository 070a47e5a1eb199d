"""`sliceloop labels preview`: what would a retraining on the labels that stand now change?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from core.cli.dataset import progress_bar
from core.cli.text import printable
from core.errors import CoreError, NoLabelsError, UnknownModelError
from core.labels.history import History
from core.labels.journal import existing_events
from core.labels.sets import load_label_set
from core.labels.store import default_place
from core.models.catalogue import Catalogue
from core.retraining.foretelling import Codes, Foreteller, Missing, in_words, missing
from core.retraining.foretold import record
from core.sentences import sentence


def preview(
    task: Annotated[str, typer.Option(help="Label set.")] = "hemorrhage",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Foretell by refitting the last layer of the active model; nothing is trained or changed."""
    events = existing_events()
    if events is None:
        raise NoLabelsError(_where())
    active = Catalogue().active(task)
    if active is None:
        raise UnknownModelError(f"the active one for {task}")
    standing = History(events).standing()
    label_set = load_label_set(task)
    standing = tuple(event for event in standing if event.draft.label_set == task)
    if not standing:
        raise NoLabelsError(_where())
    codes = Codes()
    _make_missing(missing(active.card, (e.draft.case_id for e in standing), codes), active.folder)
    foreteller = Foreteller(active.card)
    foreteller.load()
    found = foreteller.tell(codes.labels(standing, label_set))
    if found is None:
        raise UnknownModelError(active.card.id)
    past = record()
    if as_json:
        facts = {**asdict(found), "agreement": None if past is None else asdict(past)}
        typer.echo(json.dumps(facts, indent=2))
        return
    names = {
        codes.slice(e.draft.slice_id): f"{e.draft.case_id}  slice {e.draft.slice_index + 1}"
        for e in standing
    }
    for line in in_words(found, lambda code: names.get(code, f"{code} (not labelled)")):
        typer.echo(printable(line))
    if past is not None:
        typer.echo(f"So far: {past.sentence()}")


def _make_missing(wanted: list[Missing], model: Path) -> None:
    known = [(item.path, item.case_id) for item in wanted if item.path is not None]
    if not known:
        return
    from core.retraining.features import keep_features

    def failed(_case: str, error: CoreError) -> None:
        typer.echo(f"sliceloop: {sentence(error)}", err=True)

    with progress_bar("Computing features") as progress:
        keep_features(model, known, progress=progress, failed=failed)


def _where() -> Path:
    """The journal's place without a password."""
    place = default_place()
    return place if isinstance(place, Path) else Path("SLICELOOP_STORE")
