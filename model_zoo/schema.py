"""Plain data (TOML, JSON) as dataclasses: the dataclass is the schema, and errors name the place of the wrong value."""

import dataclasses
import functools
import json
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

from model_zoo.errors import suggestion


class SchemaError(ValueError):
    """An unknown key, or a wrong type or value; the message names the place."""


def loads(text: str | bytes) -> Any:
    """Parse untrusted JSON. Raises `SchemaError` for anything else, and for JSON that is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise SchemaError("nested too deep") from None
    except ValueError as error:
        raise SchemaError(str(error)) from None


def parse(kind: Any, value: Any, where: str, *, strict: bool = True) -> Any:
    """Convert `value` to `kind`: a dataclass, Literal, tuple, mapping or scalar; unknown keys are refused if
    `strict`."""
    if kind in (str, int, float, bool):
        return _parse_scalar(kind, value, where)
    if kind is Any:
        return value
    origin = typing.get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _parse_table(kind, value, where, strict)
    if origin is Literal:
        if value not in typing.get_args(kind):
            raise SchemaError(f"{where} must be one of {', '.join(typing.get_args(kind))}; found {value!r}")
        return value
    if origin is types.UnionType:  # the schemas' only unions are `X | None`
        return None if value is None else parse(typing.get_args(kind)[0], value, where, strict=strict)
    if origin is tuple:
        return _parse_array(typing.get_args(kind), value, where, strict)
    if origin is not None:  # the schemas' only other generic is Mapping
        if not isinstance(value, Mapping):
            raise SchemaError(f"{where} must be a table, found {value!r:.100}")
        (_, inner) = typing.get_args(kind)
        return {key: parse(inner, item, f"{where}.{key}", strict=strict) for key, item in value.items()}
    return _parse_scalar(kind, value, where)


def _parse_scalar(kind: Any, value: Any, where: str) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 1023:
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise SchemaError(f"{where} must be a {kind.__name__}, found {value!r:.100}")
    if kind is str and not _is_unicode(value):
        raise SchemaError(f"{where} is no Unicode text: {value!r:.100}")
    return sys.intern(value) if kind is str else value  # a folder's descriptions say the same a hundred thousand times


def _is_unicode(text: str) -> bool:
    """Refuse lone surrogates, which JSON can contain and no file or table can hold."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _parse_table(kind: Any, value: Any, where: str, strict: bool) -> Any:
    if not isinstance(value, Mapping):
        raise SchemaError(f"{where} must be a table, found {value!r:.100}")
    fields, required = _fields(kind)
    for key in value:
        if key not in fields and strict:
            raise SchemaError(f"unknown key {where}.{key}{suggestion(key, fields)}")
    for name in required:
        if name not in value:
            raise SchemaError(f"missing field {where}.{name}")
    return kind(**{key: _field(fields[key], item, where, key, strict) for key, item in value.items() if key in fields})


def _field(kind: Any, value: Any, where: str, key: str, strict: bool) -> Any:
    """Convert as `parse`, with a fast path for common fields: a folder's descriptions have a million of them."""
    if kind is value.__class__ and (kind is int or kind is bool):
        return value
    if kind is str and value.__class__ is str and value.isascii():
        return sys.intern(value)
    return parse(kind, value, f"{where}.{key}", strict=strict)


@functools.cache
def _fields(kind: Any) -> tuple[dict[str, Any], list[str]]:
    """Return types of a dataclass's fields by name, and the names of required ones."""
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)
    missing = (dataclasses.MISSING, dataclasses.MISSING)
    return {f.name: hints[f.name] for f in fields}, [
        f.name for f in fields if (f.default, f.default_factory) == missing
    ]


def _parse_array(kinds: tuple[Any, ...], value: Any, where: str, strict: bool) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise SchemaError(f"{where} must be an array, found {value!r:.100}")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise SchemaError(f"{where} must have {len(kinds)} values, found {len(value)}")
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(parse(kind, item, f"{where}[{i}]", strict=strict) for i, (kind, item) in pairs)
