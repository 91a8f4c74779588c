"""What is known of the vendors' models before any is asked: defaults, and which are gone."""

from __future__ import annotations

import datetime
from functools import lru_cache
from pathlib import Path

import msgspec
from msgspec import Struct

from aiex_ipy.errors import ProviderError
from aiex_ipy.providers.faults import Peer


class Retired(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Models that are shut down `on` a day (None: already, the vendor names no day any more)."""

    models: tuple[str, ...]
    use: str
    on: datetime.date | None = None


class VendorFacts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One vendor: its own hosts, the model used when none is set, the quick and cheap one used to
    complete code, the retired ones."""

    hosts: tuple[str, ...]
    default: str
    fast: str
    retired: tuple[Retired, ...] = ()


def facts(kind: str) -> VendorFacts:
    """Return what `model_facts.toml` says of a vendor."""
    return _table()[kind]


def fast_model(kind: str) -> str | None:
    """Return the model that completes code when none is named; None where the server decides."""
    known = _table().get(kind)
    return known.fast if known else None


def check_not_retired(
    kind: str, model: str, peer: Peer, *, today: datetime.date | None = None
) -> str:
    """Raise ProviderError with code `model_retired` for a model that the vendor has shut down.

    Return a note for one that will be, else `""`. This holds on the vendor's own host only;
    elsewhere every name passes.
    """
    for row in facts(kind).retired:
        if model in row.models:
            when = f" on {row.on.isoformat()}" if row.on else ""
            if row.on is not None and row.on > (today or _today()):
                return f"it will be shut down{when}, use {row.use!r} then"
            raise ProviderError(
                f"{peer.subject} has shut down model {model!r}{when}.",
                code="model_retired",
                hint=f"Set the model of provider {peer.provider!r} to {row.use!r}.",
                provider=peer.provider,
                model=model,
            )
    return ""


def is_in_ollamas_cloud(model: str) -> bool:
    """Return whether a name is one of the models that Ollama passes questions on to its cloud for.

    `gpt-oss:120b-cloud` and `glm-5:cloud` are asked through the server on this machine, with its
    user's account, and do not run there.
    Source: https://docs.ollama.com/cloud, "Running Cloud models".
    """
    return model.endswith(("-cloud", ":cloud"))


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


@lru_cache(maxsize=1)
def _table() -> dict[str, VendorFacts]:
    text = Path(__file__).with_name("model_facts.toml").read_bytes()
    return msgspec.toml.decode(text, type=dict[str, VendorFacts])
