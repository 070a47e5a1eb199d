"""OpenVINO says what torch says, memory that runs out is survived, and members vote softly."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import DamagedModelError, DeviceUnavailableError, NotEnoughMemoryError
from core.models import runtime
from core.models.card import Agreement, Calibration, Preprocessing, read_card, write_card
from core.models.devices import best_device
from core.models.loading import NetworkMember, NetworkPredictor, load_predictor
from core.models.member import is_out_of_memory
from core.models.openvino_runtime import OpenVinoRuntime
from core.models.reference import seeded_input
from core.models.runtime import TorchRuntime, make_runtime
from core.sentences import sentence
from tests.core.models.making import head_like, make_model, network, volume

CUBE = Preprocessing(dimensions=3, size=32, crop="whole")


@pytest.mark.parametrize(
    ("family", "options", "more"),
    [
        ("plain-cnn", {}, {}),
        ("resnet3d", {"widths": [4, 4, 8, 8]}, {"preprocessing": CUBE}),
        ("timm:vit_tiny_patch16_224", {"image_size": 32}, {}),
    ],
)
def test_openvino_answers_and_explains_as_torch_does(
    tmp_path: Path, family: str, options: dict[str, Any], more: dict[str, Any]
) -> None:
    card = make_model(tmp_path / "m", family=family, options=options, **more)
    fast = load_predictor(tmp_path / "m", "cpu", runtime="openvino")
    plain = load_predictor(tmp_path / "m", "cpu")
    assert fast.runtime == "OpenVINO f32 on CPU"
    assert plain.runtime == "torch f32 on CPU"
    pixels = seeded_input(card, 3, 2)
    one, other = (p.members[0].look(pixels, 0) for p in (fast, plain))
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-5)
    assert one.evidence is not None
    assert other.evidence is not None
    scale = np.abs(other.evidence).max()
    np.testing.assert_allclose(one.evidence, other.evidence, atol=1e-4 * scale)


def test_openvino_sends_nothing() -> None:
    code = (
        "import sys, socket, threading\n"
        "def refuse(*_): raise AssertionError('somebody wants to send')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from core.models.openvino_library import openvino\n"
        "openvino().Core()\n"
        "from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder\n"
        "assert 'openvino_telemetry.main' not in sys.modules\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=120)


def test_openvino_is_imported_in_one_place() -> None:
    core = Path(runtime.__file__).parents[1]
    found = [
        file.name
        for file in core.rglob("*.py")
        if re.search(r"^\s*(import openvino|from openvino import)", file.read_text("utf-8"), re.M)
    ]
    assert found == ["openvino_library.py"]


def test_what_was_faster_is_measured_once_and_remembered(
    tmp_path: Path, profile: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_model(tmp_path / "m")
    first = load_predictor(tmp_path / "m", "cpu", runtime="auto")
    assert (profile / "cache" / "runtimes.json").is_file()
    monkeypatch.setattr(runtime, "measure", None)  # would be called if it had forgotten
    again = load_predictor(tmp_path / "m", "cpu", runtime="auto")
    assert again.runtime == first.runtime


def test_without_openvino_torch_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = make_model(tmp_path / "m")
    monkeypatch.setitem(sys.modules, "openvino", None)
    made = make_runtime(network(), card, torch.device("cpu"), "auto")
    assert made.name == "torch f32 on CPU"


def test_an_engine_that_answers_otherwise_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = make_model(tmp_path / "m")
    model = network()

    class Wrong(OpenVinoRuntime):
        def __call__(self, pixels: np.ndarray) -> Any:
            logits, maps = super().__call__(pixels)
            return logits + 0.01, maps

    monkeypatch.setattr(runtime, "OpenVinoRuntime", Wrong)
    assert make_runtime(model, card, torch.device("cpu"), "auto").name == "torch f32 on CPU"


def test_bf16_only_where_the_card_says_that_it_agrees(tmp_path: Path) -> None:
    card = make_model(tmp_path / "m")
    with pytest.raises(DamagedModelError, match="bf16"):
        load_predictor(tmp_path / "m", "cpu", runtime="openvino", precision="bf16")
    bad = Agreement(
        precision="bf16", cases=9, decisions_changed=1, largest_difference=0.001, how="x"
    )
    write_card(tmp_path / "m", card.model_copy(update={"agreements": (bad,)}))
    with pytest.raises(DamagedModelError, match="bf16"):
        load_predictor(tmp_path / "m", "cpu", precision="bf16")
    good = bad.model_copy(update={"decisions_changed": 0})
    write_card(tmp_path / "m", card.model_copy(update={"agreements": (good,)}))
    load_predictor(tmp_path / "m", "cpu", precision="bf16")


class _Full:
    """A runtime that has memory for so many inputs."""

    def __init__(self, inside: TorchRuntime, most: int) -> None:
        self.inside, self.most, self.name = inside, most, "full"
        self.sizes: list[int] = []

    def __call__(self, pixels: np.ndarray) -> Any:
        self.sizes.append(len(pixels))
        if len(pixels) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.inside(pixels)

    def evidence(self, maps: Any, output: int) -> Any:
        return self.inside.evidence(maps, output)


def _member(tmp_path: Path, most: int) -> tuple[NetworkMember, _Full]:
    card = make_model(tmp_path / "m")
    member = NetworkMember(card, network(), torch.device("cpu"))
    assert isinstance(member.runtime, TorchRuntime)
    full = _Full(member.runtime, most)
    member.runtime = full
    return member, full


def test_memory_that_runs_out_is_survived_by_smaller_batches(tmp_path: Path) -> None:
    member, full = _member(tmp_path, most=3)
    pixels = seeded_input(member.card, 1, 10)
    expected = full.inside(pixels)[0]
    found = member.look(pixels, 0)
    np.testing.assert_allclose(found.logits, expected, atol=1e-6)
    assert found.evidence is not None
    assert len(found.evidence) == 10
    assert full.sizes[:3] == [10, 5, 2]
    assert member.batch == 2
    assert "2 at a time" in member.notes[-1]


def test_one_that_does_not_fit_at_all_is_told(tmp_path: Path) -> None:
    member, _ = _member(tmp_path, most=0)
    with pytest.raises(NotEnoughMemoryError):
        member.look(seeded_input(member.card, 1, 2))
    device, full = _member(tmp_path / "b", most=0)
    device.to_cpu = lambda: full.inside  # as if it were a GPU: the CPU takes over
    assert device.look(seeded_input(device.card, 1, 2)).logits.shape == (2, 1)
    assert "CPU" in device.notes[-1]
    assert full.sizes == [2, 1]


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(2, False, "cuda"), (0, True, "mps"), (0, False, "cpu")]
)
def test_the_best_device_that_is_there(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, best: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert str(best_device()) == best
    assert str(best_device("cpu")) == "cpu"
    for wanted in ("cuda:7", "tpu", *(() if cuda else ("cuda",)), *(() if mps else ("mps",))):
        with pytest.raises(DeviceUnavailableError) as told:
            best_device(wanted)
        assert best in told.value.there
        assert wanted in str(sentence(told.value))


def test_a_device_without_memory_for_a_volume_hands_over_to_the_processor(tmp_path: Path) -> None:
    card = make_model(
        tmp_path / "m", family="resnet3d", options={"widths": [4, 4, 4, 4]}, preprocessing=CUBE
    )
    predictor = load_predictor(tmp_path / "m", "cpu")
    (member,) = predictor.members
    assert isinstance(member.runtime, TorchRuntime)
    expected = predictor.predict_volume(volume(head_like(4, 32)))
    before = [answer.probabilities["hemorrhage"] for answer in expected]
    plain = member.runtime
    member.runtime, member.to_cpu = _Full(plain, 0), lambda: plain  # a full graphics card
    after = [
        a.probabilities["hemorrhage"] for a in predictor.predict_volume(volume(head_like(4, 32)))
    ]
    assert after == pytest.approx(before, abs=1e-6)
    assert predictor.notes == (
        "The memory of the graphics card ran out: the CPU answers from now on.",
    )
    assert card.preprocessing.dimensions == 3


@pytest.mark.parametrize(
    ("error", "is_so"),
    [
        (MemoryError(), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_which_errors_are_of_memory(error: BaseException, is_so: bool) -> None:
    assert is_out_of_memory(error) is is_so


def test_an_ensemble_votes_softly_and_tells_its_spread(tmp_path: Path) -> None:
    make_model(tmp_path / "m", members=3, context=(1.0, 2.0, 1.0))
    predictor = load_predictor(tmp_path / "m", "cpu")
    case = volume(head_like(5))
    answers = {a.index: a for a in predictor.predict_volume(case)}
    alone = []
    for member in predictor.members:
        single = NetworkPredictor(predictor.card, member.model, torch.device("cpu"))
        alone.append({a.index: a for a in single.predict_volume(case)})
    for index, answer in answers.items():
        votes = [one[index].probabilities["hemorrhage"] for one in alone]
        assert answer.probabilities["hemorrhage"] == pytest.approx(np.mean(votes), abs=1e-9)
        assert answer.spread == pytest.approx((min(votes), max(votes)))
        assert answer.heat_map is not None
        mean = np.mean([one[index].heat_map.values for one in alone], axis=0)  # type: ignore[union-attr]
        np.testing.assert_allclose(answer.heat_map.values, mean, atol=1e-6)
    # Every member's file is what the card says, or none answers.
    (tmp_path / "m" / "model-3.safetensors").write_bytes(b"")
    with pytest.raises(DamagedModelError):
        load_predictor(tmp_path / "m", "cpu")


def test_the_visible_slice_is_answered_after_one_pass(tmp_path: Path) -> None:
    make_model(tmp_path / "m", context=(1.0, 2.0, 3.0, 2.0, 1.0))
    predictor = load_predictor(tmp_path / "m", "cpu")
    asked: list[int] = []
    inside = predictor.members[0].look
    predictor.members[0].look = lambda p, o=None: (asked.append(len(p)), inside(p, o))[1]  # type: ignore[method-assign]
    answers = predictor.predict_volume(volume(head_like(9)), first=4, provisional=True)
    first = next(answers)
    assert (first.index, first.provisional, asked) == (4, True, [1])
    rest = list(answers)
    assert not any(answer.provisional for answer in rest)
    assert sorted(answer.index for answer in rest) == list(range(9))
    final = next(answer for answer in rest if answer.index == 4)
    assert first.heat_map is not None
    assert final.heat_map is not None
    np.testing.assert_array_equal(first.heat_map.values, final.heat_map.values)


@pytest.mark.parametrize("positive", ["no_hemorrhage", "hemorrhage"])
def test_two_logits_of_two_classes_are_a_softmax(tmp_path: Path, positive: str) -> None:
    make_model(tmp_path / "m", outputs=2, positive=positive)
    predictor = load_predictor(tmp_path / "m", "cpu")
    pixels = seeded_input(predictor.card, 2)
    logits = predictor.members[0].look(pixels).logits[0]
    (answer,) = predictor.predict_volume(volume(head_like(1)))
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    from core.models.calibration import calibrated

    expected = np.exp(logits) / np.exp(logits).sum()
    assert calibrated(predictor.card, logits[None])[0] == pytest.approx(expected)


def test_classes_that_may_come_together_have_probabilities_of_their_own(tmp_path: Path) -> None:
    classes = ("subdural", "epidural", "fracture")
    make_model(
        tmp_path / "m",
        outputs=3,
        classes=classes,
        positive="subdural",
        labelling="any-of",
        calibration=Calibration(slope=2.0),
    )
    predictor = load_predictor(tmp_path / "m", "cpu")
    (answer,) = predictor.predict_volume(volume(head_like(1)), class_id="fracture")
    from core.models.preprocessing import prepare_slice

    prepared = prepare_slice(volume(head_like(1)), 0, predictor.card.preprocessing)
    logits = predictor.members[0].look(prepared.pixels[None]).logits[0]
    shares = [answer.probabilities[name] for name in classes]
    assert shares == pytest.approx(1 / (1 + np.exp(-2 * logits)))
    assert answer.heat_map is not None
    assert answer.heat_map.class_id == "fracture"


def test_evidence_for_the_other_of_two_classes_is_the_negative(tmp_path: Path) -> None:
    make_model(tmp_path / "m")
    predictor = load_predictor(tmp_path / "m", "cpu")
    case = volume(head_like(1))
    (one,) = predictor.predict_volume(case)
    (other,) = predictor.predict_volume(case, class_id="no_hemorrhage")
    np.testing.assert_array_equal(one.heat_map.values, -other.heat_map.values)  # type: ignore[union-attr]
    assert read_card(tmp_path / "m").output_of("no_hemorrhage") == (0, -1.0)
