"""`sliceloop compare`: runs or models on the same test patients, as a table and curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.cli.dataset import progress_bar
from core.retraining.experiments import flip_pictures, run_experiments, write_experiments
from core.retraining.plots import interval_text
from core.retraining.statistics import RESAMPLES


def command(
    runs: Annotated[list[str], typer.Argument(help="Runs or models; the first is the yardstick.")],
    out: Annotated[Path, typer.Option(help="Folder for the table and the curves.")],
    data: Annotated[
        Path | None, typer.Option(help="Training set; without it, the first run's own.")
    ] = None,
    split: Annotated[
        Literal["test", "validation", "all", "cv"], typer.Option(help="Part of the set.")
    ] = "test",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    resamples: Annotated[int, typer.Option(min=100, help="Bootstrap resamples.")] = RESAMPLES,
) -> None:
    """Measure each and write comparison.html, .csv, .json and the curves."""
    with progress_bar("Asking the models") as progress:
        dataset, found = run_experiments(
            runs, data, split, device=device, resamples=resamples, progress=progress
        )
    write_experiments(out, found, flip_pictures(found, dataset, device))
    width = max(len(item.name) for item in found)
    for item in found:
        area = interval_text(item.figures.auroc, item.figures.auroc_ci95)
        line = f"{item.name:<{width}}  AUROC {area}"
        versus = item.comparison
        if versus is not None and versus.difference is not None:
            value, (low, high) = versus.difference
            line += f"   {value:+.3f} ({low:+.3f} to {high:+.3f})"
            line += f"   {versus.worse} worse, {versus.better} better"
        typer.echo(line)
    typer.echo(f"Table and curves: {out / 'comparison.html'}")
