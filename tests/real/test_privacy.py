"""A real call under all of data protection: told first, recorded only then, encrypted on disk, and forgotten."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import SecretStr

from tests.real.premises import CALLER_ID, NUMBER, open_premises
from trunkline.audio import FRAME_SAMPLES, SAMPLE_RATE, bytes_of
from trunkline.rehearsal.dialling import Destination, dial_all
from trunkline.rehearsal.studio import Studio
from trunkline.settings import NoticeSettings, PrivacySettings

TOLD = "This is a machine, and the call is recorded from here on, if you stay on the line."
KEY = SecretStr("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
PRIVACY = PrivacySettings(recording_key=KEY, notices=NoticeSettings(countries={"US": TOLD}))
HM = {"wav": "hm.wav", "text": "hm"}
WAIT = {"wait_for_agent": {"silence_ms": 400}}
AT_LEAST = 0.02 * len(TOLD)
"""Seconds that the double's voice takes for the notice."""


def sounds(side: npt.NDArray[np.int16]) -> list[float]:
    """Seconds at which there is sound, by frames."""
    frames = side[: len(side) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES).astype(float)
    return [float(at) * FRAME_SAMPLES / SAMPLE_RATE for at in np.nonzero(np.abs(frames).max(axis=1) > 600)[0]]


def found(folder: Path, text: bytes) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


async def test_calls_out_and_in_are_told_first_recorded_then_encrypted_and_forgotten(tmp_path: Path) -> None:
    async with open_premises(tmp_path, privacy=PRIVACY) as office:
        office.ears.texts.extend(["yes"] * 12)
        # They speak while they are told, and again afterwards.
        person = office.person(HM, HM, WAIT, {"pause_ms": 300}, HM, WAIT, "hang_up")
        async with office.carrier(person):
            outbound = await office.call()
            await office.ended(outbound)
        instance = office.house.asterisk.instance
        to = Destination(CALLER_ID, instance.sip_address, instance.sip_port, caller=NUMBER)
        (attempt,) = await dial_all(to, [await Studio().person(person)], parallel=1)
        assert attempt.report is not None and attempt.report.outcome == "answered"
        (inbound,) = set(office.updates) - {outbound}
        for call_id in (outbound, inbound):
            call = await office.ended(call_id)
            assert [turn["text"] for turn in call["turns"]][:2] == [TOLD, "Hi. Yes?"]
            (notice,) = [event for event in call["events"] if event["kind"] == "notice"]
            assert notice["data"] == {"text": TOLD}
            answer = await office.http.get(call["recording"])
            assert answer.status_code == 200
            with wave.open(io.BytesIO(answer.content)) as file:
                both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
            theirs, ours = sounds(both[:, 0]), sounds(both[:, 1])
            assert theirs and ours, "what came afterwards is recorded"
            assert min(*theirs, *ours) >= AT_LEAST
            assert abs(min(ours) - call["turns"][1]["started"]) < 0.2
            sealed = (tmp_path / "data" / "recordings" / f"{call_id}.wav.enc").read_bytes()
            assert len(sealed) > bytes_of(1.0)
            assert both.tobytes()[-4000:-3000] not in sealed
        assert found(tmp_path / "data", NUMBER.encode())
        gone = await office.http.delete(f"/numbers/{NUMBER}")
        assert gone.json()["calls"] >= 2 and gone.json()["recordings"] >= 2
        assert (await office.http.get(f"/calls/{outbound}")).status_code == 404
        data = tmp_path / "data"
        assert not list((data / "recordings").iterdir())
        assert [name for name in found(data, NUMBER.encode()) if name.startswith("trunkline.db")] == []
        assert found(data, TOLD.encode()) == []
