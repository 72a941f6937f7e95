"""What the doctor says of ports, and of addresses before and behind NAT."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from trunkline.doctor.check import State
from trunkline.doctor.network import Ports, judge_addresses
from trunkline.doctor.probe import Way
from trunkline.settings import AsteriskSettings, ServiceSettings, Settings, TrunkSettings

ABROAD = ("54.172.60.1", 5060)
HOME = Way(ABROAD, "192.168.1.5")
PUBLIC, LAN = "8.8.4.4", ("192.168.0.0/16",)


@pytest.mark.parametrize(
    ("asterisk", "way"),
    [
        ({}, Way(ABROAD, PUBLIC)),
        ({}, Way(("127.0.0.1", 5060), "127.0.0.1")),
        ({}, Way(("192.168.1.9", 5060), "192.168.1.5")),
        ({"external_address": PUBLIC, "local_nets": LAN}, HOME),
    ],
)
def test_addresses_that_work(asterisk: dict[str, Any], way: Way) -> None:
    assert judge_addresses(AsteriskSettings.model_validate(asterisk), way).state is State.WELL


@pytest.mark.parametrize(
    ("asterisk", "way", "words"),
    [
        ({}, HOME, "address is private"),
        ({"address": "127.0.0.1"}, HOME, "which the trunk can't reach"),
        ({"external_address": "10.0.0.1", "local_nets": LAN}, HOME, "no carrier can reach"),
        ({"external_address": "home.example.com", "local_nets": LAN}, HOME, "no IP address"),
        ({"external_address": PUBLIC}, HOME, "asterisk.local_nets does not hold"),
        ({"external_address": PUBLIC, "local_nets": ("54.0.0.0/8", *LAN)}, HOME, "lies in asterisk.local_nets"),
        ({"local_nets": ("home",)}, HOME, "no network"),
    ],
)
def test_addresses_that_do_not(asterisk: dict[str, Any], way: Way, words: str) -> None:
    verdict = judge_addresses(AsteriskSettings.model_validate(asterisk), way)
    assert verdict.state is State.WRONG
    assert words in verdict.text and verdict.remedy


async def test_ports(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        service = ServiceSettings(data_dir=tmp_path, port=taken)
        verdict = await Ports(Settings(service=service)).run()
        assert verdict.state is State.WRONG and f"127.0.0.1:{taken}" in verdict.text
        free = ServiceSettings(data_dir=tmp_path, port=0)
        # Taken over TCP: that is a transport of plain trunks too, and the only one of secure ones.
        sip = AsteriskSettings(address="127.0.0.1", sip_port=taken)
        for trunk in (TrunkSettings(), TrunkSettings(secure=True)):
            verdict = await Ports(Settings(service=free, asterisk=sip, trunk=trunk)).run()
            assert verdict.state is State.WRONG and f"127.0.0.1:{taken}" in verdict.text
    assert (await Ports(Settings(service=free)).run()).state is State.WELL
    strange = AsteriskSettings(address="192.0.2.77")
    verdict = await Ports(Settings(service=free, asterisk=strange)).run()
    assert verdict.state is State.WRONG and "192.0.2.77:0" in verdict.text
    few = AsteriskSettings(rtp_port_first=10000, rtp_port_last=10100)
    verdict = await Ports(Settings(service=ServiceSettings(port=0, max_calls=51), asterisk=few)).run()
    assert verdict.state is State.WRONG and "50 calls" in verdict.text
