"""`sliceloop profile`: where it lies, taking it along, taking one over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core import places
from core.profile_archive import Choice, export_profile, read_manifest, take_over
from core.settings import SettingsStore

app = typer.Typer(
    no_args_is_help=True, help="Settings, keys, label sets and models, in one file to take along."
)


@app.command("show")
def show() -> None:
    """Say where settings, data, logs and caches of this profile lie."""
    for name, folder in (
        ("settings", places.settings_folder()),
        ("data", places.data_folder()),
        ("state", places.state_folder()),
        ("cache", places.cache_folder()),
    ):
        typer.echo(f"{name:9} {folder}")


@app.command("export")
def export(
    out: Annotated[Path, typer.Argument(help="ZIP file to make.")],
    model: Annotated[
        list[str] | None, typer.Option(help="Model whose card goes along; may be repeated.")
    ] = None,
    weights: Annotated[bool, typer.Option(help="Their weights, too.")] = False,
    labels: Annotated[
        bool, typer.Option(help="The label journal, too: it names patients and readers.")
    ] = False,
) -> None:
    """Write a profile without anything of a patient, unless --labels is given."""
    choice = Choice(models=tuple(model or ()), weights=weights, labels=labels)
    made = export_profile(out, SettingsStore().values, choice)
    inside = [f"{len(made.label_sets)} label sets", f"{len(made.cards)} models"]
    typer.echo(f"Settings, {' and '.join(inside)} written to {out}.")
    if made.holds_patients:
        typer.echo("The label journal is inside: this file names patients.", err=True)


@app.command("import")
def take(
    file: Annotated[Path, typer.Argument(help="ZIP file that `profile export` made.")],
    labels: Annotated[
        bool, typer.Option(help="The label journal, too, where there is none yet.")
    ] = False,
) -> None:
    """Take over settings, label sets and models; what is here already stays."""
    store = SettingsStore()
    manifest = read_manifest(file)
    taken = take_over(file, store.values, store.change, labels=labels)
    parts = ["the settings"] if taken.settings else []
    parts += [f"label set {name}" for name in taken.label_sets]
    parts += [f"model {name}" for name in taken.models]
    parts += [f"card of {name}" for name in taken.cards]
    parts += ["the label journal"] if taken.labels else []
    typer.echo(f"Taken over: {', '.join(parts) or 'nothing'}.")
    for words in taken.left:
        typer.echo(f"Left as it is: {words}.", err=True)
    if manifest.holds_patients and not labels:
        typer.echo("Its label journal was not taken: say --labels to take it, too.", err=True)
