"""The place of a private Asterisk: its folder, its addresses and ports, and what others need to know to reach it.

Every instance has a loopback address of its own (127.0.0.11, 127.0.0.12 …), so that several keep the standard ports.
Who owns a folder or an address is told by the kernel (a file lock, an abstract socket), which forgets with the process:
a killed predecessor leaves nothing that has to be cleaned up first.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import shutil
import socket
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from trunkline.errors import PbxUnavailable
from trunkline.settings import AsteriskSettings, Settings, TrunkSettings
from trunkline.telephony.asterisk_config import AsteriskInstance, host_and_port, render
from trunkline.telephony.asterisk_config.transports import TlsFiles
from trunkline.telephony.asterisk_modules import MODULES
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.encryption import check_encrypts, tls_files

SIP_PORT: Final = 5060
TLS_PORT: Final = 5061
HTTP_PORT: Final = 8088
MANAGER_PORT: Final = 5038
_LOOPBACKS: Final = range(11, 255)
_SOCKET_PATH_LIMIT: Final = 100
"""sun_path holds 108 bytes; `/asterisk.ctl` has to fit in as well."""


@dataclass(frozen=True, slots=True)
class AriAddress:
    """How to reach an Asterisk's REST interface."""

    url: str
    """`http://host:port/ari`."""
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class PbxState:
    """What a running private Asterisk leaves in its folder for `status`, `stop` and `console`."""

    version: str
    warden: int
    """Process id of its warden."""
    command: tuple[str, ...]
    """Asterisk with its configuration; `-r` makes a console of it."""
    sip: str
    ari: AriAddress


class PbxHome:
    """Owns a folder and a loopback address as long as it, or a process that inherited `descriptors`, lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise PbxUnavailable(
                f"The folder {self.folder} can't be written: {error.strerror}.", remedy="Set service.data_dir."
            ) from error
        self._claims: list[socket.socket] = []

    def try_lock(self) -> bool:
        """Whether the folder is ours now; false while another instance lives in it."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @property
    def descriptors(self) -> tuple[int, ...]:
        return (self._lock, *(claim.fileno() for claim in self._claims))

    def close(self) -> None:
        for claim in self._claims:
            claim.close()
        os.close(self._lock)

    def furnish(self, program: AsteriskProgram, settings: Settings, audiosocket: str) -> AsteriskInstance:
        """Picks addresses and ports, writes the configuration. Raises `PbxUnavailable`, `SettingsError`."""
        instance = self.plan(program, settings, audiosocket)
        files = render(instance)
        # ARI records into spool/recording and answers 500 without it.
        for name in ("etc", "lib", "spool/recording", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        instance.run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        if instance.run_dir.is_symlink() or instance.run_dir.stat().st_uid != os.geteuid():
            raise PbxUnavailable(f"{instance.run_dir} belongs to somebody else.", remedy="Remove it.")
        for stale in (self.folder / "etc").iterdir():
            stale.unlink()
        for name, text in files.items():
            write_private(self.folder / "etc" / name, text)
        return instance

    def plan(self, program: AsteriskProgram, settings: Settings, audiosocket: str) -> AsteriskInstance:
        """Picks addresses and ports; the loopback address is claimed until `close`.

        Raises `PbxUnavailable`, `SettingsError`.
        """
        secure = settings.trunk.secure
        if secure:
            check_encrypts(program)
        loopback = self._claim_loopback()
        address = _sip_address(settings.asterisk, settings.trunk, loopback)
        return AsteriskInstance(
            folder=self.folder,
            run_dir=_run_dir(self.folder),
            modules_dir=program.modules_dir,
            data_dir=program.data_dir,
            sip_address=address,
            sip_port=_sip_port(address, settings.asterisk.sip_port, TLS_PORT if secure else SIP_PORT),
            http_address=loopback,
            http_port=HTTP_PORT,
            manager_port=_port(loopback, MANAGER_PORT),
            audiosocket=audiosocket,
            ari_password=secrets.token_urlsafe(24),
            trunk=settings.trunk,
            rtp_ports=(settings.asterisk.rtp_port_first, settings.asterisk.rtp_port_last),
            external_address=settings.asterisk.external_address,
            local_nets=settings.asterisk.local_nets,
            tls=tls_files(settings.asterisk) if secure else TlsFiles(),
            sip_hosts=tuple(host for transfer in settings.transfers.values() if (host := transfer.sip_host)),
            modules=tuple(module for module in MODULES if module in program.modules()),
        )

    def _claim_loopback(self) -> str:
        for last in _LOOPBACKS:
            address = f"127.0.0.{last}"
            claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                claim.bind(f"\0trunkline-pbx-{address}")
            except OSError:
                claim.close()
                continue
            if _free(address, SIP_PORT) and _free(address, HTTP_PORT):
                self._claims.append(claim)
                return address
            claim.close()
        raise PbxUnavailable("Every loopback address is taken by another Asterisk.", remedy="Stop one of them.")

    # ── what others read ───────────────────────────────────────────────────────────────────────────────────────

    def write_state(self, state: PbxState) -> None:
        write_private(self.folder / "state.json", json.dumps(asdict(state)))

    def forget_state(self) -> None:
        """What must not be taken for a running instance later."""
        (self.folder / "state.json").unlink(missing_ok=True)
        shutil.rmtree(_run_dir(self.folder), ignore_errors=True)


def read_state(folder: Path) -> PbxState | None:
    """What lives in the folder, if its lock is still held."""
    try:
        raw = json.loads((folder / "state.json").read_text())
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        ari = AriAddress(**raw.pop("ari"))
        return PbxState(command=tuple(raw.pop("command")), ari=ari, **raw)
    finally:
        os.close(lock)
    return None


def write_private(path: Path, text: str) -> None:
    """Replaces the file; nobody else may read it: there are passwords in it."""
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    new.rename(path)


def _run_dir(folder: Path) -> Path:
    run = folder / "run"
    if len(os.fsencode(run)) <= _SOCKET_PATH_LIMIT - len("/asterisk.ctl"):
        return run
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(f"/tmp/trunkline-{os.geteuid()}-{mark}")


def _sip_address(asterisk: AsteriskSettings, trunk: TrunkSettings, loopback: str) -> str:
    if asterisk.address is not None:
        return asterisk.address
    next_hop = trunk.proxy or trunk.host
    if next_hop is None:
        return loopback
    host = host_and_port(next_hop, trunk.sip_port)[0].strip("[]")
    try:
        on_this_machine = ip_address(host).is_loopback
    except ValueError:
        on_this_machine = host == "localhost"
    return loopback if on_this_machine else "0.0.0.0"


def _sip_port(address: str, wanted: int, usual: int) -> int:
    if wanted:
        if not _free(address, wanted):
            raise PbxUnavailable(
                f"Port {wanted} of {address} is taken.", remedy="Set asterisk.sip_port to another one, or to 0."
            )
        return wanted
    return _port(address, usual)


def _port(address: str, usual: int) -> int:
    """The usual one, or any that is free."""
    if _free(address, usual):
        return usual
    with socket.socket(_family(address), socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _free(address: str, port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(_family(address), kind) as probe:
            # Connections of a predecessor in TIME_WAIT don't matter; a listener does.
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
