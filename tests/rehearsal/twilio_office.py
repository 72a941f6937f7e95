"""A Twilio account with one complete trunk, changed as its REST API would change it."""

from __future__ import annotations

from typing import Any

from tests.rehearsal.sip_caller import CALLER_ID, NUMBER
from trunkline.rehearsal.twilio_account import TwilioAccount
from trunkline.rehearsal.twilio_shapes import ACCOUNTS

DOMAIN = "acme.pstn.twilio.com"
USER, PASSWORD = "trunkline", "Long-Enough-12"
VERIFIED = "+14155550144"


class Office:
    """`CALLER_ID` is bought and attached to the trunk, `VERIFIED` a verified caller ID; calls come from loopback."""

    def __init__(self, **account: Any) -> None:
        self.account = TwilioAccount(calls_per_second=None, **account)
        self.old = f"{ACCOUNTS}/{self.account.sid}"
        self.sip = f"{self.old}/SIP"
        self.trunk = self.make("/v1/Trunks", FriendlyName="Acme", DomainName=DOMAIN)
        self.addresses = self.make(f"{self.sip}/IpAccessControlLists", FriendlyName="a")
        self.address = self.make(f"{self.addresses}/IpAddresses", FriendlyName="x", IpAddress="127.0.0.1")
        self.users = self.make(f"{self.sip}/CredentialLists", FriendlyName="c")
        self.user = self.make(f"{self.users}/Credentials", Username=USER, Password=PASSWORD)
        sid = self.addresses.rpartition("/")[2]
        self.address_link = self.make(f"{self.trunk}/IpAccessControlLists", IpAccessControlListSid=sid)
        self.user_link = self.make(f"{self.trunk}/CredentialLists", CredentialListSid=self.users.rpartition("/")[2])
        number = self.account.buy(CALLER_ID)
        self.number = self.make(f"{self.trunk}/PhoneNumbers", PhoneNumberSid=number["sid"])
        self.account.verify(VERIFIED)

    def make(self, path: str, **form: str) -> str:
        """A new record; its path."""
        return f"{path}/{self.post(path, **form)['sid']}"

    def post(self, path: str, **form: str) -> dict[str, Any]:
        _, body = self.account.answer("POST", path, form, {})
        assert body is not None
        return body

    def delete(self, path: str) -> None:
        self.account.answer("DELETE", path, {}, {})

    def get(self, path: str, **query: str) -> dict[str, Any]:
        _, body = self.account.answer("GET", path, {}, query)
        assert body is not None
        return body

    def origination(self, *urls: str) -> None:
        """The trunk's calls go to these, the first one first."""
        for priority, url in enumerate(urls):
            form = {"FriendlyName": f"n{priority}", "SipUrl": url, "Weight": "10", "Enabled": "true"}
            self.make(f"{self.trunk}/OriginationUrls", **form, Priority=str(priority))


__all__ = ["CALLER_ID", "DOMAIN", "NUMBER", "PASSWORD", "USER", "VERIFIED", "Office"]
