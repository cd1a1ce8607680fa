"""GitHub's payloads to our events: the stored ones as they are, and what is known to differ from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from centralbot.domain.errors import ValidationError
from centralbot.domain.events import (
    GHOST_USER_ID,
    AccountType,
    Actor,
    AuthorAssociation,
    Event,
    InstallationEvent,
    PullRequestEvent,
    RepositoryRef,
    RepositorySelection,
    UserType,
)
from centralbot.domain.handlers import RELEVANT
from centralbot.entrypoints.worker.events import NORMALIZERS, Ignored, normalize
from tests.builders import T0

PAYLOADS = Path(__file__).parent.parent / "data" / "payloads"
CODERTOCAT = Actor(id=21031067, login="Codertocat")
HELLO = RepositoryRef(id=186853002, full_name="Codertocat/Hello-World")
OCTOCODERS = RepositoryRef(id=186853261, full_name="Octocoders/Hello-World")


def payload(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return content


def read(event: str, content: dict[str, Any]) -> Event[Any] | Ignored:
    return normalize(event, json.dumps(content).encode(), delivery_id="d", received_at=T0)


def pull_request(action: str, **fields: Any) -> PullRequestEvent:
    values: dict[str, Any] = {
        "delivery_id": "d",
        "event_time": datetime(2019, 5, 15, 15, 20, 33, tzinfo=UTC),
        "installation_id": 1,
        "action": action,
        "repository": HELLO,
        "number": 2,
        "pull_request_id": 279147437,
        "html_url": "https://github.com/Codertocat/Hello-World/pull/2",
        "is_draft": False,
        "author": CODERTOCAT,
        "head_sha": "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
        "author_type": UserType.USER,
        "author_association": AuthorAssociation.OWNER,
        "merged": False,
        "labels": ("bug",),
        "updated_at": datetime(2019, 5, 15, 15, 20, 33, tzinfo=UTC),
        "sender": CODERTOCAT,
        "label": None,
    }
    return PullRequestEvent(**{**values, **fields})


def later(action: str, **fields: Any) -> PullRequestEvent:
    """The payloads that GitHub's examples date a little later."""
    at = datetime(2019, 5, 15, 15, 21, 18, tzinfo=UTC)
    return pull_request(action, event_time=at, updated_at=at, **fields)


@pytest.mark.parametrize(
    "expected",
    [
        pull_request("opened"),
        pull_request("reopened"),
        pull_request("synchronize"),
        later("ready_for_review"),
        later("converted_to_draft", is_draft=True),
        later("closed"),
        pull_request(
            "labeled",
            label="bug",
            event_time=datetime(2019, 5, 15, 15, 20, 35, tzinfo=UTC),
            updated_at=datetime(2019, 5, 15, 15, 20, 35, tzinfo=UTC),
        ),
    ],
    ids=lambda event: event.action,
)
def test_pull_request_payloads(expected: PullRequestEvent) -> None:
    """Each relevant action of GitHub's own examples becomes one event with its every field."""
    assert read("pull_request", payload(f"pull_request.{expected.action}")) == expected


def test_installation_created() -> None:
    """Times come as seconds since 1970 here."""
    content = payload("installation.created")
    assert read("installation", content) == InstallationEvent(
        delivery_id="d",
        event_time=datetime.fromtimestamp(content["installation"]["updated_at"], UTC),
        event_name="installation",
        action="created",
        installation_id=957387,
        account_login="Codertocat",
        account_type=AccountType.USER,
        account_id=21031067,
        repository_selection=RepositorySelection(content["installation"]["repository_selection"]),
        repositories=(HELLO,),
    )


@pytest.mark.parametrize(
    ("name", "installation_id", "added", "removed", "repositories"),
    [
        ("installation.deleted", 2, 0, 0, 1),
        ("installation.suspend", 16598467, 0, 0, 0),
        ("installation_repositories.added", 957387, 1, 0, 0),
        ("installation_repositories.removed", 2, 0, 1, 0),
    ],
)
def test_installation_payloads(name: str, installation_id: int, added: int, removed: int, repositories: int) -> None:
    """The other installation events: absent lists are empty, times may be texts."""
    event_name, action = name.split(".")
    event = read(event_name, payload(name))
    assert isinstance(event, InstallationEvent)
    assert (event.event_name, event.action, event.installation_id) == (event_name, action, installation_id)
    assert (len(event.added), len(event.removed), len(event.repositories)) == (added, removed, repositories)
    assert event.event_time.tzinfo is UTC
    assert event.event_time != T0


