"""Every setting: its default, what it takes, and the one line that a wrong value gets."""

import re
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from centralbot.entrypoints import settings as s
from centralbot.entrypoints.settings import SettingsError
from centralbot.entrypoints.settings.reader import NAMES

KEY_FORM = (
    serialization.Encoding.PEM,
    serialization.PrivateFormat.TraditionalOpenSSL,
    serialization.NoEncryption(),
)
RSA_PEM = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*KEY_FORM).decode()
EC_PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(*KEY_FORM).decode()

STORE = {"CENTRALBOT_DATABASE_URL": "postgresql://u:pw@h/db", "CENTRALBOT_SECRET_KEY": "k" * 32}
WORKER = {
    "CENTRALBOT_BOT_KEY_ID": "bot-1",
    "CENTRALBOT_BOT_SECRET": "bot-secret",
    "CENTRALBOT_GITHUB_WEBHOOK_SECRET": "hook",
}
APP = {"CENTRALBOT_GITHUB_APP_ID": "12", "CENTRALBOT_GITHUB_APP_PRIVATE_KEY": RSA_PEM}
OAUTH = {"CENTRALBOT_GITHUB_CLIENT_ID": "Iv1.a", "CENTRALBOT_GITHUB_CLIENT_SECRET": "oauth-secret"}


def load_logs(environ: dict[str, str]) -> s.LogSettings:
    return s.load_log_settings(environ, terminal=False)


Load = Callable[[dict[str, str]], Any]
LOADERS: dict[str, tuple[Load, dict[str, str]]] = {
    "store": (s.load_store_settings, STORE),
    "api": (s.load_api_settings, {}),
    "gate": (s.load_gate_settings, {}),
    "outbox": (s.load_outbox_settings, {}),
    "worker": (s.load_worker_settings, WORKER),
    "app": (s.load_github_app_settings, APP),
    "oauth": (s.load_oauth_settings, OAUTH),
    "logs": (load_logs, {}),
}


@pytest.mark.parametrize(
    ("part", "field", "expected"),
    [
        ("store", "database_url", "postgresql://u:pw@h/db"),
        ("store", "secret_key", "k" * 32),
        ("api", "host", "127.0.0.1"),
        ("api", "port", 8080),
        ("gate", "public_url", "http://127.0.0.1:8080"),
        ("gate", "window_s", 1800),
        ("gate", "default_mode", "off"),
        ("outbox", "lease_s", 60),
        ("outbox", "max_attempts", 12),
        ("worker", "host", "127.0.0.1"),
        ("worker", "port", 3000),
        ("worker", "backend_url", "http://127.0.0.1:8080"),
        ("worker", "bot_key_id", "bot-1"),
        ("worker", "webhook_secrets", ("hook",)),
        ("worker", "claim_limit", 25),
        ("worker", "max_in_flight", 200),
        ("app", "app_id", "12"),
        ("app", "private_key_pem", RSA_PEM),
        ("app", "api_url", "https://api.github.com"),
        ("app", "web_url", "https://github.com"),
        ("app", "write_interval_s", 1.0),
        ("oauth", "client_id", "Iv1.a"),
        ("logs", "format", "json"),
        ("logs", "level", "info"),
    ],
)
def test_what_is_not_set_has_its_default(part: str, field: str, expected: Any) -> None:
    """Each command works with the fewest settings that it can."""
    load, environ = LOADERS[part]
    assert getattr(load(environ), field) == expected


