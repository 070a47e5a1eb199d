"""`sliceloop evaluate`: a model on one part of a training set, every figure with its interval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.cli.dataset import progress_bar
from core.retraining.dataset import Dataset
from core.retraining.picturing import explained
from core.retraining.plots import interval_text
from core.retraining.pointing import looking_figures
from core.retraining.report import write_evaluation
from core.retraining.scoring import cross_validated, find_subject, score
from core.retraining.statistics import RESAMPLES


def command(
    model: Annotated[str, typer.Argument(help="Id or folder of a model, or a run.")],
    data: Annotated[Path, typer.Option(help="Training set.")],
    out: Annotated[Path, typer.Option(help="Folder for metrics.json, plots and report.html.")],
    split: Annotated[
        Literal["test", "validation", "train", "all", "cv"],
        typer.Option(help="Part of the set; cv: out-of-fold scores of a cross-validated run."),
    ] = "test",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples.")] = RESAMPLES,
    force: Annotated[
        bool, typer.Option("--force", help="Ask even about values it was not made for.")
    ] = False,
) -> None:
    """Score the slices and write figures, predictions, curves and a report."""
    subject = find_subject(model)
    dataset = Dataset.open(data).as_seen(subject.card.preprocessing.dimensions)
    with progress_bar("Asking the model") as progress:
        scores = score(subject, dataset, split, device=device, force=force, progress=progress)
    found = scores.evaluate(dataset, resamples)
    if split != "cv":
        pooled = cross_validated(subject, dataset, resamples)
        found = found.model_copy(update={"cross_validation": pooled})
    with progress_bar("Looking where it looks") as progress:
        looking = looking_figures(
            subject, dataset, scores.rows, device=device, resamples=resamples, progress=progress
        )
    found = found.model_copy(update={"looking": looking})
    # The pictures are of the published weights: with folds they are not those that scored.
    row_of = {key: row for row, key in enumerate(dataset.keys())}
    worst = [row_of[case.key] for case in found.worst]
    pictures = explained(dataset, worst, [subject], device)
    write_evaluation(
        out,
        found,
        dataset,
        scores.rows,
        scores.probabilities,
        title=f"{subject.card.title}: {subject.name}",
        limits=subject.card.limits,
        cases={case.key: pictures[row_of[case.key]] for case in found.worst},
    )
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
        return
    typer.echo(f"{found.n} {dataset.unit}s of {found.groups} groups, {split}")
    typer.echo(f"AUROC        {interval_text(found.auroc, found.auroc_ci95)}")
    if found.patients is not None:
        by_patient = found.patients
        typer.echo(f"  by patient {interval_text(by_patient.auroc, by_patient.auroc_ci95)}")
    if found.cross_validation is not None:
        pooled_auroc = interval_text(
            found.cross_validation.auroc, found.cross_validation.auroc_ci95
        )
        typer.echo(f"  {found.cross_validation.groups} groups cross-validated {pooled_auroc}")
    alone = [area for area in found.members if area is not None]
    if alone:
        typer.echo(f"  {len(alone)} members alone {min(alone):.3f} to {max(alone):.3f}")
    typer.echo(f"Accuracy     {interval_text(found.accuracy, found.accuracy_ci95)}")
    typer.echo(f"Sensitivity  {interval_text(found.sensitivity, found.sensitivity_ci95)}")
    typer.echo(f"Specificity  {interval_text(found.specificity, found.specificity_ci95)}")
    if (here := found.looking) is not None:
        told = interval_text(here.pointing_game, here.pointing_game_ci95)
        typer.echo(f"Pointing     {told} on {here.slices} marked slices it did not learn from")
        told = interval_text(here.energy_in_mask, here.energy_in_mask_ci95)
        typer.echo(f"Energy       {told} of the evidence on the mark")
    typer.echo(f"Report       {out / 'report.html'}")
