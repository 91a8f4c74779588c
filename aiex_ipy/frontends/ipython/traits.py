"""Settings as traits, for `%config Aiex`: one trait a key, with `_` for its dots."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Enum, Float, Int, List, Unicode
from traitlets.config import Configurable

from aiex_ipy.config import KeyDoc, describe
from aiex_ipy.config.keys import PROVIDERS
from aiex_ipy.config.loading import load_with_origins
from aiex_ipy.config.settings import Secret
from aiex_ipy.errors import ConfigError, near_miss

if TYPE_CHECKING:
    from aiex_ipy.frontends.ipython.session import Session

PROVIDER_TRAIT = PROVIDERS.replace(".", "_")


@cache
def keys() -> dict[str, str]:
    """Return the dotted key of each trait; all providers are one trait, a dict of dicts."""
    names = {d.key.replace(".", "_"): d.key for d in describe() if not _of_provider(d)}
    return {**names, PROVIDER_TRAIT: PROVIDERS}


@cache
def configurable() -> type[Configurable]:
    """Return a Configurable with one trait a key, for IPython to describe."""
    members: dict[str, Any] = {d.key.replace(".", "_"): _trait(d) for d in describe()}
    members = {name: trait for name, trait in members.items() if name in keys()}
    providers = ", ".join(d.key.rpartition(".")[2] for d in describe() if _of_provider(d))
    members[PROVIDER_TRAIT] = Dict(
        help=f"Providers by name, each a dict of: {providers}. Keys are shown as '***'."
    ).tag(config=True)
    return type("Aiex", (Configurable,), members)


def traits() -> dict[str, Any]:
    """Return the traits by name."""
    found: dict[str, Any] = configurable().class_traits(config=True)
    return found


def help_text(session: Session | None) -> str:
    """Return every trait with its meaning, and its present value in `session`."""
    shown = None
    if session is not None:
        shown = configurable()()
        for name, present in values(session).items():
            shown.set_trait(name, present)
    text: str = configurable().class_get_help(shown)
    return text


def values(session: Session) -> dict[str, Any]:
    """Return the present value of each trait, secrets masked. Raises ConfigError."""
    flat = load_with_origins(overrides=session.overrides).values
    found: dict[str, Any] = {PROVIDER_TRAIT: {}}
    for key, present in flat.items():
        plain = str(present).strip("'") if isinstance(present, Secret) else present
        plain = list(plain) if isinstance(plain, tuple) else plain
        if key.startswith(f"{PROVIDERS}."):
            name, _, word = key.removeprefix(f"{PROVIDERS}.").partition(".")
            found[PROVIDER_TRAIT].setdefault(name, {})[word] = plain
        else:
            found[key.replace(".", "_")] = plain
    return found


def value(session: Session, name: str) -> Any:
    """Return the present value of one trait. Raises AttributeError."""
    if name not in keys():
        line = f"%config Aiex has no setting {name!r}. {near_miss(name, list(keys()))}"
        unknown = AttributeError(line)
        # IPython shows this instead of a traceback through our frames.
        unknown._render_traceback_ = lambda: [f"AttributeError: {line}"]  # type: ignore[attr-defined]
        raise unknown
    return values(session)[name]


def change(session: Session, new: dict[str, Any]) -> None:
    """Set traits for this session. Raises ConfigError, and then changes nothing."""
    overrides = dict(session.overrides)
    for name, present in new.items():
        if name not in keys():
            raise ConfigError(
                f"%config Aiex has no setting {name!r}.", hint=near_miss(name, list(keys()))
            )
        if name != PROVIDER_TRAIT:
            overrides[keys()[name]] = present
            continue
        if not isinstance(present, dict) or not all(isinstance(v, dict) for v in present.values()):
            raise ConfigError(
                f"%config Aiex.{name} is no dict of dicts.",
                hint='Write it like {"openai": {"model": "…"}}.',
            )
        overrides = {k: v for k, v in overrides.items() if not k.startswith(f"{PROVIDERS}.")}
        for provider, words in present.items():
            for word, inner in words.items():
                overrides[f"{PROVIDERS}.{provider}.{word}"] = inner
    session.configure(overrides)


def _of_provider(doc: KeyDoc) -> bool:
    return doc.key.startswith(f"{PROVIDERS}.")


def _trait(doc: KeyDoc) -> Any:
    """A trait that describes; the value itself is checked where all settings are."""
    said = f"{doc.doc} Unit: {doc.unit}." if doc.unit else doc.doc
    if doc.choices:
        return Enum(doc.choices, allow_none=True, help=said).tag(config=True)
    kinds: dict[type, Any] = {int: Int, float: Float, bool: Bool, tuple: List, str: Unicode}
    kind = kinds.get(doc.python_type, AnyTrait)
    default = doc.default
    if kind is List:
        return List(list(default or ()), help=said).tag(config=True)
    return kind(default, allow_none=True, help=said).tag(config=True)
