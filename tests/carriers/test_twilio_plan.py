from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.carriers.twilio.plan import Action, Change, Kind, Resource, Step, steps
from trunkline.carriers.twilio.wanted import check_password, domain, wanted
from trunkline.errors import SettingsError
from trunkline.settings import Settings

resources = st.builds(
    Resource,
    st.sampled_from(list(Kind)),
    st.sampled_from(["a", "b"]),
    st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 1), max_size=0),
    st.uuids().map(str),
)


def test_nothing_there() -> None:
    plan = steps([Resource(Kind.NODE, "n", {"weight": 1}), Resource(Kind.TRUNK, "t")], [])
    assert plan == (
        Step(Action.CREATE, Resource(Kind.TRUNK, "t")),
        Step(Action.CREATE, Resource(Kind.NODE, "n", {"weight": 1}), (Change("weight", None, 1),)),
    )


def test_only_what_differs_is_changed() -> None:
    found = [Resource(Kind.TRUNK, "t", {"secure": True, "domain": "d"}, "TK1")]
    plan = steps([Resource(Kind.TRUNK, "t", {"secure": False, "domain": "d"})], found)
    assert plan == (
        Step(
            Action.UPDATE,
            Resource(Kind.TRUNK, "t", {"secure": False, "domain": "d"}, "TK1"),
            (Change("secure", True, False),),
        ),
    )


def test_a_new_address_is_allowed_before_the_old_one_is_removed() -> None:
    plan = steps([Resource(Kind.ADDRESS, "new")], [Resource(Kind.ADDRESS, "old", sid="IP1")])
    assert [(step.action, step.resource.name) for step in plan] == [(Action.CREATE, "new"), (Action.DELETE, "old")]


def test_of_two_of_one_name_the_second_goes() -> None:
    found = [Resource(Kind.NODE, "n", sid="OU1"), Resource(Kind.NODE, "n", sid="OU2")]
    assert steps([Resource(Kind.NODE, "n")], found) == (Step(Action.DELETE, found[1]),)


@given(st.lists(resources), st.lists(resources))
def test_order_and_convergence(targets: list[Resource], found: list[Resource]) -> None:
    """Carried out, the steps leave nothing to do; owners are made first and removed last."""
    targets = list({(resource.kind, resource.name): resource for resource in targets}.values())
    plan = steps(targets, found)
    there = [resource for resource in found if Step(Action.DELETE, resource) not in plan]
    there += [step.resource for step in plan if step.action is Action.CREATE]
    assert steps(targets, there) == ()
    order = list(Kind)
    made = [order.index(step.resource.kind) for step in plan if step.action is not Action.DELETE]
    gone = [order.index(step.resource.kind) for step in plan if step.action is Action.DELETE]
    assert made == sorted(made)
    assert gone == sorted(gone, reverse=True)
    actions = [key for key, _ in itertools.groupby(step.action is Action.DELETE for step in plan)]
    assert actions in ([], [False], [True], [False, True])


@pytest.mark.parametrize("host", ["acme.pstn.twilio.com", "ACME.pstn.twilio.com", "acme.pstn.dublin.twilio.com"])
def test_domain(host: str) -> None:
    assert domain(Settings.model_validate({"trunk": {"host": host}})) == "acme.pstn.twilio.com"


@pytest.mark.parametrize("host", [None, "sip.example.com", "acme.sip.twilio.com"])
def test_no_domain(host: str | None) -> None:
    with pytest.raises(SettingsError, match=r"NAME\.pstn\.twilio\.com"):
        domain(Settings.model_validate({"trunk": {"host": host}}))


@pytest.mark.parametrize("weak", ["Short-1", "no-upper-case-1", "NO-LOWER-CASE-1", "No-Digit-At-All"])
def test_weak_passwords(weak: str) -> None:
    with pytest.raises(SettingsError, match="too weak") as refused:
        check_password(weak)
    assert weak not in str(refused.value)


def test_a_password_of_twelve() -> None:
    check_password("abcdefghiJK1")


def test_addresses_are_networks_and_named_once() -> None:
    settings = Settings.model_validate({"trunk": {"host": "acme.pstn.twilio.com"}})
    assert wanted(settings, ("203.0.113.7", "203.0.113.7/32")).addresses == ("203.0.113.7/32",)


def test_a_secure_trunk_is_secure_on_both_sides() -> None:
    def secure(sip_url: str) -> Settings:
        node = {"pbx": {"sip_url": sip_url}}
        trunk = {"host": "acme.pstn.twilio.com", "secure": True}
        return Settings.model_validate({"trunk": trunk, "twilio": {"origination": node}})

    for url in (
        "sip:pbx.example.com:5061;transport=tls",
        "sip:pbx.example.com;TRANSPORT=TLS;x=1",
        "sips:pbx.example.com",
    ):
        assert wanted(secure(url), ()).secure
    for url in ("sip:pbx.example.com:5060", "sip:pbx.example.com;transport=tcp", "sip:pbx.example.com;transport=tlsx"):
        with pytest.raises(SettingsError, match=r"twilio\.origination\.pbx"):
            wanted(secure(url), ())
