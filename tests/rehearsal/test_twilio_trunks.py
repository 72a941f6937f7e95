"""What is changed in an account decides over the next call that is sent to its trunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sipmessage import Request, Response

from tests.rehearsal.exchange import Exchange
from tests.rehearsal.sip_caller import CALLER_ID, NUMBER, Wording, new_branch
from tests.rehearsal.twilio_office import DOMAIN, PASSWORD, USER, VERIFIED, Office
from trunkline.rehearsal.sip_call import CallOffered, CallRefused
from trunkline.rehearsal.termination import Cause
from trunkline.rehearsal.twilio_trunks import TRIAL_CALLS, TwilioTrunks

LATVIA, LATVIA_SPECIAL = "+37167000000", "+37190001234"


def call(office: Office, exchange: Exchange | None = None, **wording: Any) -> Cause | int | None:
    """One INVITE with the right password, on a new transaction: why it was refused, else its last status."""
    exchange = exchange or Exchange(trunks=TwilioTrunks(office.account))
    said = {"uri": f"sip:{NUMBER}@{DOMAIN}", "caller": f"<sip:{CALLER_ID}@{DOMAIN}>"}
    exchange.now += 0.001  # another challenge for every call
    exchange.wording = Wording(**(said | wording))
    answers: list[Request | Response] = exchange.send(exchange.invite(branch=new_branch()))
    if any(isinstance(answer, Response) and answer.code == 407 for answer in answers):
        exchange.events()
        answers = exchange.send(exchange.invite_with_password(USER, PASSWORD))
    events = [event for event in exchange.events() if isinstance(event, CallRefused) and event.cause is not None]
    if events:
        return events[0].cause
    return answers[-1].code if answers and isinstance(answers[-1], Response) else None


def test_a_complete_trunk_takes_calls_from_bought_and_verified_numbers() -> None:
    office = Office()
    assert call(office) == call(office, caller=f"<sip:{VERIFIED}@{DOMAIN}>") == 100


def change(**form: str) -> Callable[[Office], object]:
    return lambda office: office.post(office.trunk, **form)


BROKEN: dict[str, tuple[Callable[[Office], object], Cause | None]] = {
    "other domain": (change(DomainName="other.pstn.twilio.com"), None),
    "trunk deleted": (lambda office: office.delete(office.trunk), None),
    "suspended": (lambda office: office.post(office.old, Status="suspended"), Cause.SUSPENDED),
    "no funds": (lambda office: setattr(office.account, "balance", "-0.40"), Cause.SUSPENDED),
    "secure": (change(Secure="true"), Cause.NO_TLS),
    "other address": (lambda office: office.post(office.address, IpAddress="203.0.113.7"), Cause.NOT_IN_ACL),
    "address deleted": (lambda office: office.delete(office.address), Cause.NOT_IN_ACL),
    "other password": (lambda office: office.post(office.user, Password="Somebody-Else-1"), Cause.BAD_CREDENTIALS),
    "user deleted": (lambda office: office.delete(office.user), Cause.BAD_CREDENTIALS),
    "trial": (lambda office: setattr(office.account, "kind", "Trial"), Cause.UNVERIFIED_CALLEE),
    "number released": (
        lambda office: office.delete(f"{office.old}/IncomingPhoneNumbers/{office.number.rpartition('/')[2]}"),
        Cause.CALLER_ID_NOT_ALLOWED,
    ),
    "blocked": (lambda office: office.account.blocked_numbers.add(NUMBER), Cause.BLOCKED),
    "country": (
        lambda office: office.post(
            "/v1/DialingPermissions/BulkCountryUpdates",
            UpdateRequest='[{"iso_code": "US", "low_risk_numbers_enabled": "false"}]',
        ),
        Cause.COUNTRY,
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_one_thing_broken_in_the_account_refuses_the_next_call(what: str) -> None:
    office = Office()
    exchange = Exchange(trunks=TwilioTrunks(office.account))
    assert call(office, exchange) == 100
    damage, cause = BROKEN[what]
    damage(office)
    assert call(office, exchange) is cause


def test_what_authenticates_is_what_is_linked() -> None:
    office = Office()
    office.delete(office.user_link)
    assert Exchange(trunks=TwilioTrunks(office.account), wording=wording()).codes(invite()) == [100]
    office.delete(office.address_link)
    assert call(office) is Cause.NOT_IN_ACL
    office.make(f"{office.trunk}/CredentialLists", CredentialListSid=office.users.rpartition("/")[2])
    exchange = Exchange(trunks=TwilioTrunks(office.account))
    exchange.source = ("198.51.100.7", 5060)
    assert call(office, exchange) == 100


def wording() -> Wording:
    return Wording(uri=f"sip:{NUMBER}@{DOMAIN}", caller=f"<sip:{CALLER_ID}@{DOMAIN}>")


def invite() -> bytes:
    return wording().request("INVITE", 1, new_branch())


def test_two_trunks_of_one_account_are_told_apart() -> None:
    office = Office()
    office.make("/v1/Trunks", FriendlyName="Second", DomainName="second.pstn.twilio.com")
    assert call(office) == 100
    assert call(office, uri=f"sip:{NUMBER}@second.pstn.twilio.com") is Cause.NOT_IN_ACL
    assert call(office, uri=f"sip:{NUMBER}@third.pstn.twilio.com") is None


def test_calls_per_second_are_counted_for_each_trunk() -> None:
    office = Office()
    office.account.calls_per_second = 1.0
    second = office.make("/v1/Trunks", FriendlyName="Second", DomainName="second.pstn.twilio.com")
    office.make(f"{second}/IpAccessControlLists", IpAccessControlListSid=office.addresses.rpartition("/")[2])
    exchange = Exchange(trunks=TwilioTrunks(office.account))
    assert call(office, exchange) == 100
    assert call(office, exchange, uri=f"sip:{NUMBER}@second.pstn.twilio.com") == 100
    assert call(office, exchange) is Cause.TOO_FAST


@pytest.mark.parametrize("edge", ["ashburn", "dublin", "sao-paulo"])
def test_the_trunk_is_found_by_way_of_every_edge(edge: str) -> None:
    assert call(Office(), uri=f"sip:{NUMBER}@acme.pstn.{edge}.twilio.com") == 100


def test_a_trial_account_has_four_calls_with_verified_numbers() -> None:
    office = Office(kind="Trial")
    exchange = Exchange(trunks=TwilioTrunks(office.account))
    there = f"sip:{VERIFIED}@{DOMAIN}"
    assert [call(office, exchange, uri=there) for _ in range(TRIAL_CALLS)] == [100] * TRIAL_CALLS
    assert call(office, exchange, uri=there) is Cause.TOO_MANY


def test_special_numbers_of_a_country_have_a_switch_of_their_own() -> None:
    office = Office()

    def permit(switch: str) -> None:
        update = f'[{{"iso_code": "LV", "{switch}": true}}]'
        office.post("/v1/DialingPermissions/BulkCountryUpdates", UpdateRequest=update)

    def verdicts() -> list[Cause | int | None]:
        return [call(office, uri=f"sip:{number}@{DOMAIN}") for number in (LATVIA, LATVIA_SPECIAL)]

    assert verdicts() == [Cause.COUNTRY, Cause.COUNTRY]
    permit("low_risk_numbers_enabled")
    assert verdicts() == [100, Cause.COUNTRY]
    permit("high_risk_special_numbers_enabled")
    assert verdicts() == [100, 100]


def test_a_call_keeps_the_rules_it_came_under() -> None:
    office = Office()
    office.delete(office.user_link)
    exchange = Exchange(trunks=TwilioTrunks(office.account), wording=wording())
    assert exchange.codes(invite()) == [100]
    (event,) = exchange.events()
    office.post(office.trunk, TransferMode="enable-all")
    assert isinstance(event, CallOffered)
    assert (event.call.accept.trunk.sid, event.call.accept.trunk.transfer) == (office.trunk[11:], "disable-all")