@pytest.mark.parametrize(
    ("part", "name", "value", "field", "expected"),
    [
        ("store", "CENTRALBOT_DATABASE_URL", "host=/run/pg dbname=x", "database_url", "host=/run/pg dbname=x"),
        ("store", "CENTRALBOT_DATA_DIR", "/srv/c", "data_dir", Path("/srv/c")),
        ("api", "CENTRALBOT_API_HOST", "::", "host", "::"),
        ("api", "CENTRALBOT_API_PORT", "0", "port", 0),
        ("api", "CENTRALBOT_API_PORT", " 65535 ", "port", 65535),
        ("api", "CENTRALBOT_API_PORT", "", "port", 8080),
        (
            "gate",
            "CENTRALBOT_PUBLIC_URL",
            "https://bot.example.org:8443/",
            "public_url",
            "https://bot.example.org:8443",
        ),
        ("gate", "CENTRALBOT_WINDOW_S", "60", "window_s", 60),
        ("gate", "CENTRALBOT_DEFAULT_MODE", "Shadow", "default_mode", "shadow"),
        ("outbox", "CENTRALBOT_LEASE_S", "5", "lease_s", 5),
        ("outbox", "CENTRALBOT_MAX_ATTEMPTS", "3", "max_attempts", 3),
        ("worker", "CENTRALBOT_WORKER_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("worker", "CENTRALBOT_WORKER_PORT", "3001", "port", 3001),
        ("worker", "CENTRALBOT_BACKEND_URL", "http://[::1]:9", "backend_url", "http://[::1]:9"),
        ("worker", "CENTRALBOT_GITHUB_WEBHOOK_SECRET", "new, old", "webhook_secrets", ("new", "old")),
        ("worker", "CENTRALBOT_WORKER_ID", "w-1", "worker_id", "w-1"),
        ("worker", "CENTRALBOT_CLAIM_LIMIT", "100", "claim_limit", 100),
        ("worker", "CENTRALBOT_MAX_IN_FLIGHT", "7", "max_in_flight", 7),
        ("app", "CENTRALBOT_GITHUB_APP_PRIVATE_KEY", RSA_PEM.replace("\n", "\\n"), "private_key_pem", RSA_PEM),
        ("app", "CENTRALBOT_GITHUB_API_URL", "https://ghe.example/api/v3", "api_url", "https://ghe.example/api/v3"),
        ("app", "CENTRALBOT_GITHUB_WEB_URL", "https://ghe.example", "web_url", "https://ghe.example"),
        ("app", "CENTRALBOT_WRITE_INTERVAL_S", "0.25", "write_interval_s", 0.25),
        ("logs", "CENTRALBOT_LOG_FORMAT", "console", "format", "console"),
        ("logs", "CENTRALBOT_LOG_LEVEL", "DEBUG", "level", "debug"),
    ],
)
def test_what_is_set_is_taken(part: str, name: str, value: str, field: str, expected: Any) -> None:
    """Blanks around a value, the case of a choice and a slash at the end of a URL do not matter."""
    load, environ = LOADERS[part]
    assert getattr(load(environ | {name: value}), field) == expected


@pytest.mark.parametrize(
    ("part", "name", "value", "problem"),
    [
        ("store", "CENTRALBOT_DATABASE_URL", "postgresql//u:pw@h", "is not a PostgreSQL connection string"),
        ("store", "CENTRALBOT_SECRET_KEY", "", "is not set, and CENTRALBOT_DATABASE_URL is"),
        ("store", "CENTRALBOT_SECRET_KEY", "short", "has 5 characters; use at least 16"),
        ("api", "CENTRALBOT_API_HOST", "a b", "expected a host name"),
        ("api", "CENTRALBOT_API_PORT", "65536", "expected a whole number from 0 to 65535, not '65536'"),
        ("api", "CENTRALBOT_API_PORT", "8080.0", "expected a whole number"),
        ("api", "CENTRALBOT_API_PORT", "8_0", "expected a whole number"),
        ("api", "CENTRALBOT_API_PORT", "٣", "expected a whole number"),
        ("gate", "CENTRALBOT_PUBLIC_URL", "ftp://x", "expected a URL"),
        ("gate", "CENTRALBOT_PUBLIC_URL", "https://", "expected a URL"),
        ("gate", "CENTRALBOT_PUBLIC_URL", "https://u:pw@x", "expected a URL"),
        ("gate", "CENTRALBOT_PUBLIC_URL", "https://x:99999", "expected a URL"),
        ("gate", "CENTRALBOT_PUBLIC_URL", "https://x/?q=1", "expected a URL"),
        ("gate", "CENTRALBOT_PUBLIC_URL", "https://x/gate/", "expected a URL without a path"),
        ("gate", "CENTRALBOT_WINDOW_S", "0", "expected a whole number from 1"),
        ("gate", "CENTRALBOT_DEFAULT_MODE", "on", "expected off, shadow or enforce, not 'on'"),
        ("outbox", "CENTRALBOT_LEASE_S", "-1", "expected a whole number from 1 to 3600"),
        ("outbox", "CENTRALBOT_MAX_ATTEMPTS", "0", "expected a whole number from 1 to 1000"),
        ("worker", "CENTRALBOT_WORKER_HOST", "a/b", "expected a host name"),
        ("worker", "CENTRALBOT_WORKER_PORT", "x", "expected a whole number"),
        ("worker", "CENTRALBOT_BACKEND_URL", "localhost:8080", "expected a URL"),
        ("worker", "CENTRALBOT_BOT_KEY_ID", "", "is not set; make a key with 'centralbot keys create'"),
        ("worker", "CENTRALBOT_BOT_KEY_ID", "a b", "expected 1 to 128 visible ASCII"),
        ("worker", "CENTRALBOT_BOT_SECRET", "", "is not set; make a key"),
        ("worker", "CENTRALBOT_GITHUB_WEBHOOK_SECRET", "", "is not set; set it to the webhook secret"),
        ("worker", "CENTRALBOT_GITHUB_WEBHOOK_SECRET", "a,b,c", "expected one secret, or two"),
        ("worker", "CENTRALBOT_GITHUB_WEBHOOK_SECRET", "a,", "expected one secret, or two"),
        ("worker", "CENTRALBOT_WORKER_ID", "w" * 129, "expected 1 to 128 visible ASCII"),
        ("worker", "CENTRALBOT_CLAIM_LIMIT", "101", "expected a whole number from 1 to 100"),
        ("worker", "CENTRALBOT_MAX_IN_FLIGHT", "0", "expected a whole number from 1 to 10000"),
        ("app", "CENTRALBOT_GITHUB_APP_ID", "", "is not set; copy the App ID"),
        ("app", "CENTRALBOT_GITHUB_APP_ID", "1 2", "expected a number, the App ID"),
        ("app", "CENTRALBOT_GITHUB_APP_PRIVATE_KEY", "", "is not set; generate a private key"),
        ("app", "CENTRALBOT_GITHUB_APP_PRIVATE_KEY", "/no/such/file", "neither PEM text nor a file"),
        ("app", "CENTRALBOT_GITHUB_APP_PRIVATE_KEY", EC_PEM, "is not an unencrypted RSA private key"),
        ("app", "CENTRALBOT_GITHUB_APP_PRIVATE_KEY", "-----BEGIN X-----", "is not an unencrypted RSA private key"),
        ("app", "CENTRALBOT_GITHUB_API_URL", "api.github.com", "expected a URL"),
        ("app", "CENTRALBOT_GITHUB_WEB_URL", "github", "expected a URL"),
        ("app", "CENTRALBOT_WRITE_INTERVAL_S", "nan", "expected a number from 0 to 60"),
        ("oauth", "CENTRALBOT_GITHUB_CLIENT_ID", "", "is not set, and CENTRALBOT_GITHUB_CLIENT_SECRET is"),
        ("oauth", "CENTRALBOT_GITHUB_CLIENT_SECRET", "", "is not set, and CENTRALBOT_GITHUB_CLIENT_ID is"),
        ("logs", "CENTRALBOT_LOG_FORMAT", "xml", "expected json or console"),
        ("logs", "CENTRALBOT_LOG_LEVEL", "loud", "expected debug, info, warning or error"),
    ],
)
def test_what_is_wrong_gets_one_line_that_names_it(part: str, name: str, value: str, problem: str) -> None:
    """The line begins with the variable's name and shows no secret."""
    load, environ = LOADERS[part]
    with pytest.raises(SettingsError) as caught:
        load(environ | {name: value})
    message = str(caught.value)
    assert message.startswith(f"{name}: {problem}")
    assert [part for part in ("\n", "pw@", "bot-secret", "MII") if part in message] == []


@pytest.mark.parametrize("part", ["store", "worker", "app", "oauth"])
def test_repr_shows_no_secret(part: str) -> None:
    """A settings object may end up in a log or a traceback."""
    load, environ = LOADERS[part]
    shown = repr(load(environ))
    assert [secret for secret in ("pw@", "kkkk", "bot-secret", "hook'", "MII", "oauth-secret") if secret in shown] == []


def test_sign_in_is_off_without_its_settings() -> None:
    """Neither value is set: no error."""
    assert s.load_oauth_settings({}) is None


def test_a_worker_without_a_name_gets_one_of_its_own() -> None:
    """Replicas on one host must not share claims."""
    first, second = (s.load_worker_settings(WORKER).worker_id for _ in range(2))
    assert first != second


def test_an_address_of_ipv6_is_a_url_too() -> None:
    """In brackets."""
    assert [s.base_url(host, 80) for host in ("h", "::1")] == ["http://h:80", "http://[::1]:80"]


def test_the_schema_needs_no_secret_key() -> None:
    """``db migrate`` runs where the key may not be known."""
    loaded = s.load_database_settings({"CENTRALBOT_DATABASE_URL": "host=h", "CENTRALBOT_DATA_DIR": "/x"})
    assert loaded == s.DatabaseSettings(database_url="host=h", data_dir=Path("/x"))


def test_on_a_terminal_logs_are_for_people() -> None:
    """The default follows who reads."""
    assert s.load_log_settings({}, terminal=True).format == "console"


def test_a_private_key_may_be_a_file(tmp_path: Path) -> None:
    """As GitHub hands it out."""
    file = tmp_path / "app.pem"
    file.write_text(RSA_PEM)
    loaded = s.load_github_app_settings(APP | {"CENTRALBOT_GITHUB_APP_PRIVATE_KEY": str(file)})
    assert loaded.private_key_pem == RSA_PEM


def test_processes_that_start_at_once_make_one_secret_key_that_only_we_can_read(tmp_path: Path) -> None:
    """The embedded store's key is made on first use and kept."""
    environ = {"CENTRALBOT_DATA_DIR": str(tmp_path / "data")}
    with ThreadPoolExecutor(8) as pool:
        keys = {loaded.secret_key for loaded in pool.map(s.load_store_settings, [environ] * 8)}
    assert keys == {(tmp_path / "data" / "secret-key").read_text().strip()}
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "data" / "secret-key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret-key"]


