"""Heads: from pooled features to logits, one for a two-class task or one a class."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

Activation = Literal["none", "relu"]


class HiddenHead(nn.Module):
    """Linear → (activation) → dropout → linear: (n, features) → (n, outputs)."""

    def __init__(
        self,
        features: int,
        hidden: int,
        outputs: int,
        dropout: float = 0.5,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.hidden = nn.Linear(features, hidden)
        self.activation = activation
        self.dropout = nn.Dropout(dropout)
        self.last = nn.Linear(hidden, outputs)

    def forward(self, pooled: Tensor) -> Tensor:
        """Logits (n, outputs)."""
        inner = self.hidden(pooled)
        if self.activation == "relu":
            inner = torch.relu(inner)
        return cast(Tensor, self.last(self.dropout(inner)))

    def gradient(self, pooled: Tensor, output: int) -> Tensor:
        """∂logit/∂pooled, (n, features), of one output, in closed form; without dropout."""
        weights = self.last.weight[output].expand(len(pooled), -1)
        if self.activation == "relu":
            weights = weights * (self.hidden(pooled) > 0)
        return weights @ self.hidden.weight


def last_linear(head: nn.Module) -> nn.Linear:
    """The layer that gives the logits."""
    return head.last if isinstance(head, HiddenHead) else cast(nn.Linear, head)