@pytest.mark.parametrize("action", ["renamed", "transferred"])
def test_repository_payloads(action: str) -> None:
    """The repository's new name comes by its id; the payload has no time of its own."""
    assert read("repository", payload(f"repository.{action}")) == InstallationEvent(
        delivery_id="d",
        event_time=T0,
        event_name="repository",
        action=action,
        installation_id=1,
        account_login="Octocoders",
        account_type=AccountType.ORGANIZATION,
        account_id=38302899,
        repositories=(OCTOCODERS,),
    )


@pytest.mark.parametrize(
    ("event", "name", "expected"),
    [
        ("ping", "ping", Ignored(action="", reason="PING")),
        ("check_run", "ping", Ignored(action="", reason="UNKNOWN_EVENT")),
        (
            "pull_request",
            "pull_request.opened.without-installation",
            Ignored(action="opened", reason="NO_INSTALLATION"),
        ),
    ],
)
def test_payloads_that_are_ignored(event: str, name: str, expected: Ignored) -> None:
    """There is no fallback installation, and nothing to do for the rest."""
    assert read(event, payload(name)) == expected


def test_an_unknown_action_may_have_any_shape() -> None:
    """GitHub adds actions, and some come without what the known ones have."""
    ignored = Ignored(action="stacked", reason="IRRELEVANT_ACTION")
    assert read("pull_request", {"action": "stacked", "pull_request": {"user": 7}}) == ignored


def test_a_deleted_author_is_the_ghost() -> None:
    """A null user is nobody who could pass a check."""
    content = payload("pull_request.opened")
    content["pull_request"]["user"] = None
    content["sender"] = None
    expected = pull_request("opened", author=Actor(id=GHOST_USER_ID, login="ghost"), author_type=None, sender=None)
    assert read("pull_request", content) == expected


def test_a_bot_is_known_as_one() -> None:
    """The account's type travels with the event."""
    content = payload("pull_request.opened")
    content["pull_request"]["user"] = {"id": 49699333, "login": "dependabot[bot]", "type": "Bot"}
    author = Actor(id=49699333, login="dependabot[bot]")
    assert read("pull_request", content) == pull_request("opened", author=author, author_type=UserType.BOT)


@pytest.mark.parametrize("label", [None, {"name": None}, {"name": ""}, {"name": "x" * 257}])
def test_a_label_without_a_usable_name_is_ignored(label: dict[str, Any] | None) -> None:
    """It can be nobody's exemption."""
    content = payload("pull_request.labeled")
    content["label"] = label
    assert read("pull_request", content) == Ignored(action="labeled", reason="IRRELEVANT_ACTION")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (None, None),
        ([], ()),
        ([{"name": "a"}, {"name": None}, {"name": "b c"}], ("a", "b c")),
        ([{"name": str(i)} for i in range(2000)], tuple(map(str, range(1000)))),
    ],
)
def test_labels_are_their_names(labels: list[dict[str, Any]] | None, expected: tuple[str, ...] | None) -> None:
    """As many as the backend takes; none at all is unknown."""
    content = payload("pull_request.opened")
    content["pull_request"]["labels"] = labels
    assert read("pull_request", content) == pull_request("opened", labels=expected)


def test_new_words_of_github_are_no_errors() -> None:
    """A type, an association or a selection that we do not know is unknown, not wrong."""
    content = payload("pull_request.opened")
    content["pull_request"]["user"]["type"] = "Agent"
    content["pull_request"]["author_association"] = "FRIEND"
    assert read("pull_request", content) == pull_request("opened", author_type=None, author_association=None)


@pytest.mark.parametrize(
    ("account", "target_type", "expected"),
    [
        (None, "Organization", (None, AccountType.ORGANIZATION, None)),
        ({"id": 5, "slug": "big"}, "Enterprise", ("big", AccountType.ENTERPRISE, 5)),
        ({"id": 5, "login": "org", "type": "Robot"}, None, ("org", None, 5)),
    ],
)
def test_accounts_of_every_kind(
    account: dict[str, Any] | None, target_type: str | None, expected: tuple[Any, ...]
) -> None:
    """An account may be null, or an enterprise that has a slug in place of a login."""
    content = payload("installation.created")
    content["installation"] |= {"account": account, "target_type": target_type}
    event = read("installation", content)
    assert isinstance(event, InstallationEvent)
    assert (event.account_login, event.account_type, event.account_id) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1557933591, datetime(2019, 5, 15, 15, 19, 51, tzinfo=UTC)),
        ("2020-11-20T01:04:08.000+02:00", datetime(2020, 11, 19, 23, 4, 8, tzinfo=UTC)),
        ("2020-11-20T01:04:08", datetime(2020, 11, 20, 1, 4, 8, tzinfo=UTC)),
        (None, T0),
    ],
)
def test_times_of_every_kind(value: object, expected: datetime) -> None:
    """Seconds, texts with an offset or without, or nothing: then the time of receipt."""
    content = payload("installation.created")
    content["installation"]["updated_at"] = value
    event = read("installation", content)
    assert isinstance(event, InstallationEvent)
    assert event.event_time == expected


