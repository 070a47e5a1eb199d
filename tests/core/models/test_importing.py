"""Weights from elsewhere: read without running anything, and refused with a sentence if bad."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file

from core.errors import CoreError, DamagedModelError
from core.models.card import Preprocessing, read_card
from core.models.catalogue import Catalogue
from core.models.ensemble import join
from core.models.importing import NOT_MEASURED, ImportRequest, import_weights
from core.models.loading import load_predictor
from core.models.reference import seeded_input
from core.models.verification import verify_model
from core.sentences import sentence
from tests.core.models.making import make_model, network

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "shipped", tmp_path / "user")


def _request(file: Path, **changes: Any) -> ImportRequest:
    facts: dict[str, Any] = {
        "file": file,
        "model_id": "imported",
        "family": "plain-cnn",
        "classes": ("no_hemorrhage", "hemorrhage"),
        "positive": "hemorrhage",
        "task": "hemorrhage",
        "preprocessing": Preprocessing(size=32, crop="whole"),
    }
    return ImportRequest(**(facts | changes))


def _theirs() -> torch.nn.Module:
    torch.manual_seed(5)
    return torchvision.models.mobilenet_v3_small(num_classes=2).eval()


def _legacy(model: torch.nn.Module, path: Path) -> None:
    torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)


def _checkpoint(model: torch.nn.Module, path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state, "optimizer": {"lr": 0.1}}, path)


def _half(model: torch.nn.Module, path: Path) -> None:
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, path)


@pytest.mark.parametrize(
    ("write", "suffix"), [(_legacy, "pth"), (_checkpoint, "pt"), (_half, "safetensors")]
)
def test_a_torchvision_state_dict_answers_as_it_did(
    tmp_path: Path, catalogue: Catalogue, write: Callable[..., None], suffix: str
) -> None:
    theirs = _theirs()
    write(theirs, tmp_path / f"weights.{suffix}")
    entry = import_weights(
        _request(
            tmp_path / f"weights.{suffix}",
            family="torchvision:mobilenet_v3_small",
            preprocessing=Preprocessing(size=64, crop="whole", **IMAGENET),  # type: ignore[arg-type]
        ),
        catalogue,
    )
    assert entry.card.architecture.outputs == 2
    assert NOT_MEASURED in entry.card.limits
    assert not entry.is_active
    verify_model(entry.folder)
    pixels = seeded_input(entry.card, 4)
    image = torch.from_numpy(pixels).float() / 255
    levels = (torch.tensor(IMAGENET[k]).reshape(1, 3, 1, 1) for k in ("mean", "std"))
    mean, std = levels
    with torch.inference_mode():
        expected = theirs((image - mean) / std).numpy()
    found = load_predictor(entry.folder, "cpu").members[0].look(pixels).logits
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_timm_state_dict_and_one_of_our_own(tmp_path: Path, catalogue: Catalogue) -> None:
    import timm

    torch.save(timm.create_model("resnet18", num_classes=3).state_dict(), tmp_path / "t.pth")
    three = {"classes": ("a", "b", "c"), "positive": "b"}
    # The same file fits torchvision's ResNet-18, too: its layers have the same names.
    for number, family in enumerate(("timm:resnet18", "resnet18")):
        facts = {"model_id": f"m{number}", "family": family, **three}
        card = import_weights(_request(tmp_path / "t.pth", **facts), catalogue).card
        assert card.heads == 3
        assert card.architecture.parameters == 11_176_512 + 3 * 513
    save_file(network(1).state_dict(), tmp_path / "own.safetensors")
    assert import_weights(_request(tmp_path / "own.safetensors"), catalogue).card.heads == 1


# ---------------------------------------------------------------- what is refused


class _Payload:
    """Unpickled without care, it writes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, (f"touch {self.mark}",))


def _pickle(file: Path, mark: Path) -> None:
    file.write_bytes(pickle.dumps(_Payload(mark)))


def _torch_pickle(file: Path, mark: Path) -> None:
    torch.save({"state_dict": network().state_dict(), "more": _Payload(mark)}, file)


def _whole_module(file: Path, _mark: Path) -> None:
    torch.save(network(), file)


def _truncated(file: Path, _mark: Path) -> None:
    torch.save(network().state_dict(), file)
    file.write_bytes(file.read_bytes()[:5000])


