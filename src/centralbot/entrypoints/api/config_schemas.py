"""The schemas of a configuration (contract section 5), made from its table of fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType, convert, defstruct
from msgspec.structs import asdict

from centralbot.domain.config import BY_NAME, FIELDS, RepoConfig, to_document, updated
from centralbot.domain.fields import JsonType


def _bounded(it: JsonType) -> Any:
    """The type of a field that is sent to us."""
    one: Any = it.type
    if it.bounds is not None:
        one = Annotated[one, Meta(ge=it.bounds[0], le=it.bounds[1])]
    if it.chars is not None:
        one = Annotated[one, Meta(max_length=it.chars[1])]
    return one if it.items is None else Annotated[list[one], Meta(min_length=it.items[0], max_length=it.items[1])]


def _plain(it: JsonType) -> Any:
    """The type of a field that we send."""
    return it.type if it.items is None else list[it.type]  # type: ignore[name-defined]


def _struct(name: str, doc: str, annotation: Callable[[JsonType], Any]) -> type[Struct]:
    fields: list[Any] = []
    for it in FIELDS:
        type_ = annotation(it.kind.json_type)
        fields.append((it.name, type_ | UnsetType, UNSET) if it.is_extension else (it.name, type_))
    return defstruct(name, fields, module=__name__, namespace={"__doc__": doc}, kw_only=True, gc=False)


if TYPE_CHECKING:
    ConfigBody: TypeAlias = Struct
    ConfigAnswer: TypeAlias = Struct
else:
    ConfigBody = _struct("ConfigBody", "Extensions that are left out stay as they are.", _bounded)
    ConfigAnswer = _struct("ConfigAnswer", "Extensions are told where they are not the default.", _plain)


def config_of(body: ConfigBody, kept: RepoConfig) -> RepoConfig:
    """The configuration that a PUT asks for; what it does not mention of the extensions stays as it is kept.

    Raises ValidationError.
    """
    return updated(kept, {name: value for name, value in asdict(body).items() if value is not UNSET})


def config_answer(config: RepoConfig) -> ConfigAnswer:
    document = to_document(config)
    told = {
        name: value
        for name, value in document.items()
        if not BY_NAME[name].is_extension or getattr(config, name) != BY_NAME[name].default
    }
    return convert(told, ConfigAnswer)
