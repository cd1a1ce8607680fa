"""Fault 47: what people can name freely mentions nobody, injects nothing and forges no line, wherever it is shown."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from centralbot.domain.challenge import Challenge
from centralbot.domain.comments import code
from centralbot.domain.events import Actor, RepositoryRef
from centralbot.entrypoints.logs import configure_logging
from centralbot.entrypoints.worker.events import normalize
from tests.adapters.simulators import a_simulator, served
from tests.builders import MAINTAINER, REPO, T0, a_pull_request_event, comment_of
from tests.contracts.adapters import open_memory, open_postgres
from tests.contracts.driver import UnderTest
from tests.entrypoints.commands import SECRET_KEY, Cli

HOSTILE = [
    "@org/team",
    "a`@org/team`",
    "![x](https://evil.example/x.png) [click](javascript:alert(1))",
    "<img src=x onerror=alert(1)><!-- centralbot:gate:1 -->",
    "a\r\n\n# Approved\n@org/team",
    "\x1b[2J\x1b]0;owned\x07\u202egnp.exe\u2028\x9b31m",
    "{{ 7 * 7 }}{% raw %}",
]
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e]")
PAYLOAD = Path(__file__).parents[1] / "data" / "payloads" / "pull_request.opened.json"


async def story(store: UnderTest, login: str) -> Challenge:
    """An author of that name is asked, is closed, passes late and comes back."""
    author = Actor(id=2002, login=login)
    challenge = await store.timed_out(author=author, repository=RepositoryRef(id=REPO, full_name=login))
    await store.run_all()
    return await store.verify(challenge)


def outside_of_code(markdown: str) -> str:
    """The text without inline code, in which GitHub shows everything as it is."""
    return re.sub("`[^`\n]*`", "", markdown)


@pytest.mark.parametrize("login", HOSTILE)
async def test_no_comment_mentions_or_injects(login: str) -> None:
    """Every text that the bot ever says to such an author: the name stands in inline code and nowhere else."""
    async with open_memory() as store:
        await store.connect()
        await story(store, login)
        await store.take(a_pull_request_event("opened", number=2, author=Actor(id=5, login=login)))
        await store.store.whitelist.add(REPO, Actor(id=6, login=login), actor="test")
        await store.take(a_pull_request_event("opened", number=3, author=Actor(id=6, login=login)))
        await store.take(a_pull_request_event("reopened", number=2, author=Actor(id=5, login=login), sender=MAINTAINER))
        await store.run_all()
        texts = [comment_of(action).markdown for action in await store.store.actions.search(limit=100)]
    assert len(texts) >= 6
    for text in texts:
        assert code(login) in text
        assert not re.search(r"[@<\x00-\x09\x0b-\x1f\x7f-\x9f]|!\[|evil|javascript|Approved", outside_of_code(text))


@pytest.fixture
def log_stream() -> Iterator[io.StringIO]:
    """What is logged; logging is global, so it is left as it was."""
    yield io.StringIO()
    structlog.reset_defaults()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", ["json", "console"])
def test_no_log_line_is_forged(log_stream: io.StringIO, form: str, name: str) -> None:
    """One event stays one line without control characters, as a value and inside of one."""
    configure_logging("json" if form == "json" else "console", "info", stream=log_stream)
    structlog.get_logger("centralbot").info("happened", login=name, nested={"title": [name]}, branch=name.encode())
    written = log_stream.getvalue()
    assert (written.count("\n"), CONTROL.findall(written)) == (1, [])
    assert len(written.splitlines()) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_a_title_and_a_branch_go_nowhere(name: str) -> None:
    """Of a webhook only the fields that are needed are kept, and these two are not."""
    payload = json.loads(PAYLOAD.read_text())
    payload["pull_request"]["title"] = payload["pull_request"]["body"] = name
    payload["pull_request"]["head"]["ref"] = payload["pull_request"]["head"]["label"] = name
    event = normalize("pull_request", json.dumps(payload).encode(), delivery_id="d", received_at=T0)
    payload["pull_request"] |= {"title": "A change", "body": None}
    payload["pull_request"]["head"] |= {"ref": "main", "label": "o:main"}
    assert event == normalize("pull_request", json.dumps(payload).encode(), delivery_id="d", received_at=T0)


async def test_no_command_prints_what_moves_a_cursor_or_forges_a_row(database: str, tmp_path: Path) -> None:
    """Each thing is one row, whatever its people are called; JSON gives the name back as it is."""
    names = [name for name in HOSTILE if "\x00" not in name]
    async with open_postgres(database) as store:
        await store.connect()
        for number, name in enumerate(names, 1):
            await store.opened(
                number, author=Actor(id=100 + number, login=name), repository=RepositoryRef(id=REPO, full_name=name)
            )
            await store.store.whitelist.add(REPO, Actor(id=100 + number, login=name), actor=name)
        first = (await store.store.challenges.search(repo_id=REPO))[-1]
    cli = Cli(tmp_path, {"CENTRALBOT_DATABASE_URL": database, "CENTRALBOT_SECRET_KEY": SECRET_KEY})
    for command in (("challenges", "list"), ("actions", "list"), ("whitelist", "list", REPO)):
        result = cli(*command)
        assert (result.code, len(result.out.splitlines()), CONTROL.findall(result.out)) == (0, len(names) + 1, [])
    shown = cli("challenges", "show", first.id)
    assert (shown.code, CONTROL.findall(shown.out)) == (0, [])
    listed = cli("whitelist", "list", REPO, "--json").json
    assert sorted(entry["github_login"] for entry in listed) == sorted(names)


@pytest.mark.parametrize("name", HOSTILE)
async def test_the_simulators_pages_show_text_as_text(name: str) -> None:
    """A title, a login, a branch, a label and a comment: no element of theirs is in the page."""
    simulator = a_simulator()
    simulator.world.add_user(name)
    number = simulator.world.open_pull_request("octo-org/hello", name, title=name, branch=name, body=name)
    simulator.world.add_comment("octo-org/hello", number, name, name)
    async with served(simulator) as client:
        for path in ("/", "/octo-org/hello", f"/octo-org/hello/pull/{number}"):
            async with client.session.get(client.base + path) as answer:
                page = await answer.text()
                assert answer.status == 200
                assert "script-src" not in answer.headers["content-security-policy"]
                assert not re.search(r"<img|<!-- centralbot|<a[^>]*javascript:|>49<", page)
