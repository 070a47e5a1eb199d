"""`sliceloop info`: what a path holds, as a table or as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from core.imaging.opening import open_path
from core.imaging.volume import Opened, SeriesSummary


def command(
    path: Annotated[Path, typer.Argument(help="A folder or file with images.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say which series a path holds: shape, spacing, affine (LPS), warnings."""
    opened = open_path(path)
    if as_json:
        typer.echo(json.dumps(as_dict(opened), indent=2, ensure_ascii=False))
    else:
        _print(opened)


def as_dict(opened: Opened) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "series": [_series(one.summary) for one in opened.series],
        "skipped": [{"file": str(one.file), "reason": one.reason} for one in opened.skipped],
    }


def _series(summary: SeriesSummary) -> dict[str, Any]:
    return {
        "uid": summary.uid,
        "modality": summary.modality,
        "description": summary.description,
        "shape": list(summary.shape),
        # Three numbers (slice, row, column), or three nulls where the source states none.
        "spacing_mm": list(summary.geometry.spacing)
        if summary.geometry.has_spacing
        else [None, None, None],
        "affine_lps": summary.geometry.affine.tolist(),
        "transfer_syntax": summary.transfer_syntax,
        "warnings": [
            {"code": warning.code, "message": warning.message, "slices": list(warning.slices)}
            for warning in summary.warnings
        ],
        "quantity": summary.quantity.value,
        "is_volume": summary.is_volume,
        "is_synthetic": summary.is_synthetic,
        "case_id": summary.case_id,
    }


def _print(opened: Opened) -> None:
    from rich.console import Console
    from rich.table import Table

    from core.imaging.dicom.codecs import syntax_name

    console = Console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("", "Series", "Modality", "Slices × rows × columns", "Spacing, mm", "Stored as"):
        table.add_column(name, overflow="fold")
    for number, one in enumerate(opened.series, 1):
        summary = one.summary
        spacing = " × ".join(f"{step:.3g}" for step in summary.geometry.spacing)
        table.add_row(
            str(number),
            summary.description or "(no description)",
            summary.modality or "–",
            " × ".join(map(str, summary.shape)),
            spacing if summary.geometry.has_spacing else "not stated",
            syntax_name(summary.transfer_syntax),
        )
    console.print(table)
    for number, one in enumerate(opened.series, 1):
        for warning in one.summary.warnings:
            console.print(
                f"[yellow]Series {number}[/] {warning.message} [dim]({warning.code})[/]",
                highlight=False,
                soft_wrap=True,
            )
    if opened.skipped:
        count = len(opened.skipped)
        console.print(f"\n{count} {'file was' if count == 1 else 'files were'} skipped:")
    for skipped in opened.skipped[:20]:
        console.print(
            f"  {skipped.file}: {skipped.reason}", highlight=False, markup=False, soft_wrap=True
        )
    if len(opened.skipped) > 20:
        console.print(f"  and {len(opened.skipped) - 20} more; --json lists all of them.")
