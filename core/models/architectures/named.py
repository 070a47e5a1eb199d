"""Any network of torchvision or timm by its name, as a trunk: ``torchvision:swin_t``, ``timm:…``.

A classifier of these libraries is cut in three: the *trunk* up to its last feature maps, what
lies between them and the last linear layer (*pool*: averaging, norms, hidden layers, the last
block of a vision transformer), and that linear layer, which is replaced by our own head. The
explanation's gradient then runs through pool and head alone, never through the trunk.

Nothing is downloaded here: weights come from a file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from core.models.torchvision_library import torchvision


class NamedTrunk(nn.Module):
    """The network of a library, without its last linear layer, cut before its pooling.

    original_head: name of that layer in the library's own state dict. Called, it gives the last
    maps, (n, features, rows, cols), or a vision transformer's tokens (n, places, features).
    """

    def __init__(self, model: nn.Module, original_head: str, out_features: int) -> None:
        super().__init__()
        self.model = model
        self.original_head = original_head
        self.out_features = out_features

    def pool(self, maps: Tensor) -> Tensor:
        """What the head reads, (n, out_features)."""
        return maps.mean(dim=(2, 3))

    def grid(self, maps: Tensor) -> Tensor:
        """The maps in space, (n, features, rows, cols)."""
        return maps

    def stages(self) -> list[nn.Module]:
        """The network's own parts in order; long containers are opened."""
        found: list[nn.Module] = []
        for child in self.model.children():
            opened = isinstance(child, nn.Sequential | nn.ModuleList) and len(child) > 1
            found += list(child.children()) if opened else [child]
        return [part for part in found if any(True for _ in part.parameters())]


