"""The folder of a private n8n: its data, its key, who lives in it, and the environment that keeps it quiet."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from trunkline.errors import N8nUnavailable
from trunkline.n8n.fetch import N8nProgram

HOST: Final = "127.0.0.1"
USUAL_PORT: Final = 5678
"""n8n's own default."""
_OFF: Final = (
    "N8N_DIAGNOSTICS_ENABLED",
    "N8N_VERSION_NOTIFICATIONS_ENABLED",
    "N8N_PERSONALIZATION_ENABLED",
    "N8N_TEMPLATES_ENABLED",
    "N8N_COMMUNITY_PACKAGES_ENABLED",
    "N8N_LICENSE_AUTO_RENEW_ENABLED",
    "N8N_SECURE_COOKIE",
)


@dataclass(frozen=True, slots=True)
class N8nState:
    """What a running n8n leaves in its folder for `stop`, `import` and whoever looks for it."""

    version: str
    warden: int
    """Process id of its warden."""
    url: str


class N8nHome:
    """Owns a folder as long as it, or a process that inherited `descriptor`, lives. Raises `N8nUnavailable`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise N8nUnavailable(
                f"The folder {self.folder} can't be written: {error.strerror}.", remedy="Set service.data_dir."
            ) from error

    def try_lock(self) -> bool:
        """Whether the folder is ours now; false while an n8n lives in it."""
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        os.close(self.descriptor)

    @property
    def log(self) -> Path:
        return self.folder / "n8n.log"

    def environment(self, program: N8nProgram, port: int) -> dict[str, str]:
        """n8n's: a folder of its own, loopback only, and no word to anybody. Nothing of ours is handed down that could
        make it another n8n.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("N8N_", "DB_", "TRUNKLINE_"))}
        own = {
            "PATH": f"{program.node / 'bin'}:{os.environ.get('PATH', os.defpath)}",
            "NODE_ENV": "production",
            "DB_TYPE": "sqlite",
            "N8N_USER_FOLDER": str(self.folder),
            "N8N_ENCRYPTION_KEY": self._key(),
            "N8N_LISTEN_ADDRESS": HOST,
            "N8N_PORT": str(port),
            "N8N_WEBHOOK_URL": address(port),
            "N8N_RUNNERS_BROKER_PORT": str(free_port()),
            "N8N_DISABLED_MODULES": "mcp-registry,insights,chat-hub,instance-ai",
            "N8N_GRACEFUL_SHUTDOWN_TIMEOUT": "3",
            # Callers' recordings are kept with the executions: no longer than it takes to look at what went wrong.
            "EXECUTIONS_DATA_MAX_AGE": "24",
        }
        return kept | own | dict.fromkeys(_OFF, "false")

    def _key(self) -> str:
        """What the credentials in its database are encrypted with."""
        file = self.folder / "key"
        if not file.exists():
            write_private(file, secrets.token_hex(24))
        return file.read_text(encoding="utf-8")

    # ── what others read ───────────────────────────────────────────────────────────────────────────────────────

    def write_state(self, state: N8nState) -> None:
        write_private(self.folder / "state.json", json.dumps(asdict(state)))

    def remember_webhooks(self, paths: list[str]) -> None:
        """Webhooks that are published: an n8n that has just started answers before it knows them."""
        write_private(self.folder / "webhooks.json", json.dumps(sorted({*self.webhooks(), *paths})))

    def webhooks(self) -> list[str]:
        try:
            found: list[str] = json.loads((self.folder / "webhooks.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return found


def read_state(folder: Path) -> N8nState | None:
    """The n8n that lives in the folder, if its lock is still held."""
    try:
        state = N8nState(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except (OSError, ValueError, TypeError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return state
    finally:
        os.close(lock)
    return None


def address(port: int) -> str:
    return f"http://{HOST}:{port}"


def free_port(wanted: int = 0) -> int:
    """`wanted` if nobody listens there, else a free one."""
    for port in (wanted, 0):
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise N8nUnavailable("This machine has no free port.", remedy="End what listens on so many.")


def write_private(path: Path, text: str) -> None:
    """Replaces the file; nobody else may read it."""
    new = path.with_name(f".{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    new.rename(path)
