"""`sliceloop explain-score`: whether a model's heat maps tell the truth, with intervals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from core.cli.dataset import progress_bar
from core.models.catalogue import Catalogue
from core.retraining.dataset import Dataset


def command(
    model: Annotated[str, typer.Argument(help="Id or folder of a model, or a run.")],
    data: Annotated[Path, typer.Option(help="Training set with marks (dataset build --mask).")],
    split: Annotated[
        Literal["test", "validation", "train", "all"], typer.Option(help="Part of the set.")
    ] = "test",
    method: Annotated[
        Literal["closed-form", "grad-cam", "grad-cam++", "occlusion"],
        typer.Option(help="How the heat map is made; the window shows closed-form."),
    ] = "closed-form",
    limit: Annotated[int, typer.Option(min=0, help="Slices at most; 0 for all.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Pointing game, energy in the mark, deletion and insertion, and the randomisation check."""
    from core.models.loading import load_predictor
    from core.retraining.explanation_score import NAMES, score_explanations

    entry = Catalogue().get(model)
    dataset = Dataset.open(data)
    predictor = load_predictor(entry.folder, device)
    with progress_bar("Scoring explanations") as progress:
        found = score_explanations(
            predictor, dataset, split, method=method, limit=limit, progress=progress
        )
    if as_json:
        typer.echo(json.dumps({"model": entry.card.id, "split": split, **found.facts()}, indent=2))
        return
    table = Table(box=None, header_style="bold")
    for column in ("Figure", "Mean", "95 %"):
        table.add_column(column, justify="left" if column == "Figure" else "right")
    for name, meaning in NAMES.items():
        figure = found.figures[name]
        table.add_row(
            meaning, f"{figure.value:.3f}", f"{figure.ci95[0]:.3f} to {figure.ci95[1]:.3f}"
        )
    Console().print(table)
    typer.echo(f"{found.slices} marked slices of {found.groups} groups; {found.method}.")
