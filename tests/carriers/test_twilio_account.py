"""Set up, repaired, interrupted and removed, against the stand-in of Twilio's REST API."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.carriers.twilio_stage import ADDRESS, NUMBERS, PASSWORD, SECRET, Stage, stage
from trunkline.carriers.twilio.plan import Action, Kind
from trunkline.errors import CarrierError
from trunkline.rehearsal.twilio_api import Fault, Seen

FIRST_RUN = 11
"""Writes: two lists with one entry each, the trunk, two links, two nodes, two numbers."""


@pytest.fixture
def twilio(tmp_path: Path) -> Iterator[Stage]:
    with stage(tmp_path) as stage_:
        yield stage_


def test_from_nothing(twilio: Stage) -> None:
    assert twilio.apply() == FIRST_RUN
    (trunk,) = twilio.twilio.all("/v1/Trunks")
    assert trunk["friendly_name"] == "Trunkline (trunkline)"
    assert (trunk["domain_name"], trunk["secure"]) == ("acme.pstn.twilio.com", False)
    (address,) = twilio.twilio.all("/IpAddresses")
    assert (address["ip_address"], address["cidr_prefix_length"]) == (ADDRESS, 32)
    (credential,) = twilio.twilio.all("/Credentials")
    assert credential["username"] == "trunkline"
    assert twilio.twilio.passwords == {credential["sid"]: PASSWORD}
    on_trunk = f"/v1/Trunks/{trunk['sid']}"
    assert len(twilio.twilio.records[f"{on_trunk}/IpAccessControlLists"]) == 1
    assert len(twilio.twilio.records[f"{on_trunk}/CredentialLists"]) == 1
    nodes = {node["friendly_name"]: node for node in twilio.twilio.records[f"{on_trunk}/OriginationUrls"]}
    assert nodes["second"]["sip_url"] == "sip:pbx2.example.com:5060"
    assert (nodes["second"]["priority"], nodes["second"]["weight"], nodes["second"]["enabled"]) == (20, 0, True)
    assert {number["phone_number"] for number in twilio.twilio.all("/PhoneNumbers")} == set(NUMBERS)


def test_the_second_run_writes_nothing(twilio: Stage) -> None:
    twilio.apply()
    assert twilio.todo(twilio.settings()) == ()
    assert twilio.apply() == 0


def test_long_lists_are_read_to_their_end(twilio: Stage) -> None:
    for number in range(120):
        twilio.twilio.add("/v1/Trunks", {"FriendlyName": f"other {number}"})
        twilio.twilio.add(f"{sip(twilio)}/CredentialLists", {"FriendlyName": f"other {number}"})
    twilio.apply()
    assert twilio.apply() == 0


def sip(twilio: Stage) -> str:
    return f"/2010-04-01/Accounts/{twilio.twilio.sid}/SIP"


def only(twilio: Stage, pattern: str) -> str:
    """Path of the first record in a collection whose path ends so."""
    return next(
        f"{path}/{records[0]['sid']}"
        for path, records in twilio.twilio.records.items()
        if re.search(f"{pattern}$", path) and records
    )


def update(twilio: Stage, pattern: str, **values: str) -> None:
    """A change by hand, in the console."""
    twilio.twilio.answer("POST", only(twilio, pattern), values, {})


def remove(twilio: Stage, pattern: str) -> None:
    twilio.twilio.answer("DELETE", only(twilio, pattern), {}, {})


def trunk_deleted(twilio: Stage) -> None:
    remove(twilio, "/v1/Trunks")
    twilio.twilio.taken_domains.clear()  # as after 30 days


def recording(twilio: Stage) -> None:
    (trunk,) = twilio.twilio.all("/v1/Trunks")
    twilio.twilio.answer("POST", f"/v1/Trunks/{trunk['sid']}/Recording", {"Mode": "record-from-answer"}, {})


def strange_list(twilio: Stage) -> None:
    (trunk,) = twilio.twilio.all("/v1/Trunks")
    made = twilio.twilio.add(f"{sip(twilio)}/IpAccessControlLists", {"FriendlyName": "Somebody's"})
    form = {"IpAccessControlListSid": made["sid"]}
    twilio.twilio.add(f"/v1/Trunks/{trunk['sid']}/IpAccessControlLists", form)


def strange_address(twilio: Stage) -> None:
    path = next(path for path in twilio.twilio.records if path.endswith("/IpAddresses"))
    twilio.twilio.add(path, {"FriendlyName": "x", "IpAddress": "198.51.100.9", "CidrPrefixLength": "30"})


DRIFT: dict[str, Callable[[Stage], None]] = {
    "secure": lambda it: update(it, "/v1/Trunks", Secure="true"),
    "transfer": lambda it: update(it, "/v1/Trunks", TransferMode="enable-all"),
    "domain": lambda it: update(it, "/v1/Trunks", DomainName="elsewhere.pstn.twilio.com"),
    "recording": recording,
    "trunk deleted": trunk_deleted,
    "password": lambda it: update(it, "/Credentials", Password="Somebody-Else-1"),
    "credential deleted": lambda it: remove(it, "/Credentials"),
    "address deleted": lambda it: remove(it, "/IpAddresses"),
    "address changed": lambda it: update(it, "/IpAddresses", IpAddress="198.51.100.1"),
    "strange address": strange_address,
    "strange list": strange_list,
    "address list unlinked": lambda it: remove(it, r"Trunks/\w+/IpAccessControlLists"),
    "credentials unlinked": lambda it: remove(it, r"Trunks/\w+/CredentialLists"),
    "node moved": lambda it: update(it, "/OriginationUrls", SipUrl="sip:198.51.100.1"),
    "node disabled": lambda it: update(it, "/OriginationUrls", Enabled="false"),
    "node weight": lambda it: update(it, "/OriginationUrls", Weight="77"),
    "node deleted": lambda it: remove(it, "/OriginationUrls"),
    "number detached": lambda it: remove(it, "/PhoneNumbers"),
}


@pytest.mark.parametrize("drift", DRIFT)
def test_drift_is_repaired(twilio: Stage, drift: str) -> None:
    twilio.apply()
    in_order = picture(twilio)
    DRIFT[drift](twilio)
    assert twilio.todo(twilio.settings())
    assert twilio.apply() > 0
    assert picture(twilio) == in_order
    assert twilio.apply() == 0


def picture(twilio: Stage) -> object:
    """What matters of what is there, ids and dates left out; somebody else's lists too."""
    account = twilio.twilio
    trunk = account.all("/v1/Trunks")[0]
    here = f"/v1/Trunks/{trunk['sid']}"
    return (
        [(t["friendly_name"], t["domain_name"], t["secure"], t["transfer_mode"], t["recording"]) for t in
         account.all("/v1/Trunks")],
        sorted((a["ip_address"], a["cidr_prefix_length"]) for a in account.all("/IpAddresses")),
        [(c["username"], account.passwords[c["sid"]]) for c in account.all("/Credentials")],
        [link["friendly_name"] for link in account.records[f"{here}/IpAccessControlLists"]],
        [link["friendly_name"] for link in account.records[f"{here}/CredentialLists"]],
        sorted((n["friendly_name"], n["sip_url"], n["priority"], n["weight"], n["enabled"]) for n in
               account.records[f"{here}/OriginationUrls"]),
        sorted(n["phone_number"] for n in account.records[f"{here}/PhoneNumbers"]),
    )  # fmt: skip