class _Convolutional(NamedTrunk):
    """Parts in a row, then a pool."""

    def __init__(
        self,
        model: nn.Module,
        original_head: str,
        out_features: int,
        parts: tuple[str, ...],
        then: Callable[[nn.Module, Tensor], Tensor] | None = None,
        between: Callable[[nn.Module, Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(model, original_head, out_features)
        self._parts, self._then, self._between = parts, then, between

    def forward(self, image: Tensor) -> Tensor:
        maps = image
        for name in self._parts:
            maps = getattr(self.model, name)(maps)
        return self._then(self.model, maps) if self._then else maps

    def pool(self, maps: Tensor) -> Tensor:
        return self._between(self.model, maps) if self._between else super().pool(maps)


class _TorchvisionViT(NamedTrunk):
    """Cut before the last block: behind it only the class token is read."""

    def forward(self, image: Tensor) -> Tensor:
        model = cast(Any, self.model)
        tokens = model._process_input(image)
        tokens = torch.cat([model.class_token.expand(len(tokens), -1, -1), tokens], dim=1)
        tokens = model.encoder.dropout(tokens + model.encoder.pos_embedding)
        for block in model.encoder.layers[:-1]:
            tokens = block(tokens)
        return cast(Tensor, tokens)

    def pool(self, maps: Tensor) -> Tensor:
        encoder = cast(Any, self.model).encoder
        return cast(Tensor, encoder.ln(encoder.layers[-1](maps))[:, 0])

    def grid(self, maps: Tensor) -> Tensor:
        return _square(maps[:, 1:])

    def stages(self) -> list[nn.Module]:
        model = cast(Any, self.model)
        return [model.conv_proj, *model.encoder.layers, model.encoder.ln]


class _TimmViT(NamedTrunk):
    """Cut before the last block, as above."""

    def forward(self, image: Tensor) -> Tensor:
        model = cast(Any, self.model)
        tokens = model.norm_pre(model.patch_drop(model._pos_embed(model.patch_embed(image))))
        for block in model.blocks[:-1]:
            tokens = block(tokens)
        return cast(Tensor, tokens)

    def pool(self, maps: Tensor) -> Tensor:
        model = cast(Any, self.model)
        tokens = model.norm(model.blocks[-1](maps))
        return cast(Tensor, model.forward_head(tokens, pre_logits=True))

    def grid(self, maps: Tensor) -> Tensor:
        model = cast(Any, self.model)
        rows, cols = model.patch_embed.grid_size
        places = maps[:, model.num_prefix_tokens :]
        return places.transpose(1, 2).reshape(len(maps), -1, rows, cols)

    def stages(self) -> list[nn.Module]:
        model = cast(Any, self.model)
        return [model.patch_embed, *model.blocks, model.norm]


class _Timm(NamedTrunk):
    """Whatever timm's `forward_features` gives as maps."""

    def __init__(self, model: nn.Module, original_head: str, out_features: int) -> None:
        super().__init__(model, original_head, out_features)
        self._last = getattr(model, "output_fmt", "NCHW") == "NHWC"

    def forward(self, image: Tensor) -> Tensor:
        maps = cast(Any, self.model).forward_features(image)
        return cast(Tensor, maps.permute(0, 3, 1, 2) if self._last else maps)

    def pool(self, maps: Tensor) -> Tensor:
        given = maps.permute(0, 2, 3, 1) if self._last else maps
        return cast(Tensor, cast(Any, self.model).forward_head(given, pre_logits=True))


def torchvision_trunk(name: str, channels: int, image_size: int | None = None) -> NamedTrunk:
    """A torchvision classifier as a trunk, with random weights.

    image_size: rows and columns, for networks whose size is fixed when they are made (ViT).
    Raises ValueError if torchvision has none of that name, or it cannot be cut.
    """
    more = {"image_size": image_size} if image_size and name.startswith("vit_") else {}
    try:
        model = torchvision().models.get_model(name, weights=None, **more)
    except (ValueError, TypeError) as error:
        raise ValueError(f"torchvision has no classifier named {name}: {error}") from error
    if channels != 3:
        _take_channels(model, channels)
    return _cut(name, model)


def _cut(name: str, model: Any) -> NamedTrunk:  # noqa: PLR0911 - one way a kind of network
    if hasattr(model, "encoder") and hasattr(model, "conv_proj"):
        features = _drop(model.heads, "head")
        return _TorchvisionViT(model, "heads.head", features)
    if hasattr(model, "permute") and hasattr(model, "norm"):  # Swin
        features = _drop(model, "head")
        return _Convolutional(model, "head", features, ("features", "norm", "permute"))
    if hasattr(model, "layer4") and hasattr(model, "fc"):
        stem = ("conv1", "bn1", "relu", "maxpool")
        layers = ("layer1", "layer2", "layer3", "layer4")
        return _Convolutional(model, "fc", _drop(model, "fc"), stem + layers)
    if hasattr(model, "trunk_output"):
        return _Convolutional(model, "fc", _drop(model, "fc"), ("stem", "trunk_output"))
    if hasattr(model, "conv5") and hasattr(model, "stage4"):
        parts = ("conv1", "maxpool", "stage2", "stage3", "stage4", "conv5")
        return _Convolutional(model, "fc", _drop(model, "fc"), parts)
    if not hasattr(model, "features"):  # MNASNet's weights cannot be read without metadata
        raise ValueError(f"{name} cannot be cut into maps, pooling and a linear layer")
    if isinstance(model.classifier, nn.Linear):
        features = _drop(model, "classifier")
        return _Convolutional(model, "classifier", features, ("features",), then=_relu)
    if hasattr(model, "avgpool"):
        last = len(model.classifier) - 1
        if isinstance(model.classifier[last], nn.Linear):
            features = _drop(model.classifier, str(last))
            head = f"classifier.{last}"
            return _Convolutional(model, head, features, ("features",), between=_classifier)
    raise ValueError(f"{name} does not end in feature maps, pooling and a linear layer")


def _relu(_model: nn.Module, maps: Tensor) -> Tensor:
    return torch.relu(maps)


def _classifier(model: nn.Module, maps: Tensor) -> Tensor:
    """What torchvision does between `features` and the last layer of `classifier`."""
    parts = cast(Any, model)
    pooled = parts.avgpool(maps)
    if not isinstance(parts.classifier[0], nn.Flatten) and not any(
        isinstance(part, nn.Flatten) for part in parts.classifier
    ):
        pooled = torch.flatten(pooled, 1)
    return cast(Tensor, parts.classifier(pooled))


def _drop(owner: Any, name: str) -> int:
    """Replace a linear layer by nothing; returns how many features it read."""
    layer = owner[int(name)] if name.isdigit() else getattr(owner, name)
    if not isinstance(layer, nn.Linear):
        raise ValueError(f"its layer {name} is not linear")
    if name.isdigit():
        owner[int(name)] = nn.Identity()
    else:
        setattr(owner, name, nn.Identity())
    return layer.in_features


def _take_channels(model: nn.Module, channels: int) -> None:
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            made = nn.Conv2d(
                channels,
                module.out_channels,
                cast(tuple[int, int], module.kernel_size),
                stride=cast(tuple[int, int], module.stride),
                padding=cast(tuple[int, int], module.padding),
                bias=module.bias is not None,
            )
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, made)
            return
    raise ValueError("it has no convolution that could read other channels")


def timm_trunk(name: str, channels: int, image_size: int | None = None) -> NamedTrunk:
    """A timm network as a trunk, with random weights. Raises ValueError if it cannot be one."""
    torchvision()  # before timm, which imports it
    import timm
    from timm.models.vision_transformer import VisionTransformer

    if not timm.is_model(name):
        raise ValueError(f"timm has no network named {name}")
    more: dict[str, Any] = {"img_size": image_size} if image_size else {}
    try:
        model: Any = timm.create_model(
            name, pretrained=False, num_classes=0, in_chans=channels, **more
        )
    except TypeError:  # convolutional networks take any size
        model = timm.create_model(name, pretrained=False, num_classes=0, in_chans=channels)
    head = str(model.default_cfg.get("classifier", "head"))
    features = int(getattr(model, "head_hidden_size", None) or model.num_features)
    if isinstance(model, VisionTransformer):
        return _TimmViT(model, head, features)
    return _Timm(model, head, features)


def _square(tokens: Tensor) -> Tensor:
    """(n, side × side, f) → (n, f, side, side)."""
    side = round(tokens.shape[1] ** 0.5)
    return tokens.transpose(1, 2).reshape(len(tokens), -1, side, side)
