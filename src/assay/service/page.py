"""The OpenAPI description as one plain page: FastAPI's own would load scripts from another host."""

from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = "body{font:16px/1.5 system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem}code{background:#eee}"


def described(schema: Mapping[str, Any]) -> str:
    """HTML of what an OpenAPI document says: every route with its words, parameters and answers."""
    info = schema["info"]
    parts = [f"<h1>{escape(info['title'])}</h1><p>{escape(info.get('description', ''))}</p>"]
    for path, methods in schema["paths"].items():
        for method, route in methods.items():
            words = escape(route.get("description", route.get("summary", "")))
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{words}</p><ul>")
            for given in route.get("parameters", []):
                kind = given["schema"]
                about = [given.get("description", ""), _range(kind)]
                said = "; ".join(escape(part) for part in about if part)
                parts.append(f"<li><code>{escape(given['name'])}</code> {said}</li>")
            answers = ", ".join(
                f"{status} {answer['description']}" for status, answer in route["responses"].items()
            )
            parts.append(f"</ul><p>Answers: {escape(answers)}.</p>")
    body = "".join(parts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<style>{_STYLE}</style><body>{body}<p><a href="openapi.json">openapi.json</a></p></body></html>'
    )


def _range(kind: Mapping[str, Any]) -> str:
    if "enum" in kind:
        limits = "one of " + ", ".join(map(str, kind["enum"]))
    elif "minimum" in kind:
        limits = f"{kind['minimum']:g} to {kind['maximum']:g}"
    else:
        limits = str(kind.get("type", ""))
    return limits + (f", else {kind['default']}" if "default" in kind else "")
