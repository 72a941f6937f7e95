"""What the doctor says of servers that listen and speak."""

from __future__ import annotations

from fastapi.responses import JSONResponse

from tests.speech.audio_server import KEY, audio_server, problem
from trunkline.doctor.check import State, examine
from trunkline.doctor.speech_servers import speech_server_checks
from trunkline.settings import AgentSettings, Settings, SpeechServerSettings, SpeechSettings


def settings(server: SpeechServerSettings) -> Settings:
    agent = AgentSettings(stt="mine", tts="mine")
    return Settings(speech=SpeechSettings(servers={"mine": server}), agents={"a": agent})


async def test_servers_are_asked_for_their_models_and_for_nothing_else() -> None:
    async with audio_server() as server:
        server.instead = lambda: JSONResponse({"data": [{"id": "whisper-1"}]})
        (found,) = await examine(speech_server_checks(settings(server.settings())))
        assert (found.name, found.verdict.state) == ("speech (mine)", State.WELL)
        assert len(found.verdict.remarks) == 1 and "tts-1" in found.verdict.remarks[0]
        server.instead = lambda: problem(404, "Not Found")
        (found,) = await examine(speech_server_checks(settings(server.settings())))
        assert found.verdict.state is State.WELL and "without a list" in found.verdict.text
        assert not server.spoken and not server.heard


async def test_a_wrong_key_and_nobody_there() -> None:
    async with audio_server() as server:
        server.instead = lambda: problem(401, "Incorrect API key provided.")
        (found,) = await examine(speech_server_checks(settings(server.settings())))
        assert found.verdict.state is State.WRONG
        assert "api_key" in found.verdict.remedy and KEY not in found.verdict.text
    (found,) = await examine(speech_server_checks(settings(server.settings())))
    assert found.verdict.state is State.WRONG and "Check its url" in found.verdict.remedy
