"""The App that setup wrote, below the environment and ``.env``."""

from __future__ import annotations

from pathlib import Path

import pytest

from centralbot.entrypoints.settings import SettingsError, with_app_file
from centralbot.entrypoints.settings.app_file import prepare_app_file, read_app_file, write_app_file

WRITTEN = {
    "CENTRALBOT_GITHUB_APP_ID": "7",
    "CENTRALBOT_GITHUB_CLIENT_ID": "Iv7",
    "CENTRALBOT_GITHUB_CLIENT_SECRET": "s7",
    "CENTRALBOT_GITHUB_WEBHOOK_SECRET": "w7",
    "CENTRALBOT_BOT_KEY_ID": "worker-1",
    "CENTRALBOT_BOT_SECRET": "b7",
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    prepare_app_file(directory, force=False)
    write_app_file(directory, WRITTEN, private_key_pem="PEM\n")
    return directory


def seen(data_dir: Path, **environ: str) -> dict[str, str]:
    """What the settings' readers get, names shortened."""
    found = with_app_file({"CENTRALBOT_DATA_DIR": str(data_dir), **environ})
    return {name.removeprefix("CENTRALBOT_"): value for name, value in found.items()}


def test_what_was_written_counts_where_nothing_else_is_said(data_dir: Path) -> None:
    """The key by its whole path; an empty variable says nothing."""
    found = seen(data_dir, CENTRALBOT_GITHUB_WEBHOOK_SECRET="")
    assert {name: found[name.removeprefix("CENTRALBOT_")] for name in WRITTEN} == WRITTEN
    assert Path(found["GITHUB_APP_PRIVATE_KEY"]).read_text() == "PEM\n"


def test_the_environment_wins(data_dir: Path) -> None:
    """For one value, as while a webhook secret rotates."""
    found = seen(data_dir, CENTRALBOT_GITHUB_WEBHOOK_SECRET="new,w7", CENTRALBOT_GITHUB_APP_ID="7")
    assert (found["GITHUB_WEBHOOK_SECRET"], found["GITHUB_CLIENT_SECRET"]) == ("new,w7", "s7")


@pytest.mark.parametrize(
    ("name", "value", "gone"),
    [
        ("CENTRALBOT_GITHUB_APP_ID", "8", ["GITHUB_APP_PRIVATE_KEY", "GITHUB_CLIENT_ID", "GITHUB_WEBHOOK_SECRET"]),
        ("CENTRALBOT_GITHUB_API_URL", "https://ghe.example/api/v3", ["GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"]),
        ("CENTRALBOT_GITHUB_CLIENT_ID", "Iv8", ["GITHUB_CLIENT_SECRET"]),
        ("CENTRALBOT_BOT_KEY_ID", "worker-2", ["BOT_SECRET"]),
    ],
)
def test_halves_of_two_apps_are_not_mixed(data_dir: Path, name: str, value: str, gone: list[str]) -> None:
    """Who names another App, GitHub or key says all of it."""
    found = seen(data_dir, **{name: value})
    assert [one for one in gone if one in found] == []
    assert found[name.removeprefix("CENTRALBOT_")] == value


def test_the_address_that_every_reader_has_anyway_is_no_other(data_dir: Path) -> None:
    """github.com written out, with a slash at its end."""
    assert seen(data_dir, CENTRALBOT_GITHUB_API_URL="https://api.github.com/")["GITHUB_APP_ID"] == "7"


def test_nothing_is_overwritten_unasked(data_dir: Path) -> None:
    """And a value that would break the file is refused before the file is touched."""
    with pytest.raises(SettingsError, match="--force"):
        prepare_app_file(data_dir, force=False)
    prepare_app_file(data_dir, force=True)
    with pytest.raises(ValueError, match="CENTRALBOT_BOT_SECRET"):
        write_app_file(data_dir, {"CENTRALBOT_BOT_SECRET": "a\nb"})
    assert {name: read_app_file(data_dir)[name] for name in WRITTEN} == WRITTEN


def test_a_file_that_cannot_be_read_is_named(data_dir: Path) -> None:
    """Bytes that are no text."""
    (data_dir / "github-app.env").write_bytes(b"\xff\xfe=")
    with pytest.raises(SettingsError, match=r"github-app\.env"):
        seen(data_dir)


def test_without_a_setup_nothing_changes(tmp_path: Path) -> None:
    """The settings are what they were."""
    assert with_app_file({"CENTRALBOT_DATA_DIR": str(tmp_path)}) == {"CENTRALBOT_DATA_DIR": str(tmp_path)}
