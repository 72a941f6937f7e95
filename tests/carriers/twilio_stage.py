"""A stand-in Twilio account and settings that fit it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from trunkline.carriers.twilio.account import Account, connect
from trunkline.carriers.twilio.plan import Step, Wanted, steps
from trunkline.carriers.twilio.rest import PatientClient
from trunkline.carriers.twilio.secrets_file import PasswordRecord
from trunkline.carriers.twilio.wanted import marked_name, wanted
from trunkline.rehearsal.twilio_account import TwilioAccount
from trunkline.rehearsal.twilio_api import TwilioApi
from trunkline.settings import Settings

KEY, SECRET = "SK" + "a" * 32, "key-secret-9f31"
PASSWORD = "Correct-Horse-7-Battery"
NUMBERS = ("+14155550111", "+14155550112")
ADDRESS = "203.0.113.7"


@dataclass
class Stage:
    api: TwilioApi
    url: str
    folder: Path
    pauses: list[float] = field(default_factory=list)

    @property
    def twilio(self) -> TwilioAccount:
        return self.api.account

    def settings(self, **changed: object) -> Settings:
        """`twilio` settings by name; `host`, `password` and `secure` are the trunk's."""
        trunk = {
            "host": changed.pop("host", "acme.pstn.twilio.com"),
            "username": "trunkline",
            "password": changed.pop("password", PASSWORD),
            "secure": changed.pop("secure", False),
        }
        twilio: dict[str, object] = {
            "account_sid": self.twilio.sid,
            "api_key_sid": KEY,
            "api_key_secret": SECRET,
            "api_url": self.url,
            "addresses": (ADDRESS,),
            "numbers": NUMBERS,
            "origination": {
                "first": {"sip_url": "sip:pbx1.example.com:5060"},
                "second": {"sip_url": "sip:pbx2.example.com:5060", "priority": 20, "weight": 0},
            },
        }
        service = {"data_dir": str(self.folder)}
        return Settings.model_validate({"service": service, "trunk": trunk, "twilio": {**twilio, **changed}})

    def account(self, settings: Settings) -> Account:
        client = connect(settings.twilio, PatientClient(self.url, self.pauses.append))
        password = settings.trunk.password or SecretStr("")
        record = PasswordRecord(self.folder / "trunk.json")
        return Account(client, marked_name(settings), record, password.get_secret_value())

    def todo(self, settings: Settings) -> tuple[Step, ...]:
        return steps(self.target(settings).resources(), self.account(settings).found())

    def target(self, settings: Settings) -> Wanted:
        return wanted(settings, ())

    def apply(self, settings: Settings | None = None) -> int:
        """How many writes it took."""
        settings = settings or self.settings()
        before = len(self.api.writes)
        account = self.account(settings)
        account.check(self.target(settings))
        for step in steps(self.target(settings).resources(), account.found()):
            account.write(step)
        return len(self.api.writes) - before

    def destroy(self, settings: Settings | None = None) -> None:
        account = self.account(settings or self.settings())
        for step in steps((), account.found()):
            account.write(step)


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    account = TwilioAccount(users={KEY: SECRET})
    for number in NUMBERS:
        account.buy(number)
    api = TwilioApi(account)
    with api.serving() as url:
        yield Stage(api, url, folder)
