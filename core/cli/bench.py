"""`sliceloop bench`: the performance figures, each as a ratio measured in this run."""

from __future__ import annotations

import importlib
import json
import os
import platform
from collections.abc import Callable
from typing import Annotated, Any

import typer

BENCHES: dict[str, tuple[str, str]] = {
    "load": ("core.bench.load", "measure"),
    "first": ("core.bench.load", "measure_first_only"),
    "refit": ("core.bench.refit", "measure"),
    "train": ("core.bench.train", "measure"),
    "predict": ("core.bench.predict", "measure"),
    "explain": ("core.bench.explain", "measure"),
    "scroll": ("desktop.bench_scroll", "measure"),
    "start": ("desktop.bench_start", "measure"),
}
"""Name → (module, function without required arguments that returns what JSON shall hold)."""


def command(
    what: Annotated[
        list[str] | None, typer.Argument(help=f"Any of: {', '.join(BENCHES)}. All if none.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure performance as ratios to baselines measured in the same run."""
    wanted = what or list(BENCHES)
    unknown = [name for name in wanted if name not in BENCHES]
    if unknown:
        raise typer.BadParameter(f"{unknown[0]!r} is not one of {', '.join(BENCHES)}")
    results: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version()}
    }
    for name in wanted:
        module, function = BENCHES[name]
        try:
            measure: Callable[[], dict[str, Any]] = getattr(
                importlib.import_module(module), function
            )
        except ModuleNotFoundError as error:  # the bundle does without yardsticks
            raise typer.BadParameter(
                f"{name!r} compares with {error.name}, which is not installed here"
            ) from error
        results[name] = measure()
    if as_json:
        typer.echo(json.dumps(results, indent=2))
    else:
        _print(results)


def _print(results: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("Measured", "Seconds", "Against", "Seconds", "Ratio", "Goal", "Met"):
        table.add_column(name, justify="right" if name in ("Seconds", "Ratio") else "left")
    for part in results.values():
        for figure in part.get("figures", []):
            sign = "≥" if figure["higher_is_better"] else "≤"
            times = "× faster" if figure["higher_is_better"] else "× its time"
            table.add_row(
                figure["name"],
                f"{figure['seconds']:.4f}",
                figure["baseline"],
                f"{figure['baseline_seconds']:.4f}",
                f"{figure['ratio']:.2f}",
                f"{sign} {figure['goal']:g} {times}",
                "yes" if figure["met"] else "no",
            )
    console = Console()
    console.print(table)
    for part in results.values():
        for item in part.get("checks", []):
            verdict = "met" if item["met"] else "not met"
            console.print(f"{item['name']}: {item['value']:.2g} (≤ {item['goal']:g}, {verdict})")
        if part.get("note"):
            console.print(part["note"])
        memory = part.get("memory")
        if memory:
            console.print(
                f"Peak memory {memory['peak_bytes'] / 1e6:.0f} MB for an array of "
                f"{memory['array_bytes'] / 1e6:.0f} MB; "
                f"{'within' if memory['met'] else 'above'} {memory['allowed_bytes'] / 1e6:.0f} MB."
            )
    for part in results.values():
        leak = part.get("leak")
        if leak:
            console.print(
                f"Memory after {leak['openings']} openings and {leak['scrolls']} scrolls: "
                f"{leak['grown_bytes'] / 1e6:+.1f} MB; "
                f"{'within' if leak['met'] else 'beyond'} ± {leak['allowed_bytes'] / 1e6:.0f} MB."
            )