def _not_a_number(file: Path, _mark: Path) -> None:
    state = network().state_dict()
    state["head.weight"][0, 0] = float("nan")
    torch.save(state, file)


def _wrong_shapes(file: Path, _mark: Path) -> None:
    state = network().state_dict()
    state["trunk.layers.0.0.weight"] = torch.zeros(4, 3, 3, 3)
    torch.save(state, file)


def _other_network(file: Path, _mark: Path) -> None:
    torch.save(_theirs().state_dict(), file)


def _no_tensors(file: Path, _mark: Path) -> None:
    torch.save({"epoch": 3, "names": ["a"]}, file)


def _zip_bomb(file: Path, _mark: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10_000_000)


def _huge_header(file: Path, _mark: Path) -> None:
    file.write_bytes((2**60).to_bytes(8, "little") + b'{"a":1}')


def _empty(file: Path, _mark: Path) -> None:
    file.write_bytes(b"")


HOSTILE = [
    _pickle,
    _torch_pickle,
    _whole_module,
    _truncated,
    _not_a_number,
    _wrong_shapes,
    _other_network,
    _no_tensors,
    _zip_bomb,
    _empty,
]


@pytest.mark.parametrize("make", HOSTILE)
@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_a_hostile_file_runs_no_code_and_is_refused_with_a_sentence(
    tmp_path: Path, catalogue: Catalogue, make: Callable[[Path, Path], None], suffix: str
) -> None:
    file, mark = tmp_path / f"weights.{suffix}", tmp_path / "it-ran"
    make(file, mark)
    with pytest.raises(CoreError) as caught:
        import_weights(_request(file), catalogue)
    words = str(sentence(caught.value))
    assert not mark.exists()
    assert "Traceback" not in words
    assert len(words) < 600
    assert catalogue.list() == []


def test_headers_that_lie_are_refused(tmp_path: Path, catalogue: Catalogue) -> None:
    _huge_header(tmp_path / "w.safetensors", tmp_path)
    with pytest.raises(DamagedModelError):
        import_weights(_request(tmp_path / "w.safetensors"), catalogue)
    with pytest.raises(DamagedModelError, match="no such file"):
        import_weights(_request(tmp_path / "absent.pth"), catalogue)


@pytest.mark.parametrize(
    "changes",
    [
        {"family": "os.system"},
        {"family": "torchvision:../../etc/passwd"},
        {"classes": ("a", "b", "c"), "positive": "a"},
        {"positive": "x"},
        {"model_id": "../out"},
        {"options": {"widths": "x"}},
    ],
)
def test_what_is_said_of_a_file_must_fit_it(
    tmp_path: Path, catalogue: Catalogue, changes: dict[str, Any]
) -> None:
    save_file(network(1).state_dict(), tmp_path / "own.safetensors")
    with pytest.raises(DamagedModelError):
        import_weights(_request(tmp_path / "own.safetensors", **changes), catalogue)


# ---------------------------------------------------------------- ensembles


@pytest.mark.parametrize("storage", ["float32", "float16"])
def test_models_of_one_kind_join_and_are_published_whole(
    tmp_path: Path, catalogue: Catalogue, storage: Any
) -> None:
    for seed in range(3):
        make_model(tmp_path / "user" / f"m{seed}", f"m{seed}", seed)
    entry = join([catalogue.get(f"m{k}") for k in range(3)], "together", catalogue, storage)
    card = verify_model(entry.folder)
    assert len(card.members) == 2
    assert sorted(file.name for file in entry.folder.iterdir()) == [
        "card.json",
        "model-2.safetensors",
        "model-3.safetensors",
        "model.safetensors",
    ]
    one = (tmp_path / "user" / "m0" / "model.safetensors").stat().st_size
    halved = (entry.folder / "model.safetensors").stat().st_size < 0.6 * one
    assert halved == (storage == "float16")
    assert card.identity.weights_sha256 != read_card(entry.folder).weights_sha256


def test_models_of_different_kinds_do_not_vote_together(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    make_model(tmp_path / "user" / "a", "a")
    make_model(tmp_path / "user" / "b", "b", preprocessing=Preprocessing(size=64, crop="whole"))
    with pytest.raises(DamagedModelError, match="preprocessing"):
        join([catalogue.get("a"), catalogue.get("b")], "both", catalogue)
