"""What is configured and ready, as one record."""

from __future__ import annotations

from msgspec import Struct

from aiex_ipy import __version__
from aiex_ipy.engine.engine import Engine
from aiex_ipy.errors import AiexError
from aiex_ipy.grounding.versions import versions
from aiex_ipy.providers import model_store
from aiex_ipy.routing.choice import Choice
from aiex_ipy.routing.health import ProviderState, provider_states
from aiex_ipy.routing.ledger import Spent


class Status(Struct, frozen=True, kw_only=True):
    """`provider` and `model` are those a question would go to now, None when there is none or
    the provider chooses; `why` says how they were chosen. `usage` is what this process used,
    `states` how the providers it asked stand. Holds no secret."""

    version: str
    project_dir: str | None
    provider: str | None
    model: str | None
    why: str
    providers: tuple[str, ...]
    local_model: str
    analyzers: dict[str, str]
    usage: Spent = Spent()
    states: tuple[ProviderState, ...] = ()
    notices: tuple[str, ...] = ()


def status_of(engine: Engine) -> Status:
    """Return the status. Local ports may be probed; no remote server is asked."""
    faults = [each.fault for each in engine.settings.llm.providers.values()]
    notices = list(dict.fromkeys(str(fault) for fault in faults if fault is not None))
    provider = model = None
    why = ""
    try:
        targets = engine.call(engine.models.targets(Choice()))
        if targets:
            provider, model, why = targets[0].provider, targets[0].model, targets[0].note
    except AiexError as error:
        notices.append(str(error))
    try:
        found = model_store.find(engine.settings.llm.embedded.model)
        local = f"{found.model}, {found.size_bytes / 1e6:.0f} MB"
    except AiexError as error:
        local = str(error)
    return Status(
        version=__version__,
        project_dir=engine.settings.project_dir,
        provider=provider,
        model=model,
        why=why,
        providers=tuple(sorted(engine.settings.llm.providers)),
        local_model=local,
        analyzers=versions(),
        usage=engine.models.state.ledger.totals().all,
        states=tuple(provider_states(engine.models)),
        notices=tuple(notices),
    )
