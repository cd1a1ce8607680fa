"""The table of a configuration's fields, for every field that there is."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centralbot.domain.config import (
    FIELDS,
    Mode,
    RepoConfig,
    Row,
    change,
    changes,
    described,
    fields_with,
    from_document,
    to_document,
    updated,
    validate,
)
from centralbot.domain.errors import ValidationError
from centralbot.domain.fields import Input, Json, Unreadable

PROOFS = {"github-login": "Signs in.", "proof-of-work": "Computes.", "of-their-own": "Does something else."}
TABLE = {row.name: row for row in fields_with(PROOFS)}


def values_of(row: Row) -> st.SearchStrategy[Any]:
    """What a person may set a field to."""
    shape, choices = row.kind.json_type, [it.value for it in row.kind.choices]
    match row.kind.input:
        case Input.FLAG:
            return st.booleans()
        case Input.ONE_OF:
            return st.sampled_from(choices).map(lambda it: row.kind.parse([it]))
        case Input.SOME_OF:
            fewest = 0 if row.kind.may_be_empty else 1
            return st.lists(st.sampled_from(choices), unique=True, min_size=fewest).map(row.kind.parse)
        case Input.LINE | Input.TEXT:
            assert shape.chars is not None
            return st.text("ab \u00e4\U0001f600<&\"'\\", max_size=shape.chars[1]).map(str.strip)
    assert shape.bounds is not None
    return st.integers(int(shape.bounds[0]), int(shape.bounds[1]))


configs = st.builds(RepoConfig, **{row.name: values_of(row) for row in TABLE.values()})
rows = st.sampled_from(sorted(TABLE)).map(TABLE.__getitem__)
json_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(configs)
def test_a_configuration_is_the_same_from_its_document_from_texts_and_from_json(config: RepoConfig) -> None:
    """So the store, the command line, the page and the API mean the same by it; and it is valid for each."""
    typed = {row.name: row.kind.parse(row.kind.texts(getattr(config, row.name))) for row in TABLE.values()}
    document = to_document(config)
    assert (from_document(document), updated(RepoConfig(), document), RepoConfig(**typed)) == (config,) * 3
    assert validate(config, PROOFS) == {}


@given(configs, st.dictionaries(st.text(max_size=5).filter(lambda it: it not in TABLE), json_values, max_size=3))
def test_a_newer_document_is_read_as_far_as_it_is_known_and_loses_nothing(
    config: RepoConfig, unknown: dict[str, Json]
) -> None:
    """Also when it is written again."""
    newer = {**to_document(config), **unknown}
    assert from_document(newer) == config
    written = to_document(replace(config, mode=Mode.SHADOW), newer)
    assert (from_document(written), {name: written[name] for name in unknown}) == (
        replace(config, mode=Mode.SHADOW),
        unknown,
    )


@given(configs, rows)
def test_an_older_document_takes_the_default_of_what_it_lacks(config: RepoConfig, row: Row) -> None:
    """Each field may be the newest one."""
    document = to_document(config)
    del document[row.name]
    assert from_document(document) == replace(config, **{row.name: row.default})


@given(configs, rows, json_values)
def test_a_value_of_another_type_is_refused_by_the_api_and_takes_the_default_from_the_store(
    config: RepoConfig, row: Row, value: Json
) -> None:
    """Nothing is guessed of it, and no stored document stops a decision."""
    problem, read = None, row.default
    try:
        read = row.kind.read(value)
    except Unreadable as exc:
        problem = f"{row.name}: {exc}"
    assert from_document({**to_document(config), row.name: value}) == replace(config, **{row.name: read})
    if problem is not None:
        with pytest.raises(ValidationError, match=f"^{re.escape(problem)}$"):
            updated(config, {row.name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_s", "30"),
        ("window_s", True),
        ("window_s", 1.0),
        ("exempt_bots", 1),
        ("exempt_bots", "yes"),
        ("mode", "ENFORCE"),
        ("exempt_associations", "OWNER"),
        ("exempt_associations", ["OWNER", "OWNER"]),
        ("exempt_associations", ["FRIEND"]),
        ("verification", "github-login"),
        ("verification", [1]),
        ("rules", None),
    ],
)
def test_what_looks_like_a_value_is_none(name: str, value: Json) -> None:
    """JSON has types."""
    with pytest.raises(ValidationError, match=f"^{name}: "):
        updated(RepoConfig(), {name: value})


@given(configs, configs)
def test_a_change_is_told_of_each_field_that_changed_and_of_no_other(before: RepoConfig, after: RepoConfig) -> None:
    """In the order of the table, with the field's own name."""
    changed = [row for row in FIELDS if getattr(before, row.name) != getattr(after, row.name)]
    told = changes(change(before, after))
    assert len(told) == len(changed)
    assert [text.startswith(row.audit) for text, row in zip(told, changed, strict=True)] == [True] * len(changed)
    assert set(change(before, after)) - set(described(after)) == {
        f"was_{key}" for key, fact in described(before).items() if described(after)[key] != fact
    }


def test_every_field_is_a_row_with_words_and_names_of_its_own() -> None:
    """A row is what makes a field; the command line and the page show these."""
    assert [row.name for row in FIELDS] == [it.name for it in fields(RepoConfig)]
    assert [row.default for row in FIELDS] == [getattr(RepoConfig(), row.name) for row in FIELDS]
    assert [row.name for row in FIELDS if not (row.label and row.help and row.audit and row.section)] == []
    for names in ([row.option for row in FIELDS], [row.label for row in FIELDS], [row.audit for row in FIELDS]):
        assert len(set(names)) == len(FIELDS)
    facts = [key for row in FIELDS for key in row.kind.facts(row.name, row.default)]
    assert len(set(facts)) == len(facts)


def test_what_a_client_of_the_contract_sends_is_no_extension() -> None:
    """Section 5: these seven are always told, and asked for; whatever is added is optional."""
    assert [row.name for row in FIELDS if not row.is_extension] == [
        "mode",
        "draft_prs_gated",
        "window_s",
        "verification",
        "exempt_associations",
        "exempt_bots",
        "comment_on_exempt",
    ]