@pytest.mark.parametrize("done", [False, True], ids=["before Twilio did it", "after Twilio did it"])
@pytest.mark.parametrize("write", range(FIRST_RUN))
def test_cut_off_at_any_write(twilio: Stage, write: int, done: bool) -> None:
    """The connection breaks at one write; running it again completes without duplicates."""

    def cut(_request: Seen) -> Fault | None:
        return Fault(done=done) if len(twilio.api.writes) == write + 1 and _request.method != "GET" else None

    twilio.api.fault = cut
    with pytest.raises(CarrierError, match="can't be reached") as broken:
        twilio.apply()
    assert "again" in (broken.value.remedy or "")
    twilio.api.fault = lambda _request: None
    twilio.apply()
    complete = picture(twilio)
    assert twilio.apply() == 0
    assert len(twilio.twilio.all("/SIP/CredentialLists")) == len(twilio.twilio.all("/SIP/IpAccessControlLists")) == 1
    twilio.destroy()
    twilio.twilio.taken_domains.clear()
    twilio.apply()
    assert picture(twilio) == complete


def test_cut_off_at_any_read(tmp_path: Path) -> None:
    """The connection is gone from one read on; running it again completes without duplicates."""
    with stage(tmp_path / "whole") as whole:
        whole.apply()
        complete, requests = picture(whole), [request.method for request in whole.api.seen]
    reads = [index for index, method in enumerate(requests) if method == "GET"]
    assert len(reads) >= 5  # numbers, trunks and lists
    for read in reads:
        with stage(tmp_path / str(read)) as twilio:
            twilio.api.fault = lambda _request, twilio=twilio, read=read: (  # type: ignore[misc]
                Fault() if len(twilio.api.seen) > read else None
            )
            with pytest.raises(CarrierError, match="can't be reached"):
                twilio.apply()
            twilio.api.fault = lambda _request: None
            twilio.apply()
            assert picture(twilio) == complete, read
            assert twilio.apply() == 0


