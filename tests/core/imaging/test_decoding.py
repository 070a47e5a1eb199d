"""Decoder processes: what dies or hangs there ends nothing here."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from core.errors import CancelledError, DecoderDiedError, UnreadableImageError
from core.imaging import decoder_client, decoding
from core.imaging.decoding import Job, decode_all, decode_one
from core.workers import SLIGHT

HERE = Path("some.dcm")


@dataclass(frozen=True)
class Ramp:
    """Gives an array that tells which task made it."""

    number: int
    dtype: str = "<i2"
    shape: tuple[int, ...] = (8, 9)

    def run(self) -> np.ndarray:
        return np.full(self.shape, self.number, self.dtype)


@dataclass(frozen=True)
class Niceness:
    """Gives the niceness of the process that it runs in, and that of its session."""

    dtype: str = "<i2"
    shape: tuple[int, ...] = (2,)

    def run(self) -> np.ndarray:
        session = 0
        with contextlib.suppress(OSError, IndexError):  # "/autogroup-123 nice 5"
            session = int(Path("/proc/self/autogroup").read_text().split()[2])
        return np.array([os.nice(0), session], self.dtype)


@dataclass(frozen=True)
class Misbehaves:
    """Does something that a decoder under attack may do."""

    how: str
    dtype: str = "<i2"
    shape: tuple[int, ...] = (4, 4)

    def run(self) -> np.ndarray:
        if self.how == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.how == "exit":
            os._exit(3)
        if self.how == "hang":
            time.sleep(60)
        if self.how == "bomb":
            return np.ones(1 << 32, np.int16)[:16].reshape(4, 4)
        if self.how == "raise":
            raise RuntimeError("jpeg_error: 0x33 \x00 nonsense")
        if self.how == "clause":
            raise ValueError("its palette is missing or damaged")
        if self.how == "shape":
            return np.zeros((5, 5), np.int16)
        if self.how == "type":
            return np.zeros((4, 4), np.float32)
        if self.how == "prints":
            print("not an answer", flush=True)  # noqa: T201
            os.write(1, b"neither is this")
        return np.zeros((4, 4), np.int16)


@pytest.mark.skipif(sys.platform == "win32", reason="niceness is a word of Unix")
def test_a_decoder_lets_the_window_go_first_and_does_not_starve() -> None:
    process, session = decode_one(HERE, Niceness())
    assert process == max(SLIGHT, os.nice(0))
    assert session in (0, SLIGHT), "0 where the kernel has no such thing"


def test_results_come_back_in_their_places() -> None:
    target = np.zeros((40, 8, 9), np.int16)
    seen: list[int] = []
    decode_all((Job(i, str(HERE), Ramp(i)) for i in range(40)), lambda i: target[i], seen.append)
    assert sorted(seen) == list(range(40))
    assert (target == np.arange(40)[:, None, None]).all()


@pytest.mark.parametrize(
    ("how", "said"), [("crash", "SIGSEGV"), ("exit", "ended"), ("bomb", "memory")]
)
def test_a_death_is_a_sentence(how: str, said: str) -> None:
    with pytest.raises(DecoderDiedError) as caught:
        decode_one(HERE, Misbehaves(how))
    assert said in caught.value.how
    assert decode_one(HERE, Ramp(5))[0, 0] == 5


def test_a_hang_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    decode_one(HERE, Ramp(1))  # the process is up, and has imported what it needs
    begin = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(decoder_client, "DEADLINE_SECONDS", 1.5)
        with pytest.raises(DecoderDiedError) as caught:
            decode_one(HERE, Misbehaves("hang"))
    assert time.monotonic() - begin < 10
    assert "stopped" in caught.value.how
    assert decode_one(HERE, Ramp(6))[0, 0] == 6


@pytest.mark.parametrize("how", ["raise", "shape", "type"])
def test_what_is_wrong_is_refused_in_plain_words(how: str) -> None:
    with pytest.raises(UnreadableImageError) as caught:
        decode_one(HERE, Misbehaves(how))
    assert "jpeg_error" not in caught.value.reason
    assert caught.value.path == HERE


def test_our_own_clauses_pass_through() -> None:
    with pytest.raises(UnreadableImageError, match="palette"):
        decode_one(HERE, Misbehaves("clause"))


def test_what_a_codec_prints_is_no_answer() -> None:
    assert decode_one(HERE, Misbehaves("prints")).sum() == 0


def test_one_bad_picture_stops_the_load_and_leaks_nothing() -> None:
    jobs = [Job(i, f"{i}", Misbehaves("crash") if i == 7 else Ramp(i)) for i in range(30)]
    target = np.zeros((30, 8, 9), np.int16)
    target4 = np.zeros((4, 4), np.int16)
    with pytest.raises(DecoderDiedError) as caught:
        decode_all(jobs, lambda i: target4 if i == 7 else target[i], lambda _: None)
    assert caught.value.path == Path("7")
    assert decode_one(HERE, Ramp(2))[0, 0] == 2


def test_cancelling_stops() -> None:
    done: list[int] = []
    target = np.zeros((500, 8, 9), np.int16)
    with pytest.raises(CancelledError):
        decode_all(
            (Job(i, str(HERE), Ramp(i)) for i in range(500)),
            lambda i: target[i],
            done.append,
            lambda: len(done) >= 5,
        )
    assert len(done) == 5


def test_shutting_down_leaves_no_process() -> None:
    decode_one(HERE, Ramp(1))
    decoding.shut_down()
    alive = [c for c in psutil.Process().children() if c.status() != psutil.STATUS_ZOMBIE]
    assert not [c for c in alive if "decoder_process" in " ".join(c.cmdline())]


# ------------------------------------------------------------------ losses that no picture causes


@dataclass(frozen=True)
class DiesOnce:
    """Ends its process the first time, as if killed from outside."""

    mark: str
    signal: int
    dtype: str = "<i2"
    shape: tuple[int, ...] = (4, 4)

    def run(self) -> np.ndarray:
        mark = Path(self.mark)
        if not mark.exists():
            mark.write_text("")
            if self.signal:
                os.kill(os.getpid(), self.signal)
            os._exit(1)
        return np.full(self.shape, 7, np.int16)


@pytest.mark.parametrize("how", [0, signal.SIGKILL, signal.SIGTERM])
def test_a_process_lost_from_outside_is_replaced_once(tmp_path: Path, how: int) -> None:
    assert decode_one(HERE, DiesOnce(str(tmp_path / "mark"), how)).min() == 7


def test_a_picture_that_crashes_its_decoder_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(DecoderDiedError, match="SIGSEGV"):
        decode_one(HERE, DiesOnce(str(tmp_path / "mark"), signal.SIGSEGV))


@dataclass(frozen=True)
class CannotArrive:
    """Pickles well and unpickles badly, as a module that fails to import would."""

    dtype: str = "<i2"
    shape: tuple[int, ...] = (4, 4)

    def run(self) -> np.ndarray:
        raise AssertionError

    def __reduce__(self) -> tuple[object, ...]:
        return (int, ("no number",))


def test_what_cannot_be_taken_up_says_so() -> None:
    with pytest.raises(DecoderDiedError, match="could not take up its work"):
        decode_one(HERE, CannotArrive())
    assert decode_one(HERE, Ramp(8))[0, 0] == 8


def test_a_late_start_is_not_taken_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    decoding.shut_down()
    with monkeypatch.context() as patch:
        patch.setattr(decoder_client, "START_SECONDS", 0.0)
        with pytest.raises(DecoderDiedError, match="did not come up"):
            decode_one(HERE, Ramp(3))
    assert decode_one(HERE, Ramp(4))[0, 0] == 4


@dataclass(frozen=True)
class Starved:
    """Works for some seconds of its own time."""

    seconds: float
    dtype: str = "<i2"
    shape: tuple[int, ...] = (4, 4)

    def run(self) -> np.ndarray:
        begin = time.process_time()
        while time.process_time() - begin < self.seconds:
            pass
        return np.full(self.shape, 3, np.int16)


def test_the_deadline_counts_the_decoders_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    decode_one(HERE, Ramp(1))
    with monkeypatch.context() as patch:
        patch.setattr(decoder_client, "DEADLINE_SECONDS", 0.6)
        with pytest.raises(DecoderDiedError, match="was stopped"):
            decode_one(HERE, Starved(30.0))
    decode_one(HERE, Ramp(1))
    with monkeypatch.context() as patch:
        # By the clock it is over at once; of its own time the decoder has used little.
        patch.setattr(decoder_client, "DEADLINE_SECONDS", 0.05)
        patch.setattr(decoder_client, "_PATIENCE", 1000)
        patch.setattr(decoder_client.Decoder, "_spent", lambda _: 0.0)
        assert decode_one(HERE, Starved(0.6))[0, 0] == 3
