"""What is wanted and what is there → the steps between them. Pure; the account is read and written elsewhere.

Everything is a `Resource` with a name and plain values. Lists, links, nodes and numbers on a trunk of ours are ours as
a whole: what the settings don't name is removed from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

MARK = " (trunkline)"
"""Ends the name of a trunk or list of ours at Twilio. What lacks it is never changed nor deleted."""

KNOWN_PASSWORD = "the one kept here"
UNKNOWN_PASSWORD = "not known to be the one kept here"
NO_RECORDING = "do-not-record"

Value = str | int | bool | None


class Kind(StrEnum):
    """Kinds of resources, in the order in which they are made; they are removed in the reverse order."""

    ADDRESS_LIST = "address list"
    ADDRESS = "address"
    CREDENTIAL_LIST = "credential list"
    CREDENTIAL = "credential"
    TRUNK = "trunk"
    RECORDING = "recording"
    ADDRESS_LINK = "address list on the trunk"
    CREDENTIAL_LINK = "credential list on the trunk"
    NODE = "origination"
    NUMBER = "number"


LISTED = (Kind.ADDRESS_LIST, Kind.CREDENTIAL_LIST, Kind.TRUNK)
"""Kinds that are found by their name in the account; all others belong to one of these."""


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Resource:
    kind: Kind
    name: str
    values: Mapping[str, Value] = field(default_factory=dict)
    sid: str = ""
    """Twilio's id; empty while it isn't there."""


@dataclass(frozen=True, slots=True)
class Change:
    key: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True)
class Step:
    """One write. `resource` holds the wanted values, of a deletion the found ones, and the id where there is one."""

    action: Action
    resource: Resource
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The trunk as the settings want it."""

    name: str
    """Its name, with the mark."""
    domain: str
    username: str
    addresses: tuple[str, ...]
    """Networks, as `203.0.113.7/32`."""
    secure: bool
    transfer: str
    recording: str
    nodes: Mapping[str, Mapping[str, Value]]
    """By name: `sip_url`, `priority`, `weight`, `enabled`."""
    numbers: tuple[str, ...]

    def resources(self) -> tuple[Resource, ...]:
        return (
            Resource(Kind.ADDRESS_LIST, self.name),
            *(Resource(Kind.ADDRESS, address) for address in self.addresses),
            Resource(Kind.CREDENTIAL_LIST, self.name),
            Resource(Kind.CREDENTIAL, self.username, {"password": KNOWN_PASSWORD}),
            Resource(Kind.TRUNK, self.name, {"domain": self.domain, "secure": self.secure, "transfer": self.transfer}),
            Resource(Kind.RECORDING, self.name, {"mode": self.recording}),
            Resource(Kind.ADDRESS_LINK, self.name),
            Resource(Kind.CREDENTIAL_LINK, self.name),
            *(Resource(Kind.NODE, name, values) for name, values in self.nodes.items()),
            *(Resource(Kind.NUMBER, number) for number in self.numbers),
        )


def steps(wanted: Iterable[Resource], found: Iterable[Resource]) -> tuple[Step, ...]:
    """Creations and updates in the order of kinds, then deletions in the reverse order. Empty: nothing to do.

    Of several of one kind and name, the first is kept. A recording mode goes with its trunk: it is never deleted.
    """
    there: dict[tuple[Kind, str], Resource] = {}
    surplus: list[Resource] = []
    for resource in found:
        if there.setdefault((resource.kind, resource.name), resource) is not resource:
            surplus.append(resource)
    made: list[Step] = []
    for resource in wanted:
        match = there.pop((resource.kind, resource.name), None)
        before = match.values if match else {}
        changes = tuple(
            Change(key, before.get(key), value) for key, value in resource.values.items() if before.get(key) != value
        )
        if match is None:
            made.append(Step(Action.CREATE, resource, changes))
        elif changes:
            made.append(
                Step(Action.UPDATE, Resource(resource.kind, resource.name, resource.values, match.sid), changes)
            )
    order = list(Kind)
    made.sort(key=lambda step: order.index(step.resource.kind))
    surplus += there.values()
    surplus.sort(key=lambda resource: order.index(resource.kind), reverse=True)
    removed = (Step(Action.DELETE, resource) for resource in surplus if resource.kind is not Kind.RECORDING)
    return (*made, *removed)
