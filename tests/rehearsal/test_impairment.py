from __future__ import annotations

import audioop

import numpy as np
import pytest

from trunkline.audio import FRAME_BYTES, FRAME_SAMPLES, SAMPLE_RATE, to_samples
from trunkline.errors import SettingsError
from trunkline.rehearsal import rtp
from trunkline.rehearsal.impairment import Impairment, at_level, babble, speech_rms, white_noise
from trunkline.rehearsal.line_conditions import EchoTap, LineConditions, Noise, read_conditions
from trunkline.rehearsal.sounds import SOUNDS, make_sound
from trunkline.rehearsal.studio import tone

SPEECH = bytes(8000) + tone((300.0, 700.0), 1.0, dbfs=-10) + bytes(8000)


def decibels(level: float, reference: float) -> float:
    return float(20 * np.log10(level / reference))


def frames(pcm: bytes) -> list[bytes]:
    return [pcm[start : start + FRAME_BYTES] for start in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)]


@pytest.mark.parametrize("codec", ["ulaw", "alaw"])
@pytest.mark.parametrize("snr", [20.0, 10.0, 0.0])
def test_noise_is_as_far_below_speech_as_wanted(snr: float, codec: str) -> None:
    noise = at_level(white_noise(2.0, 1), speech_rms([SPEECH]) / 10 ** (snr / 20))
    line = Impairment(LineConditions(noise=Noise(snr_db=snr)), codec, noise)
    silent = b"".join(rtp.decode(line.shape(rtp.silence(codec), n * 0.02), codec) for n in range(150))
    spoken = audioop.rms(tone((300.0, 700.0), 1.0, dbfs=-10), 2)
    assert decibels(spoken, audioop.rms(silent, 2)) == pytest.approx(snr, abs=0.5)


def test_the_level_of_speech_leaves_pauses_out() -> None:
    loud = tone((300.0, 700.0), 1.0, dbfs=-10)
    assert decibels(speech_rms([SPEECH, loud]), audioop.rms(loud, 2)) == pytest.approx(0, abs=0.2)
    assert decibels(speech_rms([]), 32768) == pytest.approx(-26)


def test_babble_has_no_pauses_and_repeats_itself_for_the_same_seed() -> None:
    voices = [tone((200.0 + 90 * n,), 0.4) + bytes(3200) for n in range(5)]
    made = babble(voices, 3.0, seed=3)
    assert len(made) == 3 * SAMPLE_RATE * 2
    assert made == babble(voices, 3.0, seed=3)
    assert made != babble(voices, 3.0, seed=4)
    levels = [audioop.rms(made[start : start + 1600], 2) for start in range(0, len(made), 1600)]
    assert sum(level > 0 for level in levels) > 0.95 * len(levels)


@pytest.mark.parametrize("delay", [60.0, 250.0])
def test_an_echo_stays_whole_though_packets_and_ticks_are_a_little_late(delay: float) -> None:
    word = white_noise(1.0, 5)
    line = Impairment(LineConditions(echo=(EchoTap(db=-12, delay_ms=delay),)), "ulaw")
    late = np.random.default_rng(1).uniform(0, 0.004, (50, 2))
    came_back = b""
    for number, frame in enumerate(frames(word)):
        now = 50.0 + number * 0.02
        came_back += rtp.decode(line.shape(rtp.ULAW_SILENCE, now + late[number, 0]), "ulaw")
        line.heard(now + 0.010 + late[number, 1], frame)
    heard, said = to_samples(came_back).astype(float), to_samples(word).astype(float)
    lag = int(np.argmax(np.correlate(heard, said, "full"))) - len(said) + 1
    expected = np.zeros(len(said))
    expected[lag:] = said[:-lag] * 10 ** (-12 / 20)
    assert np.square(heard - expected).sum() < 0.01 * np.square(expected).sum()


@pytest.mark.parametrize(("db", "delay"), [(-12.0, 20.0), (-20.0, 120.0), (-30.0, 300.0)])
def test_an_echo_comes_back_as_late_and_as_weak_as_wanted(db: float, delay: float) -> None:
    word = white_noise(0.3, 5)
    agent = bytes(FRAME_BYTES * 10) + word + bytes(FRAME_BYTES * 30)
    line = Impairment(LineConditions(echo=(EchoTap(db=db, delay_ms=delay),)), "ulaw")
    came_back = b""
    for number, frame in enumerate(frames(agent)):
        now = 50.0 + number * 0.02
        came_back += rtp.decode(line.shape(rtp.ULAW_SILENCE, now), "ulaw")
        line.heard(now + 0.003, frame)  # arrives within the 20 ms
    heard, said = to_samples(came_back).astype(float), to_samples(agent).astype(float)
    lag = int(np.argmax(np.correlate(heard, said[: len(heard)], "full"))) - len(said) + 1
    assert lag / SAMPLE_RATE * 1000 == pytest.approx(delay + 3, abs=1)
    assert decibels(np.abs(heard).max(), np.abs(said).max()) == pytest.approx(db, abs=1.0)