def test_a_data_directory_that_cannot_be_used_is_named() -> None:
    """With the two ways out."""
    with pytest.raises(SettingsError, match=r"CENTRALBOT_SECRET_KEY.*/dev/null/x.*set it, or set CENTRALBOT_DATA_DIR"):
        s.load_store_settings({"CENTRALBOT_DATA_DIR": "/dev/null/x"})


def test_the_environment_wins_over_the_file_and_neither_is_changed(tmp_path: Path) -> None:
    """``$`` in the file is no variable: secrets contain it."""
    (tmp_path / ".env").write_text("CENTRALBOT_API_PORT=1\nCENTRALBOT_BOT_SECRET='a$HOME${B}'\nexport X=1 # note\n")
    environ = {"CENTRALBOT_API_PORT": "2"}
    merged = s.read_environ(environ, tmp_path)
    assert merged == {"CENTRALBOT_API_PORT": "2", "CENTRALBOT_BOT_SECRET": "a$HOME${B}", "X": "1"}
    assert environ == {"CENTRALBOT_API_PORT": "2"}


def test_a_missing_file_is_fine_and_a_broken_one_is_named(tmp_path: Path) -> None:
    """A start from another directory has no ``.env``."""
    assert s.read_environ({"A": "b"}, tmp_path) == {"A": "b"}
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"\.env: cannot be read as UTF-8 text"):
        s.read_environ({}, tmp_path)


