"""The kinds of fields that a configuration is made of.

A kind knows its values in every form: as JSON (the store, the API), as the texts that a person types or chooses (the
command line, the page) and as flat facts (the audit). It knows no surface: each has its own look for an ``Input``.
Reading (``read``, ``parse``) looks at types alone, so that what is stored can always be read; ``problem`` looks at
bounds, and is the one place that does.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Generic, TypeAlias, TypeVar

from centralbot.domain.words import duration

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Fact: TypeAlias = str | int | bool | None
"""A value in the audit's detail."""

T = TypeVar("T")
Word = TypeVar("Word", bound=StrEnum)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Unreadable(ValueError):
    """Not a value of that kind. The message says what is expected."""


class Input(StrEnum):
    """What an input for a field looks like."""

    ONE_OF = "one-of"
    SOME_OF = "some-of"
    FLAG = "flag"
    SECONDS = "seconds"
    LINE = "line"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A value that one can choose. ``usual`` ones are offered always, others only where they are chosen already."""

    value: str
    label: str
    hint: str
    usual: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonType:
    """What a value is in JSON: a ``type`` (a StrEnum for fixed words), or a list of such where ``items`` says how many.

    ``bounds`` are of a number, ``chars`` of a text, ``items`` of a list; lowest and highest, both allowed.
    """

    type: type[str | int | float | bool]
    bounds: tuple[float, float] | None = None
    chars: tuple[int, int] | None = None
    items: tuple[int, int] | None = None


class Kind(ABC, Generic[T]):
    """One kind of field, for values of type ``T``. ``choices``: what to choose from, nothing for what is typed."""

    input: Input
    json_type: JsonType
    choices: Sequence[Choice] = ()
    may_be_empty = True

    @abstractmethod
    def read(self, given: Json) -> T:
        """A value from JSON. Raises Unreadable for another type."""

    @abstractmethod
    def write(self, value: T) -> Json:
        """A value as JSON."""

    @abstractmethod
    def parse(self, texts: Sequence[str]) -> T:
        """A value from what was typed or chosen. Raises Unreadable."""

    @abstractmethod
    def texts(self, value: T) -> tuple[str, ...]:
        """A value as ``parse`` takes it."""

    def problem(self, value: T) -> str | None:  # noqa: ARG002 - most kinds have no bounds
        """What is wrong with a value, or None."""
        return None

    def facts(self, name: str, value: T) -> dict[str, Fact]:
        """A value as the audit keeps it."""
        return {name: ", ".join(self.texts(value))}

    def say(self, fact: Fact) -> str:
        """A fact of the audit as people read it, whatever an older version kept."""
        if isinstance(fact, bool):
            return "yes" if fact else "no"
        return str(fact) if fact not in (None, "") else "none"

    def say_change(self, name: str, words: str, detail: Mapping[str, Fact]) -> str | None:
        """What the audit's detail says of a change; None where this field is as it was."""
        was = f"was_{name}"
        return f"{words}: {self.say(detail.get(name))} (was {self.say(detail[was])})" if was in detail else None


class OneOf(Kind[Word]):
    """One of some words. ``words``: each with its label and hint, in the order in which they are offered."""

    input = Input.ONE_OF

    def __init__(self, words: Mapping[Word, tuple[str, str]]) -> None:
        self._words = tuple(words)
        self.choices = [Choice(value=it.value, label=label, hint=hint) for it, (label, hint) in words.items()]
        self.json_type = JsonType(type=type(self._words[0]))

    def read(self, given: Json) -> Word:
        return _word(self._words, given)

    def write(self, value: Word) -> Json:
        return value.value

    def parse(self, texts: Sequence[str]) -> Word:
        return _typed_word(self._words, texts[0] if len(texts) == 1 else "")

    def texts(self, value: Word) -> tuple[str, ...]:
        return (value.value,)


class SomeOf(Kind[frozenset[Word]]):
    """Any of some words, none of them too. The first ``usual`` ones are offered always."""

    input = Input.SOME_OF

    def __init__(self, words: Mapping[Word, tuple[str, str]], *, usual: int) -> None:
        self._words = tuple(words)
        self.choices = [
            Choice(value=it.value, label=label, hint=hint, usual=place < usual)
            for place, (it, (label, hint)) in enumerate(words.items())
        ]
        self.json_type = JsonType(type=type(self._words[0]), items=(0, len(words)))

    def read(self, given: Json) -> frozenset[Word]:
        if not isinstance(given, list):
            raise Unreadable("expected an array")
        chosen = frozenset(_word(self._words, it) for it in given)
        if len(chosen) != len(given):
            raise Unreadable("the same one is listed twice")
        return chosen

    def write(self, value: frozenset[Word]) -> Json:
        return [it.value for it in self._words if it in value]

    def parse(self, texts: Sequence[str]) -> frozenset[Word]:
        return frozenset(_typed_word(self._words, text) for text in texts)

    def texts(self, value: frozenset[Word]) -> tuple[str, ...]:
        return tuple(sorted(it.value for it in value))


