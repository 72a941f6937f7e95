"""Reading people's workflow files, and finding out who lives in an n8n's folder."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from trunkline.errors import SettingsError
from trunkline.n8n.fetch import N8nProgram
from trunkline.n8n.home import N8nHome, N8nState, free_port, read_state
from trunkline.n8n.workflows import read_workflow

PROGRAM = N8nProgram("2.41.1", Path("/nowhere/node"), Path("/nowhere/n8n"))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"nodes": []}', '"nodes, connections"'])
def test_what_is_no_workflow_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"mine\.json"):
        read_workflow(file)


def test_a_workflow_without_an_id_keeps_the_one_it_gets(tmp_path: Path) -> None:
    """So that importing the file again replaces it."""
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"nodes": [], "connections": {}}), encoding="utf-8")
    assert read_workflow(file).id == read_workflow(file).id != ""


def test_a_disabled_webhook_is_none(tmp_path: Path) -> None:
    node = {"type": "n8n-nodes-base.webhook", "parameters": {"path": "a"}}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"nodes": [node, {**node, "disabled": True}], "connections": {}}), encoding="utf-8")
    assert read_workflow(file).webhooks == ["a"]


def test_a_folder_has_one_n8n(tmp_path: Path) -> None:
    home = N8nHome(tmp_path)
    state = N8nState("2.41.1", os.getpid(), "http://127.0.0.1:5678")
    assert home.try_lock()
    home.write_state(state)
    assert read_state(tmp_path) == state
    second = N8nHome(tmp_path)
    assert not second.try_lock()
    second.close()
    home.close()
    assert read_state(tmp_path) is None


def test_webhooks_are_remembered(tmp_path: Path) -> None:
    home = N8nHome(tmp_path)
    assert home.webhooks() == []
    home.remember_webhooks(["b"])
    home.remember_webhooks(["a", "b"])
    assert home.webhooks() == ["a", "b"]
    home.close()


def test_its_environment_is_quiet_and_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("N8N_HOST", "DB_POSTGRESDB_PASSWORD", "TRUNKLINE_TRUNK__PASSWORD"):
        monkeypatch.setenv(name, "of somebody else")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    home = N8nHome(tmp_path)
    first, second = home.environment(PROGRAM, 5678), home.environment(PROGRAM, 5678)
    home.close()
    assert "of somebody else" not in first.values()
    assert first["HTTPS_PROXY"] == "http://127.0.0.1:9"  # how this machine reaches the world
    assert (first["N8N_LISTEN_ADDRESS"], first["N8N_PORT"]) == ("127.0.0.1", "5678")
    assert first["N8N_DIAGNOSTICS_ENABLED"] == "false"
    assert first["N8N_ENCRYPTION_KEY"] == second["N8N_ENCRYPTION_KEY"]  # else its credentials would be lost
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


def test_a_taken_port_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port