def _set(*path: str) -> Callable[[dict[str, Any], object], None]:
    def put(content: dict[str, Any], value: object) -> None:
        for name in path[:-1]:
            content = content[name]
        content[path[-1]] = value

    return put


BAD_IDS = [0, -1, 2**63, 10**30, 1.0, True, "5", None]


@pytest.mark.parametrize("bad", BAD_IDS, ids=str)
@pytest.mark.parametrize(
    "field",
    ["pull_request.id", "pull_request.number", "repository.id", "installation.id", "pull_request.user.id", "sender.id"],
)
def test_an_id_out_of_range_is_refused_by_name(field: str, bad: object) -> None:
    """A signed payload can still be nonsense; the answer says where."""
    content = payload("pull_request.opened")
    _set(*field.split("."))(content, bad)
    with pytest.raises(ValidationError, match=f"^{field}:"):
        read("pull_request", content)


@pytest.mark.parametrize("digits", ["9" * 5000, "NaN", "1e3", "-0.0"])
def test_numbers_that_python_cannot_write_are_refused_by_name(digits: str) -> None:
    """Five thousand digits, NaN and exponents are no ids."""
    raw = json.dumps(payload("pull_request.opened")).replace('"id": 279147437', f'"id": {digits}')
    with pytest.raises(ValidationError, match=r"^pull_request\.id:"):
        normalize("pull_request", raw.encode(), delivery_id="d", received_at=T0)


@pytest.mark.parametrize(
    ("event", "name", "field", "bad"),
    [
        ("pull_request", "pull_request.opened", "pull_request.head.sha", "main"),
        ("pull_request", "pull_request.opened", "pull_request.html_url", "javascript:alert(1)"),
        ("pull_request", "pull_request.opened", "pull_request.updated_at", "yesterday"),
        ("pull_request", "pull_request.opened", "pull_request.user.login", "a\0b"),
        ("pull_request", "pull_request.opened", "repository.full_name", "x" * 513),
        ("pull_request", "pull_request.opened", "action", 7),
        ("pull_request", "pull_request.opened", "pull_request.draft", "no"),
        ("installation", "installation.created", "installation.updated_at", -5),
        ("installation", "installation.created", "installation.updated_at", 2**39),
        ("installation", "installation.created", "installation.updated_at", "0001-01-01T00:00:00+23:59"),
        ("installation", "installation.created", "repositories", [{"id": 0, "full_name": "a/b"}]),
        ("repository", "repository.renamed", "repository.full_name", None),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_name(event: str, name: str, field: str, bad: object) -> None:
    """Whatever we would store or act on is checked, and named when it is wrong."""
    content = payload(name)
    _set(*field.split("."))(content, bad)
    with pytest.raises(ValidationError, match=f"^{field}"):
        read(event, content)


@pytest.mark.parametrize("field", ["pull_request", "repository", "action"])
def test_a_missing_part_is_named(field: str) -> None:
    """Without its parts an event is refused."""
    content = payload("pull_request.opened")
    del content[field]
    with pytest.raises(ValidationError, match=f"{field}: missing"):
        read("pull_request", content)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"payload=%7B%7D",
        b'{"action": "opened", "x": "\xff"}',
        b"\xef\xbb\xbf{}",
        '{"action": "opened"}'.encode("utf-16"),
        b'{"action": "opened", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"action": "opened", "x": NaN}',
        b'{"action": "\\ud800"}',
        b'{"action": "opened"} {}',
    ],
    ids=["empty", "cut", "list", "form", "utf-8", "bom", "utf-16", "deep", "nan", "surrogate", "two"],
)
@pytest.mark.parametrize("event", ["pull_request", "installation", "repository", "ping", "unheard_of"])
def test_what_is_not_json_is_refused(event: str, body: bytes) -> None:
    """Whatever the event is called: not JSON is 400."""
    with pytest.raises(ValidationError):
        normalize(event, body, delivery_id="d", received_at=T0)


def test_every_event_that_somebody_handles_is_read() -> None:
    """A handler without a normalizer would never hear of its event."""
    assert set(NORMALIZERS) == set(RELEVANT)
