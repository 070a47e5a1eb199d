"""Before a retraining: what is new since the active model, which recipes, how long each takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.errors import CoreError
from core.labels.schema import LabelEvent, LabelSet
from core.models.catalogue import CatalogueEntry
from core.retraining import recipe as recipes
from core.retraining.protocol import RunFolder
from desktop.language import current, say, task_name

FIRST_GUESS = 12.0
"""Slices a second, forth and back, on two cores: the estimate until a run was measured here."""

FORTH = 3.0
"""How many slices pass the network forth in the time of one that passes forth and back."""

OVERHEAD = 25.0
"""Seconds for starting, preparing pixels and writing the model."""


OFFERED_FIRST = ("quick-retrain", "correction", "recommended")
"""Recipes that fit whoever has only labelled; the first is offered until another is chosen."""


@dataclass(frozen=True)
class RecipeChoice:
    """A recipe to choose. seconds: estimated time on this computer, None if unknown."""

    name: str
    title: str
    description: str
    seconds: float | None = None


@dataclass(frozen=True)
class RetrainPlan:
    """What a retraining would learn from.

    slices, cases, patients: labelled in all. positives: slices with a finding. since_model:
    labels given after the active model was made. corrections: labels against which the model
    had said otherwise. marked: slices with regions; marked_since: of which they were stated after
    the active model was made. base: title of the model to start from, or "". problem: why it cannot
    be started now, or "".
    """

    task: str
    slices: int
    positives: int
    cases: int
    patients: int
    since_model: int
    corrections: int
    base: str
    recipes: tuple[RecipeChoice, ...] = ()
    problem: str = ""
    marked: int = 0
    marked_since: int = 0


def make_plan(
    label_set: LabelSet,
    standing: Iterable[LabelEvent],
    active: CatalogueEntry | None,
    runs: list[RunFolder],
    marks: Iterable[LabelEvent] = (),
) -> RetrainPlan:
    """What a retraining for a label set would learn from.

    standing: the entries that give all current labels. runs: earlier runs, newest first, from
    whose speed the time is estimated. marks: the entries that give all regions.
    """
    marked = [event for event in marks if event.draft.label_set == label_set.id]
    mine = [event for event in standing if event.draft.label_set == label_set.id]
    positives = {item.id for item in label_set.classes if item.positive}
    made = active.card.created if active is not None else ""
    speed = measured_speed(runs)
    return RetrainPlan(
        task=task_name(label_set),
        slices=len(mine),
        positives=sum(event.draft.new in positives for event in mine),
        cases=len({event.draft.case_id for event in mine}),
        patients=len({_patient(event) for event in mine}),
        since_model=sum(event.at[:19] > made[:19] for event in mine),
        corrections=sum(
            event.draft.opinion is not None and event.draft.opinion.class_id != event.draft.new
            for event in mine
        ),
        base=f"{active.card.title} {active.card.version}" if active is not None else "",
        recipes=tuple(_choices(label_set.id, len(mine), speed)),
        problem=_problem(label_set, mine, positives),
        marked=len(marked),
        marked_since=sum(event.at[:19] > made[:19] for event in marked),
    )


def _problem(label_set: LabelSet, events: list[LabelEvent], positives: set[str]) -> str:
    if not events:
        return say("Label some slices first.")
    with_finding = {
        e.draft.patient_id or e.draft.case_id for e in events if e.draft.new in positives
    }
    without = {
        e.draft.patient_id or e.draft.case_id for e in events if e.draft.new not in positives
    }
    if len(with_finding) < 3 or len(without) < 3:
        name = label_set.positive.name(current()).lower()
        return say(
            "Training, validation and test need a patient each with and without "
            "{name}: there are {with_it} and {without}. Label slices of more patients.",
            name=name,
            with_it=len(with_finding),
            without=len(without),
        )
    return ""


def _patient(event: LabelEvent) -> str:
    return event.draft.patient_id or event.draft.case_id


def _choices(task: str, slices: int, speed: float) -> Iterable[RecipeChoice]:
    """Recipes for a task, those made for corrections and for any task before all others."""
    known = recipes.available()
    ready = [name for name in OFFERED_FIRST if name in known]
    for name in [*ready, *(name for name in known if name not in ready)]:
        try:
            found = recipes.load_recipe(name)
        except CoreError:
            continue
        if found.task not in ("", task):
            continue
        shown = found.sampling.slices_per_epoch or slices
        fits = found.folds + 1 if found.folds else 1
        once = slices / FORTH if found.network.feature_epochs else 0.0
        seconds = OVERHEAD + (shown * found.stopping.epochs + once) * fits / speed
        about = " ".join(found.description.split())  # one line, as the catalogue has it
        yield RecipeChoice(name, found.title, about, seconds)


def measured_speed(runs: list[RunFolder]) -> float:
    """Slices a second that training reached on this computer, from the newest run that tells."""
    for run in runs:
        try:
            found = recipes.load_recipe(run.request.recipe, run.request.settings)
            seconds = [
                float(event["seconds"])
                for event in run.events()
                if event.get("event") == "epoch" and "seconds" in event
            ]
        except (CoreError, ValueError, TypeError):
            continue
        shown = found.sampling.slices_per_epoch
        if seconds and shown and min(seconds) > 0:
            return shown * len(seconds) / sum(seconds)
    return FIRST_GUESS


def new_set_folder(datasets: Path) -> Path:
    """A free folder for the next training set, numbered in order."""
    numbers = [
        int(folder.name)
        for folder in (datasets.iterdir() if datasets.is_dir() else ())
        if folder.name.isdigit()
    ]
    return datasets / f"{max(numbers, default=0) + 1:04d}"
