"""Validation errors as a person wants to read them: key, value, what is expected, the nearest valid name."""

import difflib
from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo


def nearest(value: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or the list of what is known where nothing is near."""
    known = list(known)
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(value.lower(), by_lower, n=1, cutoff=0.5)
    if close:
        return f" (did you mean {by_lower[close[0]]!r}?)"
    return f" (known: {', '.join(known)})"


def describe(error: ValidationError, model: Any) -> str:
    """Every finding of a validation, joined by `; `."""
    return "; ".join(_line(dict(finding), model) for finding in error.errors(include_url=False))


def _line(finding: dict[str, Any], model: Any) -> str:
    path, node = _walk(finding["loc"], model)
    key = ".".join(map(str, path))
    value = finding.get("input")
    shown = "" if isinstance(value, dict | BaseModel) else f" = {value!r}"
    match finding["type"]:
        case "extra_forbidden":
            return f"{key}{shown}: unknown key{nearest(str(path[-1]), node.model_fields if node else ())}"
        case "missing":
            return f"{key}: missing"
        case "union_tag_invalid":
            return f"task: {finding['msg']}"
        case "literal_error":
            expected = finding["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
            return f"{key}{shown}: should be one of {', '.join(expected)}{_hint(value, expected)}"
        case _:
            message = finding["msg"].removeprefix("Value error, ")
            said = f"{message[0].lower()}{message[1:]}"
            return f"{key}{shown}: {said}" if path else said  # of several keys together: it names them


def _hint(value: Any, expected: list[str]) -> str:
    close = difflib.get_close_matches(str(value).lower(), expected, n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _walk(location: tuple[Any, ...], model: Any) -> tuple[list[Any], type[BaseModel] | None]:
    """Follow an error's location through the model; drop the tags of unions, which are no keys a person wrote."""
    candidates = _models(model)
    path: list[Any] = []
    for part in location:
        fields: list[FieldInfo] = [
            candidate.model_fields[part] for candidate in candidates if part in candidate.model_fields
        ]
        tagged = [candidate for candidate in candidates if _tag(candidate) == part]
        if fields:
            path.append(part)
            candidates = [found for field in fields for found in _models(field.annotation)] or candidates[:0]
        elif tagged and len(candidates) > 1:
            candidates = tagged
        else:
            path.append(part)
    # for an unknown key the model that refused it is the one reached before its own, unknown, name
    return path, candidates[0] if len(candidates) == 1 else None


def _tag(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("task")
    values = get_args(field.annotation) if field else ()
    return str(values[0]) if len(values) == 1 else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The pydantic models an annotation can hold."""
    if isinstance(annotation, TypeAdapter):
        return _models(annotation._type)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
