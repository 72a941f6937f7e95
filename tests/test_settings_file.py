"""Settings: defaults without a file, precedence, and errors that say what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trunkline import settings_file
from trunkline.errors import SettingsError
from trunkline.settings import DEFAULT_AGENT


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("TRUNKLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str) -> Path:
    path = Path("trunkline.toml")
    path.write_text(text)
    return path


def test_no_file_at_all_gives_a_working_agent_and_no_trunk() -> None:
    loaded = settings_file.load()
    assert list(loaded.agents) == [DEFAULT_AGENT]
    assert loaded.service.host == "127.0.0.1"
    assert loaded.service.port == 3030
    assert loaded.trunk.host is None


def test_environment_beats_env_file_beats_toml(monkeypatch: pytest.MonkeyPatch) -> None:
    write('[trunk]\nhost = "file.example.com"\nport = 5070\n[service]\nport = 4000')
    Path(".env").write_text("TRUNKLINE_TRUNK__HOST=env-file.example.com\nTRUNKLINE_TRUNK__PORT=5071\n")
    monkeypatch.setenv("TRUNKLINE_TRUNK__HOST", "environment.example.com")
    loaded = settings_file.load()
    assert (loaded.trunk.host, loaded.trunk.port, loaded.service.port) == ("environment.example.com", 5071, 4000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[trunk]\npasword = 'x'", ["trunkline.toml", "trunk.pasword", "password"]),
        ("[trunks]\nhost = 'x'", ["trunkline.toml", "[trunks]", "trunk"]),
        ("[service]\nport = 'abc'", ["trunkline.toml", "service.port", "'abc'"]),
        ("[service]\nport = 99999", ["service.port", "99999"]),
        ("[trunk]\nhost = 'sip:x.example.com'", ["trunk.host", "sip:"]),
        ("[trunk]\nusername = 'me'", ["trunk.username and trunk.password go together"]),
        ("[trunk]\ncaller_ids = ['4155550100']", ["caller_ids", "E.164"]),
        ("[service]\nhost = '0.0.0.0'", ["service", "api_key"]),
        ("[service]\nhost = '0.0.0.0'\napi_key = 'short'", ["api_key", "16"]),
        ("[agents.'bad name']\nscript = 'appointment'", ["agent name", "bad name"]),
        ("[agents.me.listening]\nend_silence = 1", ["end_silence", "end_silence_seconds"]),
        ("not toml", ["trunkline.toml", "TOML"]),
        ("[asterisk]\nrtp_port_first = 10000\nrtp_port_last = 10001", ["rtp_port_last"]),
    ],
)
def test_an_error_names_the_place_the_value_and_the_remedy(text: str, said: list[str]) -> None:
    write(text)
    with pytest.raises(SettingsError) as caught:
        settings_file.load()
    for words in said:
        assert words in str(caught.value)
    assert caught.value.remedy


def test_a_config_line_cannot_be_smuggled_into_asterisk() -> None:
    write('[trunk]\nhost = "x.example.com"\nusername = "me"\npassword = "a\\n[evil]"')
    with pytest.raises(SettingsError, match="control characters"):
        settings_file.load()


def test_a_secret_is_not_shown_in_an_error() -> None:
    write('[trunk]\nhost = "x.example.com"\nusername = "me"\npassword = "hunter2;x"')
    with pytest.raises(SettingsError) as caught:
        settings_file.load()
    assert "hunter2" not in str(caught.value)


def test_a_misspelt_variable_is_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_TRUNK__HOTS", "x.example.com")
    with pytest.raises(SettingsError, match="TRUNKLINE_TRUNK__HOTS"):
        settings_file.load()


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_SERVICE__PORT", "many")
    with pytest.raises(SettingsError, match="TRUNKLINE_SERVICE__PORT"):
        settings_file.load()


def test_a_named_file_must_exist() -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        settings_file.load(Path("nowhere.toml"))


def test_effective_settings_show_no_secret() -> None:
    write(
        '[trunk]\nhost = "x.example.com"\nusername = "me"\npassword = "hunter2x"\n'
        '[service]\napi_key = "0123456789abcdef"'
    )
    shown = dict(settings_file.effective(settings_file.load()))
    assert shown["trunk.host"] == '"x.example.com"'
    assert "hunter2x" not in str(shown)
    assert "0123456789abcdef" not in str(shown)
    assert set(shown["trunk.password"]) == {"•"}