class Flag(Kind[bool]):
    """Yes or no."""

    input = Input.FLAG
    json_type = JsonType(type=bool)

    def read(self, given: Json) -> bool:
        if not isinstance(given, bool):
            raise Unreadable("expected a boolean")
        return given

    def write(self, value: bool) -> Json:
        return value

    def parse(self, texts: Sequence[str]) -> bool:
        return bool(texts)

    def texts(self, value: bool) -> tuple[str, ...]:
        return ("yes",) if value else ()

    def facts(self, name: str, value: bool) -> dict[str, Fact]:
        return {name: value}


class Seconds(Kind[int]):
    """A time in whole seconds."""

    input = Input.SECONDS

    def __init__(self, lowest: int, highest: int) -> None:
        self.lowest, self.highest = lowest, highest
        self.json_type = JsonType(type=int, bounds=(lowest, highest))

    def read(self, given: Json) -> int:
        if not isinstance(given, int) or isinstance(given, bool):
            raise Unreadable("expected an integer")
        return given

    def write(self, value: int) -> Json:
        return value

    def parse(self, texts: Sequence[str]) -> int:
        text = texts[0] if len(texts) == 1 else ""
        if not text.isascii() or not text.isdigit() or len(text) > 20:
            raise Unreadable(self._expected)
        return int(text)

    def texts(self, value: int) -> tuple[str, ...]:
        return (str(value),)

    def problem(self, value: int) -> str | None:
        return None if self.lowest <= value <= self.highest else self._expected

    def facts(self, name: str, value: int) -> dict[str, Fact]:
        return {name: value}

    def say(self, fact: Fact) -> str:
        return duration(fact) if isinstance(fact, int) and not isinstance(fact, bool) else super().say(fact)

    @property
    def _expected(self) -> str:
        return f"expected a number of seconds from {self.lowest} to {self.highest} ({duration(self.highest)})"


class Proofs(Kind[tuple[str, ...]]):
    """Proofs, at least one, in the order in which they were chosen.

    ``known``: the registered ones, with what an owner reads of each; the table is declared without them
    (:func:`~centralbot.domain.config.fields_with`).
    """

    input = Input.SOME_OF
    may_be_empty = False
    json_type = JsonType(type=str, chars=(0, 100), items=(1, 50))

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = known or {}
        self.choices = [Choice(value=kind, label=_title(kind), hint=hint) for kind, hint in self._known.items()]

    def read(self, given: Json) -> tuple[str, ...]:
        if not isinstance(given, list):
            raise Unreadable("expected an array")
        return tuple(_text(it) for it in given)

    def write(self, value: tuple[str, ...]) -> Json:
        return list(value)

    def parse(self, texts: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(texts))

    def texts(self, value: tuple[str, ...]) -> tuple[str, ...]:
        return value

    def problem(self, value: tuple[str, ...]) -> str | None:
        if not value:
            return "choose at least one proof; without any, everybody would pass"
        if unknown := [kind for kind in value if kind not in self._known]:
            return f"there is no proof {unknown[0][:50]!r}; known are {', '.join(self._known)}"
        return "the same proof is listed twice" if len(set(value)) != len(value) else None


class _Characters(Kind[str]):
    """Text of at most ``most`` characters; it may be empty."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.json_type = JsonType(type=str, chars=(0, most))

    def read(self, given: Json) -> str:
        return _text(given)

    def write(self, value: str) -> Json:
        return value

    def parse(self, texts: Sequence[str]) -> str:
        return "".join(texts)

    def texts(self, value: str) -> tuple[str, ...]:
        return (value,)


class Line(_Characters):
    """One line without space around it. ``what`` names such a text in a refusal."""

    input = Input.LINE

    def __init__(self, most: int, *, what: str) -> None:
        super().__init__(most)
        self.what = what

    def problem(self, value: str) -> str | None:
        if not _is_encodable(value):
            return "not valid text"
        if len(value) > self.most:
            return f"{self.what} has at most {self.most} characters"
        if _CONTROL.search(value) or value != value.strip():
            return f"{self.what} is one line without space around it"
        return None


class Text(_Characters):
    """Lines of text. The audit keeps its length and the start of its SHA-256."""

    input = Input.TEXT

    def problem(self, value: str) -> str | None:
        if len(value) > self.most:
            return f"at most {self.most} characters; these are {len(value)}"
        if _CONTROL_BUT_LINES.search(value):
            return "control characters are not allowed"
        return None if _is_encodable(value) else "not valid text"

    def facts(self, name: str, value: str) -> dict[str, Fact]:
        digest = sha256(value.encode()).hexdigest()[:16] if value else ""
        return {f"{name}_chars": len(value), f"{name}_sha256": digest}

    def say_change(self, name: str, words: str, detail: Mapping[str, Fact]) -> str | None:
        return f"{words} is new" if f"was_{name}_sha256" in detail else None


def _word(words: Collection[Word], given: Json) -> Word:
    for it in words:
        if it.value == given:
            return it
    raise Unreadable(f"choose one of {', '.join(it.value for it in words)}")


def _typed_word(words: Collection[Word], text: str) -> Word:
    """The word that was typed, in any case."""
    return _word(words, next((it.value for it in words if it.value.casefold() == text.casefold()), text))


def _text(given: Json) -> str:
    if not isinstance(given, str):
        raise Unreadable("expected a string")
    return given


def _title(kind: str) -> str:
    """``proof-of-work`` as people read it."""
    words = kind.replace("-", " ").replace("github", "GitHub")
    return words[:1].upper() + words[1:]


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True