def test_settings_change(twilio: Stage) -> None:
    twilio.apply()
    changed = twilio.settings(
        secure=True,
        transfer="sip-only",
        recording="record-from-answer-dual",
        numbers=NUMBERS[:1],
        origination={},
        addresses=("198.51.100.0/30",),
        password="Another-Good-1-Password",
    )
    actions = [(step.action, step.resource.kind) for step in twilio.todo(changed)]
    assert actions == [
        (Action.CREATE, Kind.ADDRESS),
        (Action.UPDATE, Kind.CREDENTIAL),
        (Action.UPDATE, Kind.TRUNK),
        (Action.UPDATE, Kind.RECORDING),
        (Action.DELETE, Kind.NUMBER),
        (Action.DELETE, Kind.NODE),
        (Action.DELETE, Kind.NODE),
        (Action.DELETE, Kind.ADDRESS),
    ]
    assert twilio.apply(changed) == len(actions)
    assert twilio.apply(changed) == 0
    assert list(twilio.twilio.passwords.values()) == ["Another-Good-1-Password"]


def test_destroy_takes_only_ours(twilio: Stage) -> None:
    theirs = twilio.twilio.add("/v1/Trunks", {"FriendlyName": "Trunkline", "DomainName": "theirs.pstn.twilio.com"})
    twilio.twilio.add(f"{sip(twilio)}/IpAccessControlLists", {"FriendlyName": "Asterisk-Server"})
    twilio.twilio.add(f"{sip(twilio)}/CredentialLists", {"FriendlyName": "Asterisk-Credentials"})
    before = {path: list(records) for path, records in twilio.twilio.records.items() if records}
    twilio.apply()
    twilio.destroy()
    assert {path: records for path, records in twilio.twilio.records.items() if records} == before
    assert [trunk["sid"] for trunk in twilio.twilio.all("/v1/Trunks")] == [theirs["sid"]]
    writes = len(twilio.api.writes)
    twilio.destroy()
    assert len(twilio.api.writes) == writes


def test_a_domain_of_another_trunk_of_the_account(twilio: Stage) -> None:
    twilio.twilio.add("/v1/Trunks", {"FriendlyName": "By hand", "DomainName": "acme.pstn.twilio.com"})
    with pytest.raises(CarrierError, match="By hand") as refused:
        twilio.apply()
    assert "rename it to 'Trunkline (trunkline)'" in (refused.value.remedy or "")
    assert twilio.api.writes == []


def test_a_renamed_trunk_is_taken_over(twilio: Stage) -> None:
    form = {"FriendlyName": "Trunkline (trunkline)", "DomainName": "acme.pstn.twilio.com", "Secure": "true"}
    made = twilio.twilio.add("/v1/Trunks", form)
    twilio.apply()
    (trunk,) = twilio.twilio.all("/v1/Trunks")
    assert (trunk["sid"], trunk["secure"]) == (made["sid"], False)


def test_a_number_of_another_trunk_is_not_taken(twilio: Stage) -> None:
    other = twilio.twilio.add("/v1/Trunks", {"FriendlyName": "Call centre"})
    number = twilio.twilio.all("/IncomingPhoneNumbers")[0]
    twilio.twilio.add(f"/v1/Trunks/{other['sid']}/PhoneNumbers", {"PhoneNumberSid": number["sid"]})
    with pytest.raises(CarrierError, match="attached to the trunk 'Call centre'"):
        twilio.apply()
    assert twilio.api.writes == []


def test_a_number_that_was_never_bought(twilio: Stage) -> None:
    with pytest.raises(CarrierError, match=r"\+14155559999 is not a number of this account"):
        twilio.apply(twilio.settings(numbers=("+14155559999",)))
    assert twilio.api.writes == []


