"""`sliceloop labels give, clear, adjudicate, undo, redo, queue`: labelling without the window.

Slices are numbered as on the screen, from 1. Undo reaches back over what the same reader did on
the command line with the same series, whenever that was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, Field, ValidationError

from core.cli.text import printable
from core.errors import BadTableError
from core.imaging.opening import open_path
from core.imaging.volume import SeriesSummary
from core.labels.history import History
from core.labels.journal import Journal, existing_events
from core.labels.labelling import Labelling
from core.labels.queue import QueueRules, SliceState, of_slice, work_queue
from core.labels.reader import default_reader
from core.labels.schema import LabelEvent, LabelSet, ModelOpinion
from core.labels.sets import available_label_sets, load_label_set
from core.retraining.sources import Sources

SESSION = "command line"

_RANGE = re.compile(r"(\d+)(?:-(\d+))?")

PathArgument = Annotated[Path, typer.Argument(help="File or folder with the labelled images.")]
SlicesOption = Annotated[str, typer.Option(help="As on the screen: 17, 3-8, 3,5,9-12 or all.")]
ClassOption = Annotated[str, typer.Option("--class", help="Id of the class to give.")]
SetOption = Annotated[
    str, typer.Option("--set", help="Label set; needed where several have this class.")
]
StepSetOption = Annotated[
    str, typer.Option("--set", help="Only steps seen when this label set is read for.")
]
SeriesOption = Annotated[
    str, typer.Option(help="Series UID or its beginning; needed where there are several series.")
]
ReaderOption = Annotated[str, typer.Option(help="Who labels; default: the signed-in person.")]
ReasonOption = Annotated[str, typer.Option(help="Why; stays on this computer.")]
PredictionsOption = Annotated[
    Path | None,
    typer.Option(help="predictions.json of sliceloop predict: what the model had said."),
]


class PredictedSlice(BaseModel):
    """One slice of a predictions.json; fields that are not needed here are passed over."""

    index: Annotated[int, Field(ge=0)]
    slice_id: str
    probabilities: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)


class PredictedSeries(BaseModel):
    """One series of a predictions.json."""

    case_id: str
    slices: list[PredictedSlice]


class PredictingModel(BaseModel):
    """Which weights answered."""

    id: str
    weights_sha256: str


class Predictions(BaseModel):
    """What `sliceloop predict` writes, as far as labelling needs it."""

    model: PredictingModel
    positive: str
    threshold: Annotated[float, Field(ge=0, le=1)]
    series: list[PredictedSeries]


def register(app: typer.Typer) -> None:
    """Add these commands to the group `labels`."""
    for command in (give, clear, adjudicate, undo, redo, queue):
        app.command()(command)


def give(
    path: PathArgument,
    class_id: ClassOption,
    slices: SlicesOption,
    *,
    set_id: SetOption = "",
    series: SeriesOption = "",
    predictions: PredictionsOption = None,
    reader: ReaderOption = "",
    reason: ReasonOption = "",
    blind: Annotated[bool, typer.Option(help="State that others' labels were hidden.")] = False,
) -> None:
    """Give slices a class, as one step."""
    summary, label_set = _series(path, series), _set_of_class(class_id, set_id)
    indices = _indices(slices, summary.shape[0])
    opinions = _opinions(predictions, summary) if predictions else {}
    with _labelling(reader) as labelling:
        labelling.read_blind(blind)
        events = labelling.label_slices(
            summary, indices, class_id, label_set=label_set, opinions=opinions, reason=reason
        )
        _remember(summary, events)
    _tell(events, f"labelled {class_id}", "They had this label already.")


def clear(
    path: PathArgument,
    slices: SlicesOption,
    set_id: SetOption = "",
    series: SeriesOption = "",
    reader: ReaderOption = "",
    reason: ReasonOption = "",
) -> None:
    """Take the labels of slices away, as one step."""
    summary = _series(path, series)
    indices = _indices(slices, summary.shape[0])
    with _labelling(reader) as labelling:
        events: tuple[LabelEvent, ...] = ()
        for name in [set_id] if set_id else _sets_of(labelling, summary, indices):
            events = labelling.label_slices(
                summary, indices, None, label_set=load_label_set(name), reason=reason
            )
    _tell(events, "no longer labelled", "They had no label.")


def adjudicate(
    path: PathArgument,
    class_id: ClassOption,
    slices: SlicesOption,
    reason: Annotated[str, typer.Option(help="Why; needed.")],
    set_id: SetOption = "",
    series: SeriesOption = "",
    reader: ReaderOption = "",
) -> None:
    """Settle slices on which readers differ, against what they said or will say."""
    if not reason.strip():
        raise typer.BadParameter("an adjudication gives its reason", param_hint="--reason")
    summary, label_set = _series(path, series), _set_of_class(class_id, set_id)
    events: tuple[LabelEvent, ...] = ()
    with _labelling(reader) as labelling:
        for index in _indices(slices, summary.shape[0]):
            events += labelling.adjudicate(
                summary, index, class_id, label_set=label_set, reason=reason
            )
        _remember(summary, events)
    _tell(events, f"settled as {class_id}", "")


def undo(
    path: PathArgument,
    set_id: StepSetOption = "",
    series: SeriesOption = "",
    reader: ReaderOption = "",
) -> None:
    """End the reader's last step on a series, and say of which label set it was."""
    summary = _series(path, series)
    with _labelling(reader) as labelling:
        events = labelling.undo(summary.case_id, set_id or None)
    _tell(events, f"undone{_of_set(events)}", "There is nothing to undo.")


