"""The document of a configuration in PostgreSQL, beside what other versions of centralbot write into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from centralbot.domain.config import DOCUMENT_VERSION, Mode, RepoConfig, to_document
from centralbot.ports.admin import Repositories
from tests.builders import a_config
from tests.contracts.adapters import open_postgres

CONFIG = a_config(window_s=90, exempt_label="let in", rules="Be kind.\n\t\u00e4\U0001f600")


@pytest.fixture
async def repositories(database: str) -> AsyncIterator[Repositories]:
    async with open_postgres(database) as opened:
        yield opened.store.repositories


def stored(dsn: str) -> tuple[int, str, dict[str, Any]]:
    """Version, mode and document."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select version, mode, config from repo_configs").fetchone()
    assert row is not None
    return row[0], row[1], row[2]


def store_document(dsn: str, document: dict[str, Any], version: int) -> None:
    insert = "insert into repo_configs (repo_id, version, config, updated_by) values (5, %s, %s, 'another version')"
    with psycopg.connect(dsn) as connection:
        connection.execute(insert, [version, Jsonb(document)])


async def read(repositories: Repositories) -> RepoConfig | None:
    record = await repositories.get(5)
    return None if record is None else record.config


async def test_it_is_stored_as_one_document_with_its_version(repositories: Repositories, database: str) -> None:
    """The mode is a column made from it."""
    await repositories.configure(5, CONFIG, actor="test")
    assert stored(database) == (DOCUMENT_VERSION, "enforce", to_document(CONFIG))


async def test_what_a_newer_version_wrote_is_kept(repositories: Repositories, database: str) -> None:
    """While an older process changes what it knows, and however often."""
    newer = {"consequence": {"kind": "label", "names": ["spam"]}, "a later one": None}
    store_document(database, {**to_document(CONFIG), **newer}, DOCUMENT_VERSION + 7)
    assert await read(repositories) == CONFIG
    for config in (replace(CONFIG, mode=Mode.SHADOW), replace(CONFIG, mode=Mode.OFF, rules="")):
        await repositories.configure(5, config, actor="test")
        assert await read(repositories) == config
        expected = (DOCUMENT_VERSION + 7, config.mode.value, {**to_document(config), **newer})
        assert stored(database) == expected


async def test_what_is_missing_or_of_another_type_takes_its_default(repositories: Repositories, database: str) -> None:
    """As in a document of an older version, or one of a newer in which a field has become something else."""
    document = {"mode": "shadow", "window_s": "an hour", "exempt_bots": None, "exempt_associations": ["FRIEND"]}
    store_document(database, document, 1)
    assert await read(repositories) == RepoConfig(mode=Mode.SHADOW)
