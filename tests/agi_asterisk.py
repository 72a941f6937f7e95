"""The Asterisk side of AGI for tests: a real connection that answers every command, and can hang up at any."""

from __future__ import annotations

import asyncio
import contextlib
import re
import wave
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from tests.doubles import tone
from trunkline.audio import SAMPLE_RATE

HangUp = Literal["hang up", "vanish", "say nonsense", "say too much"]
"""How a channel may end: properly, with the connection; and what no Asterisk says."""


class AgiAsterisk:
    """`said` are the commands it got; `variables` what the channel has, of ours as well. The person says `utterances`,
    one per recording (seconds of a tone; a text is a key), and is silent behind them.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.said: list[str] = []
        self.variables: dict[str, str] = {}
        self.modules = {"app_audiosocket"}
        self.knows_ifmodule = True
        self.utterances: deque[float | str] = deque()
        self.keys: deque[str] = deque()
        """Pressed into what is played, one each; empty: none."""
        self.hang_up_at: int | None = None
        self.hang_up_how: HangUp = "hang up"
        self.cannot_play = False
        self.dead = False
        self.audiosocket: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.audiosocket_over = asyncio.Event()
        self.playing_seconds = 0.0
        self._reader, self._writer = reader, writer

    @classmethod
    @contextlib.asynccontextmanager
    async def calling(cls, address: tuple[str, int], script: str, **environment: str) -> AsyncIterator[AgiAsterisk]:
        """A dialplan at `AGI(agi://address/script)`."""
        reader, writer = await asyncio.open_connection(*address)
        asterisk = cls(reader, writer)
        told = {
            "network_script": script,
            "callerid": "+14155550123",
            "dnid": "unknown",
            "extension": "100",
        } | environment
        writer.write("".join(f"agi_{name}: {value}\n" for name, value in told.items()).encode() + b"\n")
        try:
            yield asterisk
        finally:
            writer.transport.abort()

    async def run(self) -> None:
        """Until the other side closes: the dialplan goes on."""
        with contextlib.suppress(ConnectionError):
            while line := await self._reader.readline():
                command = line.decode().rstrip("\n")
                self.said.append(command)
                due = self.hang_up_at is not None and len(self.said) >= self.hang_up_at
                if due and not self.dead and not self.hang_up():
                    return
                self._writer.write((await self._answer(command)).encode() + b"\n")

    def hang_up(self) -> bool:
        """The person hangs up, whatever is being done; whether the connection lives on."""
        self.dead = True
        self.audiosocket_over.set()
        match self.hang_up_how:
            case "hang up":
                self._writer.write(b"HANGUP\n")
                return True
            case "vanish":
                self._writer.transport.abort()
            case "say nonsense":
                self._writer.write(b"\x00\xffwhat?\n")
            case "say too much":
                self._writer.write(b"200 result=1 (" + b"x" * 100_000)
        return False

    async def _answer(self, command: str) -> str:
        verb = command.split(' "', 1)[0]
        values = [value.replace('\\"', '"') for value in re.findall(r'"((?:[^"\\]|\\.)*)"', command)]
        if self.dead and verb not in ("GET VARIABLE", "SET VARIABLE", "EXEC AudioSocket"):
            return "511 Command Not Permitted on a dead channel or intercept routine"
        answer = "200 result=0"
        match verb:
            case "SET VARIABLE":
                self.variables[values[0]] = values[1]
            case "GET VARIABLE":
                value = f"{16 * self.dead}" if values[0] == "HANGUPCAUSE" else self.variables.get(values[0])
                answer = answer if value is None else f"200 result=1 ({value})"
            case "GET FULL VARIABLE":
                there = f"{int('app_audiosocket' in self.modules)}" if self.knows_ifmodule else ""
                answer = f"200 result=1 ({there})"
            case "CHANNEL STATUS":
                answer = "200 result=6"
            case "EXEC AudioSocket":
                answer = await self._audiosocket(values[0])
            case "STREAM FILE" | "WAIT FOR DIGIT":
                await asyncio.sleep(self.playing_seconds if verb == "STREAM FILE" else 0.0)
                key = ord(self.keys.popleft()) if self.keys else 0
                answer = f"200 result={-1 if self.dead or self.cannot_play else key} endpos=800"
            case "RECORD FILE":
                answer = await self._record(Path(f"{values[0]}.wav"))
        return answer

    async def _audiosocket(self, arguments: str) -> str:
        if "app_audiosocket" not in self.modules:
            return "200 result=-2"
        if not arguments:
            return "200 result=-1"
        if not self.audiosocket.done():
            self.audiosocket.set_result(arguments)
        await self.audiosocket_over.wait()
        return f"200 result={-1 if self.dead else 0}"

    async def _record(self, path: Path) -> str:
        utterance = self.utterances.popleft() if self.utterances else 0.0
        await asyncio.sleep(0.01)
        if isinstance(utterance, str):
            return f"200 result={ord(utterance)} (dtmf) endpos=0"
        await asyncio.to_thread(_write, path, utterance)
        return "200 result=1 (timeout) endpos=8000"


def _write(path: Path, seconds: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(tone(seconds) + bytes(SAMPLE_RATE))
