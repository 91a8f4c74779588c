"""The reference page of requests and results, and their JSON schemas, one file a version."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import msgspec

from aiex_ipy.messages import Answer
from aiex_ipy.operations.analyze import Analysis, AnalyzeRequest
from aiex_ipy.operations.ask import AskRequest
from aiex_ipy.operations.chat import ChatRequest
from aiex_ipy.operations.complete import CompleteRequest, Completion
from aiex_ipy.operations.debug import DebugReport, DebugRequest
from aiex_ipy.operations.doc import DocRequest, Documentation
from aiex_ipy.operations.evaluate import EvalRequest, Evaluation
from aiex_ipy.operations.explain import ExplainRequest, Explanation
from aiex_ipy.operations.health import HealthRequest, NotebookHealth
from aiex_ipy.operations.project import ProjectRequest, ProjectSurvey
from aiex_ipy.operations.suggest_tests import TestSuggestions, TestSuggestRequest
from aiex_ipy.render.results import schema

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
OPERATIONS: dict[str, tuple[type[msgspec.Struct], type[msgspec.Struct]]] = {
    "ask": (AskRequest, Answer),
    "chat": (ChatRequest, Answer),
    "analyze": (AnalyzeRequest, Analysis),
    "complete": (CompleteRequest, Completion),
    "debug": (DebugRequest, DebugReport),
    "doc": (DocRequest, Documentation),
    "eval": (EvalRequest, Evaluation),
    "explain": (ExplainRequest, Explanation),
    "health": (HealthRequest, NotebookHealth),
    "project": (ProjectRequest, ProjectSurvey),
    "test_suggest": (TestSuggestRequest, TestSuggestions),
}
HEAD = """\
# Requests and results

Generated from the records themselves.

Each operation is one request and one result, the same in Python, in a magic and on the command
line. `--output json` writes the result as its schema says: keys always in this order, no times, no
absolute paths, so that the same facts give the same bytes. `schema_version` stands in each result;
the number in a schema's name is that version.
"""


def described(record: type[msgspec.Struct]) -> str:
    """The record's docstring as one paragraph."""
    return re.sub(r"\s+", " ", inspect.getdoc(record) or "")


def kind(part: dict[str, Any]) -> str:
    """The type a schema says, in words."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in part:
        return " or ".join(kind(each) for each in part["anyOf"])
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if "prefixItems" in part:
        return f"[{', '.join(kind(each) for each in part['prefixItems'])}]"
    if part.get("type") == "array":
        return f"list of {kind(part.get('items', {}))}"
    if part.get("type") == "object" and isinstance(part.get("additionalProperties"), dict):
        return f"object of {kind(part['additionalProperties'])}"
    return str(part.get("type", "anything"))


def fields(properties: dict[str, Any], required: list[str]) -> str:
    """A table of the fields in their order."""
    rows = []
    for name, part in properties.items():
        default = "" if name in required else f"`{json.dumps(part.get('default'))}`"
        rows.append(f"| `{name}` | {kind(part)} | {default} |")
    return "\n".join(["| field | type | default |", "|---|---|---|", *rows])


def file_of(record: type[msgspec.Struct]) -> Path:
    """Where the schema of a record stands; the version is its result's."""
    result = dict(OPERATIONS.values()).get(record, record)
    version = next(f.default for f in msgspec.structs.fields(result) if f.name == "schema_version")
    words = re.sub(r"(?<!^)(?=[A-Z])", "-", record.__name__).lower()
    return REFERENCE / "schemas" / f"{words}-{version}.json"


def pages() -> dict[Path, str]:
    """The page and the schemas."""
    written: dict[Path, str] = {}
    parts = [HEAD.rstrip()]
    shared: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for operation, (request, result) in OPERATIONS.items():
        parts.append(f"## {operation}")
        for record in (request, result):
            whole = schema(record)
            file = file_of(record)
            written[file] = json.dumps(whole, indent=2) + "\n"
            name = record.__name__
            link = f"[schema](schemas/{file.name})"
            if name in seen:
                parts.append(f"The result is an [{name}](#{name.lower()}), {link}.")
                continue
            seen.add(name)
            definitions = whole["$defs"]
            own = definitions.pop(name)
            shared |= definitions
            parts += [f"### {name}", f"{described(record)} ({link})"]
            parts.append(fields(own["properties"], own.get("required", [])))
    parts.append("## Parts of them")
    for name in sorted(set(shared) - seen):
        parts += [f"### {name}", re.sub(r"\s+", " ", shared[name].get("description", ""))]
        parts.append(fields(shared[name]["properties"], shared[name].get("required", [])))
    page = "\n\n".join(part for part in parts if part) + "\n"
    return {REFERENCE / "results.md": page, **written}