def test_several_echoes_add_up() -> None:
    line = Impairment(LineConditions(echo=(EchoTap(db=-6, delay_ms=20), EchoTap(db=-12, delay_ms=60))), "ulaw")
    click = bytearray(FRAME_BYTES)
    click[0:2] = (16000).to_bytes(2, "little")
    for number in range(8):
        line.heard(1.0 + number * 0.02, bytes(click) if number == 0 else bytes(FRAME_BYTES))
    back = np.concatenate(
        [to_samples(rtp.decode(line.shape(rtp.ULAW_SILENCE, 1.0 + n * 0.02), "ulaw")) for n in range(6)]
    )
    loud = np.flatnonzero(back)
    assert loud.tolist() == [FRAME_SAMPLES, 3 * FRAME_SAMPLES]
    assert back[loud].tolist() == pytest.approx([8000, 4000], rel=0.05)


def test_what_comes_back_after_a_pause_is_not_the_old_sound() -> None:
    line = Impairment(LineConditions(echo=(EchoTap(db=0, delay_ms=20),)), "ulaw")
    for number in range(100):
        line.heard(1.0 + number * 0.02, white_noise(0.02, number))
    line.heard(10.0, bytes(FRAME_BYTES))
    assert line.shape(rtp.ULAW_SILENCE, 9.9) == rtp.ULAW_SILENCE
    assert line.shape(rtp.ULAW_SILENCE, 20.0) == rtp.ULAW_SILENCE


@pytest.mark.parametrize("percent", [2.0, 10.0])
def test_as_many_packets_are_lost_as_wanted_and_the_same_ones_again(percent: float) -> None:
    def lost(seed: int) -> list[bool]:
        line = Impairment(LineConditions(loss_percent=percent, seed=seed), "ulaw")
        return [line.delay(n * 0.02) is None for n in range(5000)]

    assert sum(lost(1)) / 50 == pytest.approx(percent, rel=0.25)
    assert lost(1) == lost(1)
    assert lost(1) != lost(2)


def test_jitter_is_bounded_and_keeps_the_order() -> None:
    line = Impairment(LineConditions(jitter_ms=50), "ulaw")
    delays = [line.delay(n * 0.02) for n in range(2000)]
    late = np.array([delay for delay in delays if delay is not None])
    assert len(late) == 2000
    assert 0 <= late.min() < 0.005 and 0.045 < late.max() <= 0.05
    departures = late + np.arange(2000) * 0.02
    assert (np.diff(departures) >= 0).all()


def test_a_perfect_line_changes_nothing() -> None:
    line = Impairment(LineConditions(), "ulaw")
    payload = rtp.encode(tone((440.0,), 0.02), "ulaw")
    assert line.shape(payload, 1.0) is payload
    assert line.delay(1.0) == 0.0
    assert LineConditions(seed=9).perfect
    assert not LineConditions(jitter_ms=1).perfect


def test_conditions_are_written_short_on_the_command_line() -> None:
    given = LineConditions.model_validate(read_conditions(["noise: 20", "{echo: -12, loss_percent: 2}", "noise: 10"]))
    assert given.noise == Noise(snr_db=10)
    assert given.echo == (EchoTap(db=-12),)
    assert given.label == "white noise 10 dB, echo −12 dB after 120 ms, 2 % loss"


@pytest.mark.parametrize(
    ("text", "told"),
    [("loud", "is no condition"), ("[", "is no condition"), ("hiss: 3", "hiss"), ("noise: 99", "noise")],
)
def test_a_bad_condition_is_explained(text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read_conditions([text])


@pytest.mark.parametrize("kind", sorted(SOUNDS))
def test_every_sound_is_audible_and_always_the_same(kind: str) -> None:
    made = make_sound(kind)
    assert len(made) == round(SOUNDS[kind].seconds * SAMPLE_RATE) * 2
    assert audioop.max(made, 2) == pytest.approx(32768 * 10 ** (-9 / 20), rel=0.02)
    assert made == make_sound(kind)
    assert len(make_sound(kind, 1.5)) == round(1.5 * SAMPLE_RATE) * 2