def test_two_of_one_name(twilio: Stage) -> None:
    for _ in range(2):
        twilio.twilio.add("/v1/Trunks", {"FriendlyName": "Trunkline (trunkline)"})
    with pytest.raises(CarrierError, match="There are 2"):
        twilio.todo(twilio.settings())


def test_a_domain_of_somebody_else(twilio: Stage) -> None:
    twilio.twilio.taken_domains.add("acme.pstn.twilio.com")
    with pytest.raises(CarrierError, match="taken") as refused:
        twilio.apply()
    assert "trunk.host" in (refused.value.remedy or "")


def test_too_many_requests_are_waited_for(twilio: Stage) -> None:
    """429 says that nothing was done: writes too are sent again, as late as Twilio says."""
    refused: set[Seen] = set()

    def busy(request: Seen) -> Fault | None:
        if request in refused or request.method == "GET":
            return None
        refused.add(request)
        return Fault(429, {"code": 20429, "message": "Too Many Requests", "status": 429}, {"Retry-After": "7"})

    twilio.api.fault = busy
    twilio.apply()
    assert twilio.pauses
    assert set(twilio.pauses) == {7.0}
    twilio.api.fault = lambda _request: None
    assert twilio.apply() == 0


def test_too_many_requests_for_good(twilio: Stage) -> None:
    twilio.api.fault = lambda _request: Fault(429)
    with pytest.raises(CarrierError, match="fewer requests"):
        twilio.apply()
    assert twilio.pauses == [1.0, 2.0, 4.0, 8.0]


def test_reading_is_tried_again_after_a_failure_and_writing_is_not(twilio: Stage) -> None:
    twilio.api.fault = lambda _request: Fault(503) if len(twilio.api.seen) == 1 else None
    assert twilio.apply() == FIRST_RUN
    twilio.destroy()
    twilio.twilio.taken_domains.clear()
    before = len(twilio.api.writes)
    twilio.api.fault = lambda request: Fault(500) if request.method == "POST" else None
    with pytest.raises(CarrierError, match="Twilio failed"):
        twilio.apply()
    assert len(twilio.api.writes) == before + 1


@pytest.mark.parametrize(
    ("fault", "sentence", "remedy"),
    [
        (Fault(401, {"code": 20003, "message": "Authenticate"}), "does not accept these credentials", "account_sid"),
        (Fault(403, {"code": 20403, "message": "Forbidden"}), "may not do this", "restricted key"),
        (Fault(404, {"code": 20404, "message": "not found"}), "does not know", "again"),
        (Fault(409, {"code": 20409, "message": "in use"}), "in the way", "again"),
        (Fault(400, {"code": 21245, "message": "bad suffix"}), "termination domain", "trunk.host"),
        (Fault(400, {"code": 12345, "message": "what is it"}), "what is it", "errors/12345"),
        (Fault(400, {}), "refused a request", "Correct"),
    ],
)  # fmt: skip
def test_refusals_are_sentences(twilio: Stage, fault: Fault, sentence: str, remedy: str) -> None:
    twilio.api.fault = lambda _request: fault
    with pytest.raises(CarrierError, match=sentence) as refused:
        twilio.apply()
    assert remedy in (refused.value.remedy or "")


def test_wrong_key(twilio: Stage) -> None:
    with pytest.raises(CarrierError, match="does not accept these credentials"):
        twilio.apply(twilio.settings(api_key_secret="another"))


def test_nobody_there(twilio: Stage) -> None:
    settings = twilio.settings()
    account = twilio.account(settings)
    twilio.url = "http://127.0.0.1:1"
    with pytest.raises(CarrierError, match="can't be reached"):
        twilio.account(twilio.settings()).found()
    assert account.found()


def test_no_secret_is_logged_or_told(twilio: Stage, caplog: pytest.LogCaptureFixture) -> None:
    refusal = Fault(400, {"message": f"Password {PASSWORD} is too weak"})
    twilio.api.fault = lambda request: refusal if request.path.endswith("/Credentials.json") else None
    with caplog.at_level(logging.DEBUG), pytest.raises(CarrierError) as refused:
        twilio.apply()
    assert "is too weak" in str(refused.value)
    twilio.api.fault = lambda _request: None
    with caplog.at_level(logging.DEBUG):
        twilio.apply()
    told = caplog.text + str(refused.value) + repr(refused.value.details) + (twilio.folder / "trunk.json").read_text()
    assert not [secret for secret in (PASSWORD, SECRET) if secret in told]
    assert (twilio.folder / "trunk.json").stat().st_mode & 0o777 == 0o600
