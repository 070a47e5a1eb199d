"""`sliceloop deidentify`: series on their way out, as arrays or as DICOM, without the patient."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from core.cli.dataset import progress_bar
from core.imaging.deidentified import Form, export_series
from core.imaging.deidentify import site_key
from core.imaging.opening import open_path


def command(
    path: Annotated[Path, typer.Argument(help="File or folder with the images.")],
    out: Annotated[Path, typer.Option(help="Folder to make.")],
    form: Annotated[
        Form, typer.Option("--as", help="arrays with a page of facts, or DICOM files.")
    ] = "arrays",
    looked: Annotated[
        str,
        typer.Option(help="Your name, if you have looked at every picture and none names anybody."),
    ] = "",
) -> None:
    """Write every series found under PATH de-identified; see docs/security.md for what leaves."""
    opened = open_path(path)
    with progress_bar("Writing") as progress:
        done = export_series(
            opened.series, out, site_key(), form=form, looked_at_by=looked, progress=progress
        )
    typer.echo(f"{len(done.series)} series in {done.files} files written to {out}.")
