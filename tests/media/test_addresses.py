"""Which addresses may be connected to."""

from __future__ import annotations

import pytest

from trunkline.media.addresses import off_limits, public


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "100.100.100.200", "fd00:ec2::254",
    ],
)  # fmt: skip
def test_off_limits(address: str) -> None:
    assert off_limits(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.5", "172.17.0.1", "fd12::1", "93.184.216.34"]
)
def test_where_workflows_live(address: str) -> None:
    assert not off_limits(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "10.1.2.3",
        "::ffff:10.1.2.3", "172.16.0.1", "192.168.0.5", "2002:c0a8:5::1", "fd12::1", "fec0::1", "100.64.0.1",
        "100.127.255.254", "198.18.0.1", "192.0.2.1", "203.0.113.5", "240.0.0.1", "255.255.255.255", "::127.0.0.1",
        "2001:db8::1", "2001:0:7f00:1::1", "100::1", "169.254.169.254", "fe80::1%eth0", "0.0.0.0", "::", "224.0.0.1",
        "239.1.1.1", "ff0e::1", "168.63.129.16",
    ],
)  # fmt: skip
def test_not_public(address: str) -> None:
    assert not public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_public(address: str) -> None:
    assert public(address)


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "0x7f000001"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        public(text)