def redo(
    path: PathArgument,
    set_id: StepSetOption = "",
    series: SeriesOption = "",
    reader: ReaderOption = "",
) -> None:
    """Make the step stand again that was undone last, and say of which label set it was."""
    summary = _series(path, series)
    with _labelling(reader) as labelling:
        events = labelling.redo(summary.case_id, set_id or None)
    _tell(events, f"done again{_of_set(events)}", "There is nothing to redo.")


def queue(
    predictions: Annotated[Path, typer.Argument(help="predictions.json of sliceloop predict.")],
    set_id: Annotated[str, typer.Option("--set", help="Label set of the predictions.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many slices.")] = 20,
    seed: Annotated[int, typer.Option(help="Another seed draws another random audit.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What to look at next, from what a model says and what people said."""
    content = _read(predictions)
    label_set = _set_of_class(content.positive, set_id)
    history = History(existing_events() or ())
    states: list[SliceState] = []
    for series in content.series:
        current = history.current(series.case_id, label_set.id)
        states += [
            _state(series.case_id, item, current.get(item.slice_id), label_set)
            for item in series.slices
        ]
    rules = QueueRules(threshold=content.threshold, seed=seed)
    found = work_queue(states, rules, limit)
    if as_json:
        told = [
            {
                "case_id": item.case_id,
                "slice": item.slice_index + 1,
                "slice_id": item.slice_id,
                "why": item.why.value,
                "score": item.score,
                "facts": dict(item.facts),
            }
            for item in found
        ]
        typer.echo(json.dumps(told, indent=2))
        return
    for item in found:
        facts = ", ".join(f"{name} {value:.2f}" for name, value in item.facts)
        typer.echo(
            printable(
                f"{item.case_id}  slice {item.slice_index + 1}  {item.why.value} "
                f"{item.score:.2f}  {facts}"
            ).rstrip()
        )


# ----------------------------------------------------------------- inside


@contextmanager
def _labelling(reader: str) -> Iterator[Labelling]:
    with Journal() as journal:
        yield Labelling(journal, reader.strip() or default_reader(), session=SESSION)


def _series(path: Path, wanted: str) -> SeriesSummary:
    """The one series under a path that is meant."""
    found = [item.summary for item in open_path(path).series]
    if wanted:
        found = [summary for summary in found if summary.uid.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    reason = "several series match" if found else "no series matches"
    raise typer.BadParameter(
        f"{reason}; sliceloop info {path} lists their uids", param_hint="--series"
    )


def _indices(text: str, count: int) -> list[int]:
    """Indices from 0 of slices named from 1. Raises typer.BadParameter."""
    if text.strip() == "all":
        return list(range(count))
    found: dict[int, None] = {}
    for part in text.replace(" ", "").split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            raise typer.BadParameter(
                f"“{part}” is neither a slice nor a range", param_hint="--slices"
            )
        first = int(match[1])
        last = int(match[2] or first)
        if not 1 <= first <= last <= count:
            raise typer.BadParameter(
                f"“{part}” lies outside the slices 1 to {count}", param_hint="--slices"
            )
        found.update(dict.fromkeys(range(first - 1, last)))
    return list(found)


def _set_of_class(class_id: str, set_id: str) -> LabelSet:
    """The label set that is meant, which has this class."""
    names = (set_id,) if set_id else available_label_sets()
    sets = [load_label_set(name) for name in names]
    having = [s for s in sets if any(item.id == class_id for item in s.classes)]
    if len(having) == 1:
        return having[0]
    if not having:
        known = ", ".join(item.id for s in sets for item in s.classes)
        raise typer.BadParameter(f"“{class_id}” is none of {known}", param_hint="--class")
    known = ", ".join(s.id for s in having)
    raise typer.BadParameter(f"“{class_id}” is in {known}: name one", param_hint="--set")


def _sets_of(labelling: Labelling, summary: SeriesSummary, indices: list[int]) -> list[str]:
    """The one label set in which any of these slices has a class; none where none has."""
    wanted = {summary.slice_ids[index] for index in indices}
    used = [
        name
        for name in labelling.label_sets(summary.case_id)
        if wanted & set(labelling.current(summary.case_id, name))
    ]
    if len(used) > 1:
        raise typer.BadParameter(
            f"they are labelled in {', '.join(used)}: name one", param_hint="--set"
        )
    return used


def _of_set(events: tuple[LabelEvent, ...]) -> str:
    return f" in {events[0].draft.label_set}" if events else ""


def _read(path: Path) -> Predictions:
    """What `sliceloop predict` wrote. Raises BadTableError."""
    try:
        return Predictions.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadTableError(path, error.strerror or "it cannot be read") from error
    except ValidationError as error:
        raise BadTableError(path, "it is not a predictions.json of sliceloop predict") from error


def _opinions(path: Path, summary: SeriesSummary) -> dict[int, ModelOpinion]:
    """Slice index → what the model had said of it."""
    content = _read(path)
    found = {}
    for series in content.series:
        if series.case_id != summary.case_id:
            continue
        for item in series.slices:
            class_id, probability = max(item.probabilities.items(), key=lambda pair: pair[1])
            found[item.index] = ModelOpinion(
                content.model.id, content.model.weights_sha256, class_id, probability
            )
    return found


def _state(
    case_id: str, item: PredictedSlice, label: str | None, label_set: LabelSet
) -> SliceState:
    positive = [entry.id for entry in label_set.classes if entry.positive]
    is_of_set = any(entry.id == label for entry in label_set.classes)
    return of_slice(
        case_id,
        item.slice_id,
        item.index,
        probability=min(sum(item.probabilities.get(name, 0.0) for name in positive), 1.0),
        label=label if is_of_set else None,
        label_set=label_set,
    )


def _remember(summary: SeriesSummary, events: tuple[LabelEvent, ...]) -> None:
    """Note where the images lie, so that a training set can be made of the labels."""
    if events:
        Sources().remember(summary)


def _tell(events: tuple[LabelEvent, ...], done: str, nothing: str) -> None:
    if not events:
        typer.echo(f"Nothing changed. {nothing}".rstrip())
        return
    count = "1 slice" if len(events) == 1 else f"{len(events)} slices"
    typer.echo(f"{count} {done}; entry {events[-1].sequence} is on the disk.")
