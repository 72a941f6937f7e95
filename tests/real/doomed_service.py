"""A service that places one call, tells its id when a phone rings, and waits to be killed.

    python -m tests.real.doomed_service DATA_DIR CARRIER_HOST CARRIER_PORT

All else comes from the environment, as `TRUNKLINE_ASTERISK__MODE`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.doubles import FakeSpeechToText, FakeTextToSpeech, FakeVoiceDetector
from tests.real.premises import NUMBER, trunk_to
from trunkline.app import open_house
from trunkline.conversation.conversation import Senses
from trunkline.models import CallRequest, CallState
from trunkline.settings import DEFAULT_AGENT, ServiceSettings, Settings


def settings_of(folder: Path, carrier: tuple[str, int]) -> Settings:
    return Settings(service=ServiceSettings(data_dir=folder), trunk=trunk_to(carrier))


def senses() -> Senses:
    return Senses(FakeVoiceDetector(), FakeSpeechToText(), FakeTextToSpeech())


async def main(folder: Path, carrier: tuple[str, int]) -> None:
    async with open_house(settings_of(folder, carrier), senses=senses()) as house:
        call = await house.switchboard.place_call(CallRequest(NUMBER, DEFAULT_AGENT))
        while house.switchboard.live_calls[call.id].state is not CallState.RINGING:
            await asyncio.sleep(0.01)
        sys.stdout.write(f"{call.id}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), (sys.argv[2], int(sys.argv[3]))))
