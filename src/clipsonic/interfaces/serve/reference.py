"""The API's schema => one HTML page for readers, with nothing on it that is fetched from elsewhere."""

from collections.abc import Mapping
from html import escape
from typing import Any

# Only what is on the page itself.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)
STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; border-top: 1px solid #8886; padding-top: 1rem }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% } td { padding: .2rem .8rem .2rem 0; vertical-align: top }
"""


def reference(schema: Mapping[str, Any]) -> tuple[str, str]:
    """The page, and the content security policy under which it is shown."""
    info = schema["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{escape(info['title'])}: the HTTP API</title><style>{STYLE}</style>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}: the HTTP API</h1>",
        f"<p>{escape(info['description'])} For programs: <a href=openapi.json>openapi.json</a>.</p>",
    ]
    for path, methods in schema["paths"].items():
        for method, about in methods.items():
            parts.append(_operation(path, method, about))
    return "\n".join(parts), POLICY


def _operation(path: str, method: str, about: Mapping[str, Any]) -> str:
    rows = [(code, each.get("description", "")) for code, each in about["responses"].items()]
    content = about.get("requestBody", {}).get("content", {})
    fields = (
        [
            (name, " ".join(filter(None, [each.get("description", ""), _bounds(each)])))
            for name, each in next(reversed(content.values()))["schema"]["properties"].items()
        ]
        if content
        else []
    )
    kinds = f"<p>{escape(' or '.join(content))}:</p>" if content else ""
    return (
        f"<h2><code>{method.upper()} {escape(path)}</code></h2><p>{escape(about['summary'])}. "
        f"{escape(about.get('description', ''))}</p>{kinds}{_table(fields)}<p>Answers:</p>{_table(rows)}"
    )


def _bounds(field: Mapping[str, Any]) -> str:
    """What values a field takes."""
    kinds = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    said = []
    for kind in kinds:
        low, high = kind.get("minimum"), kind.get("maximum", kind.get("exclusiveMaximum"))
        said.append("file" if kind.get("format") == "binary" else str(kind.get("type", "")))
        said += [f"{low} to {high}"] if high is not None else []
        said += [", ".join(map(str, kind["enum"]))] if "enum" in kind else []
        said += [f"at most {kind['maxItems']}"] if "maxItems" in kind else []
        said += [f"at most {kind['maxLength']} characters"] if "maxLength" in kind else []
    return f"({'; '.join(filter(None, said))})"


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(f"<tr><td><code>{escape(a)}</code><td>{escape(b)}" for a, b in rows)
    return f"<table>{cells}</table>" if rows else ""
