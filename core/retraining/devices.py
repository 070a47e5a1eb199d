"""The devices that a training runs on: one, or as many as `torchrun` started processes for."""

from __future__ import annotations

import os

from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy


def make_fabric(precision: str = "32-true") -> Fabric:
    """A launched Fabric: alone, or this process's part of a group started by `torchrun`.

    precision: as `Recipe.precision`. Under torchrun each process is one device; gradients meet
    over NCCL on GPUs and gloo on processors.
    """
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes == 1:
        return Fabric(accelerator="auto", devices=1, precision=precision)  # type: ignore[arg-type]
    here = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    fabric = Fabric(
        accelerator="auto",
        devices=here,
        num_nodes=processes // here,
        # Parts of the trunk may stand still in some epochs.
        strategy=DDPStrategy(find_unused_parameters=True),
        precision=precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def is_first_process() -> bool:
    """Whether this process is the one that writes, which is known before any Fabric is."""
    return int(os.environ.get("RANK", "0")) == 0