def test_the_names_that_are_known_are_those_that_are_read() -> None:
    """README tells all but the two that ``centralbot setup`` writes for itself."""
    root = Path(__file__).parents[2]
    name = re.compile(r"(?<![\w*])CENTRALBOT_[A-Z_]*[A-Z]\b")
    read = {found for file in (root / "src").rglob("*.py") for found in name.findall(file.read_text("utf-8"))}
    told = set(name.findall((root / "README.md").read_text("utf-8").split("## Settings")[1].split("\n## ")[0]))
    assert read == NAMES
    assert NAMES - told == {"CENTRALBOT_GITHUB_APP_SLUG", "CENTRALBOT_GITHUB_WEBHOOK_URL"}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("CENTRALBOT_SECRT_KEY", "did you mean CENTRALBOT_SECRET_KEY?"),
        ("CENTRALBOT_GITHUB_PRIVATE_KEY", "did you mean CENTRALBOT_GITHUB_APP_PRIVATE_KEY?"),
        ("CENTRALBOT_DB_URL", "did you mean CENTRALBOT_DATABASE_URL?"),
        ("centralbot_api_port", "did you mean CENTRALBOT_API_PORT?"),
        ("CENTRALBOT_COLOUR", "remove it, or see README, Settings"),
    ],
)
def test_a_name_that_is_no_setting_is_found(name: str, hint: str) -> None:
    """With the nearest that is one; what is right, of others or of the tests is left alone."""
    environ = {"CENTRALBOT_SECRET_KEY": "x", "CENTRALBOT_TEST_BROWSER": "x", "PATH": "x", name: "x"}
    assert list(s.unknown_names(environ)) == [(name, hint)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\nexport B='2\nC=3\n", 2),
        ("A=1\n\n# a note\n\nsome words: of prose\n", 5),
        ("=1\n", 1),
    ],
)
def test_a_line_of_the_file_that_cannot_be_read_is_named(tmp_path: Path, text: str, line: int) -> None:
    """By its number: what stands in it may be a secret."""
    (tmp_path / ".env").write_text(text)
    with pytest.raises(SettingsError, match=rf"\.env: line {line} is not NAME=value") as caught:
        s.read_environ({}, tmp_path)
    assert text.splitlines()[line - 1] not in str(caught.value)


def test_the_file_may_be_as_editors_and_shells_leave_it(tmp_path: Path) -> None:
    """With a byte order mark, Windows' line ends, a quoted PEM, a comment, a name without a value."""
    (tmp_path / ".env").write_bytes(b'\xef\xbb\xbfA=1\r\nexport B = "x\ny"  # note\r\nC=\nD\n')
    assert s.read_environ({}, tmp_path) == {"A": "1", "B": "x\ny", "C": ""}
