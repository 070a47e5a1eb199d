"""A model that was loaded once answers from its kept graphs, without torch, and as torch does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import DamagedModelError
from core.models import devices, kept
from core.models.card import WEIGHTS_FILE, read_card, write_card
from core.models.devices import accelerator_possible, thread_count
from core.models.kept import any_kept, kept_predictor
from core.models.loading import load_predictor
from tests.core.models.making import head_like, make_model, volume

CASE = volume(head_like(5))


def loaded(folder: Path, **changes: Any) -> Path:
    """A model that was loaded into torch once, with OpenVINO computing it."""
    make_model(folder, **changes)
    load_predictor(folder, "cpu", runtime="openvino")
    return folder


@pytest.mark.parametrize("changes", [{}, {"members": 3}, {"outputs": 2}, {"flip_averaging": True}])
def test_kept_graphs_answer_and_explain_as_the_model_does(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    folder = loaded(tmp_path / "m", **changes)
    quick = kept_predictor(folder, "cpu")
    assert quick is not None
    assert any_kept()
    torch = load_predictor(folder, "cpu")
    for one, other in zip(quick.predict_volume(CASE), torch.predict_volume(CASE), strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-6)
        assert one.heat_map is not None
        assert other.heat_map is not None
        np.testing.assert_allclose(one.heat_map.values, other.heat_map.values, atol=1e-5)


def test_torch_is_not_imported_for_it(tmp_path: Path) -> None:
    folder = loaded(tmp_path / "m")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from core.models import engine\n"
        "from core.models.kept import kept_predictor\n"
        f"made = kept_predictor(Path({str(folder)!r}), 'cpu')\n"
        "print('torch' in sys.modules, made is not None)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["False", "True"]


def test_what_was_never_loaded_or_asks_for_torch_is_not_kept(tmp_path: Path) -> None:
    make_model(tmp_path / "new")
    assert not any_kept()
    assert kept_predictor(tmp_path / "new", "cpu") is None
    folder = loaded(tmp_path / "m")
    assert kept_predictor(folder, "cpu", "torch") is None
    assert kept_predictor(folder, "cuda") is None
    hidden = loaded(tmp_path / "hidden", options={"hidden_features": 4})
    assert kept_predictor(hidden, "cpu") is None
    card = read_card(folder)
    write_card(folder, card.model_copy(update={"reference": None}))
    assert kept_predictor(folder, "cpu") is None


def test_a_graph_that_was_damaged_or_exchanged_never_answers(tmp_path: Path) -> None:
    folder, other = loaded(tmp_path / "m"), loaded(tmp_path / "other", seed=5)
    (mine,) = kept._noted(read_card(folder))
    (theirs,) = kept._noted(read_card(other))
    path = kept._compiled(mine)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert kept_predictor(folder, "cpu") is None
    shutil.copy(kept._compiled(theirs), path)
    assert kept_predictor(folder, "cpu") is None
    assert not path.exists()  # it is made again ...
    load_predictor(folder, "cpu", runtime="openvino")
    assert path.read_bytes()
    assert kept_predictor(folder, "cpu") is not None  # ... and answers
    note = kept._note(read_card(folder))
    note.write_text('{"graphs": ["../../elsewhere"]}')
    assert kept_predictor(folder, "cpu") is None


def test_without_openvino_nothing_is_kept_and_nothing_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = loaded(tmp_path / "m")
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert kept_predictor(folder, "cpu") is None


def test_weights_that_were_swapped_are_refused(tmp_path: Path) -> None:
    folder = loaded(tmp_path / "m")
    (folder / WEIGHTS_FILE).write_bytes(b"")
    with pytest.raises(DamagedModelError):
        kept_predictor(folder, "cpu")


def test_a_graphics_card_goes_before_a_kept_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = loaded(tmp_path / "m")
    monkeypatch.setattr(kept, "accelerator_possible", lambda: True)
    assert kept_predictor(folder) is None
    assert kept_predictor(folder, "cpu") is not None
    monkeypatch.setattr(kept, "accelerator_possible", lambda: False)
    assert kept_predictor(folder) is not None


def test_a_card_is_possible_only_with_its_driver_and_a_torch_made_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        assert accelerator_possible()

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.setattr(devices, "find_spec", lambda _name: Spec)
    monkeypatch.setattr(devices, "_loads", lambda _library: True)
    assert not accelerator_possible()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libtorch_cuda.so").touch()
    assert accelerator_possible()
    monkeypatch.setattr(devices, "_loads", lambda _library: False)
    assert not accelerator_possible()
    monkeypatch.setattr(devices.sys, "platform", "darwin")
    assert accelerator_possible()


def test_as_many_threads_as_torch_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import torch; from core.models.devices import thread_count\n"
        "print(torch.get_num_threads(), thread_count())"
    )
    root = Path(__file__).parents[3]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["1", "1"]
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert thread_count() >= 1
