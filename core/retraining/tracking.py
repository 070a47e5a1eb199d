"""TensorBoard's files of a run: curves, what the network saw, and its graph, in `logs/`.

They are for people who look with TensorBoard; Sliceloop itself reads `events.jsonl`. Where MLflow
is installed and somebody named its server in MLFLOW_TRACKING_URI, curves and recipe go there too,
and nothing else: no picture, no name.
"""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

_SHOWN = 16
"""Pictures of a batch that are kept an epoch."""

_log = logging.getLogger(__name__)


class Tracking:
    """A writer of TensorBoard files. Use as a context manager.

    writes: of several processes that train together only one does.
    """

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self._writer: Any = None
        self._mlflow = _mlflow() if writes else None
        self._name = folder.parent.name
        if writes:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), flush_secs=10)

    def __enter__(self) -> Tracking:
        self._to_mlflow(lambda mlflow: mlflow.start_run(run_name=self._name))
        return self

    def __exit__(self, *_: object) -> None:
        self._to_mlflow(lambda mlflow: mlflow.end_run())
        if self._writer is not None:
            self._writer.close()

    def epoch(self, name: str, facts: dict[str, Any]) -> None:
        """The figures of an epoch as scalars. name: of the fit, such as fold-0."""
        if self._writer is None:
            return
        figures = {
            f"{name}/{figure}": float(facts[figure])
            for figure in ("train_loss", "validation_loss", "validation_auroc", "rate", "seconds")
            if facts.get(figure) is not None
        }
        for figure, value in figures.items():
            self._writer.add_scalar(figure, value, facts["epoch"])
        self._to_mlflow(lambda mlflow: mlflow.log_metrics(figures, step=facts["epoch"]))

    def settings(self, fields: dict[str, Any]) -> None:
        """The recipe's fields, for MLflow; TensorBoard has no place for them."""
        self._to_mlflow(lambda mlflow: mlflow.log_params(fields))

    def _to_mlflow(self, tell: Callable[[Any], object]) -> None:
        if self._mlflow is None:
            return
        try:
            tell(self._mlflow)
        except Exception as error:  # noqa: BLE001 - a training must not end for want of a server
            _log.info("MLflow is left out from now on: %s", type(error).__name__)
            self._mlflow = None

    def images(self, name: str, epoch: int, images: Tensor) -> None:
        """What the network saw: (n, channels, rows, columns) or a volume's middle slices."""
        if self._writer is None:
            return
        shown = images[:_SHOWN].float()
        if shown.ndim == 5:
            shown = shown[:, :, shown.shape[2] // 2]
        middle = shown.shape[1] // 2
        grey = shown[:, middle : middle + 1] if shown.shape[1] != 3 else shown
        low, high = grey.amin(), grey.amax()
        self._writer.add_images(f"{name}/seen", (grey - low) / (high - low).clamp_min(1e-6), epoch)

    def graph(self, model: nn.Module, image: Tensor) -> None:
        """The network's graph, traced on one input. A network that cannot be traced has none."""
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # of tracing, about shapes that are constant here
                self._writer.add_graph(model, image)
        except Exception as error:  # noqa: BLE001
            # The graph is a picture for people; a training must not end for want of it.
            _log.info("the network has no graph in TensorBoard: %s", error)


def _mlflow() -> Any:
    """MLflow, where it is installed and somebody said which server; else None."""
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    try:
        return importlib.import_module("mlflow")
    except ImportError:
        _log.info("MLFLOW_TRACKING_URI is set, and MLflow is not installed")
        return None
