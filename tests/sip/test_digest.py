from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.sip.digest import (
    NONCE_SECONDS,
    DigestGuard,
    Proof,
    authorization,
    digest_response,
    parse_parameters,
)

PASSWORDS = {"trunk": "Secret-Password-1"}
URI = "sip:+14155550123@rehearsal.pstn.example.com"

RFC_7616 = {
    "username": "Mufasa",
    "realm": "http-auth@example.org",
    "uri": "/dir/index.html",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": "auth",
}


def guard() -> DigestGuard:
    return DigestGuard("sip.twilio.com", b"secret", "opaque-1")


def answer(challenge: str, **changes: str) -> str:
    asked = parse_parameters(challenge)
    arguments = {"username": "trunk", "password": PASSWORDS["trunk"], "method": "INVITE", "uri": URI} | changes
    return authorization(
        asked,
        username=arguments["username"],
        password=arguments["password"],
        method=arguments["method"],
        uri=arguments["uri"],
    )


def check(keeper: DigestGuard, header: str, *, now: float = 1.0, uri: str = URI) -> Proof:
    return keeper.check(header, method="INVITE", uri=uri, now=now, passwords=PASSWORDS)


def test_the_vector_of_rfc_2617() -> None:
    credentials = {
        "username": "Mufasa",
        "realm": "testrealm@host.com",
        "uri": "/dir/index.html",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "nc": "00000001",
        "cnonce": "0a4f113b",
        "qop": "auth",
    }
    response = digest_response(credentials, password="Circle Of Life", method="GET")
    assert response == "6629fae49393a05397450978507c4ef1"


def test_the_older_form_without_qop() -> None:
    # RFC 2069's example, as corrected by its erratum
    credentials = {
        "username": "Mufasa",
        "realm": "testrealm@host.com",
        "uri": "/dir/index.html",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    }
    response = digest_response(credentials, password="CircleOfLife", method="GET")
    assert response == "1949323746fe6a43ef61f9606e7febea"


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_vectors_of_rfc_7616(algorithm: str, expected: str) -> None:
    assert digest_response(RFC_7616, password="Circle of Life", method="GET", algorithm=algorithm) == expected


def test_the_challenge_is_written_as_twilio_writes_it() -> None:
    challenge = guard().challenge(1.0)
    assert challenge.startswith('Digest realm="sip.twilio.com",qop="auth",nonce="')
    assert set(parse_parameters(challenge)) == {"realm", "qop", "nonce", "opaque"}


def test_the_right_password_is_valid() -> None:
    keeper = guard()
    assert check(keeper, answer(keeper.challenge(0.0))) is Proof.VALID


@pytest.mark.parametrize(
    "changes",
    [{"password": "other"}, {"username": "somebody"}, {"method": "REGISTER"}, {"uri": "sip:+14155550199@elsewhere"}],
)
def test_anything_else_is_wrong(changes: dict[str, str]) -> None:
    keeper = guard()
    assert check(keeper, answer(keeper.challenge(0.0), **changes)) is Proof.WRONG


def test_credentials_made_for_another_request_uri_are_wrong() -> None:
    keeper = guard()
    assert check(keeper, answer(keeper.challenge(0.0)), uri="sip:+14155550199@x") is Proof.WRONG


def test_credentials_used_twice_are_stale() -> None:
    keeper = guard()
    header = answer(keeper.challenge(0.0))
    assert check(keeper, header) is Proof.VALID
    assert check(keeper, header) is Proof.STALE
    assert "stale=true" in keeper.challenge(1.0, stale=True)


def test_a_nonce_serves_again_with_a_higher_count() -> None:
    keeper = guard()
    first = answer(keeper.challenge(0.0))
    assert check(keeper, first) is Proof.VALID
    again = parse_parameters(first) | {"nc": "00000002"}
    again["response"] = digest_response(again, password=PASSWORDS["trunk"], method="INVITE")
    header = "Digest " + ", ".join(f'{key}="{value}"' for key, value in again.items())
    assert check(keeper, header) is Proof.VALID


def test_a_nonce_of_somebody_else_an_old_one_and_a_wrong_opaque_are_stale() -> None:
    keeper, other = guard(), DigestGuard("sip.twilio.com", b"other secret", "opaque-1")
    assert check(keeper, answer(other.challenge(0.0))) is Proof.STALE
    assert check(keeper, answer(keeper.challenge(0.0)), now=NONCE_SECONDS + 1) is Proof.STALE
    assert check(keeper, answer(keeper.challenge(0.0).replace("opaque-1", "opaque-2"))) is Proof.STALE


def test_commas_and_escaped_quotes_inside_quotes_are_part_of_the_value() -> None:
    assert parse_parameters(r'Digest realm="a, \"b\"", nc=00000001') == {"realm": 'a, "b"', "nc": "00000001"}


@pytest.mark.parametrize(
    "header", ["", "Basic abc", "Digest", "Digest =", 'Digest a="', "Digest a=1 b=2", "Digest a=1, a=2"]
)
def test_what_is_no_digest_has_no_parameters(header: str) -> None:
    assert parse_parameters(header) == {}
    assert check(guard(), header) is Proof.WRONG


@given(st.text(max_size=300))
def test_no_header_breaks_the_check(text: str) -> None:
    assert check(guard(), "Digest " + text) is Proof.WRONG
