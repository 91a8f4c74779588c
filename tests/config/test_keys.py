"""The table of keys: complete, and each key documented once."""

from __future__ import annotations

import msgspec

from aiex_ipy.config import describe, keys
from aiex_ipy.config.settings import ProviderSettings, Secret, Settings
from aiex_ipy.engine.table import names as operations


def fields(struct: type[msgspec.Struct], above: str = "") -> dict[str, object]:
    """Return the dotted fields below a struct with their types."""
    import typing

    hints = typing.get_type_hints(struct)
    found: dict[str, object] = {}
    for name in struct.__struct_fields__:
        if isinstance(hints[name], type) and issubclass(hints[name], msgspec.Struct):
            found |= fields(hints[name], f"{above}{name}.")
        else:
            found[f"{above}{name}"] = hints[name]
    return found


EXPECTED = {
    **{
        key: hint
        for key, hint in fields(Settings).items()
        if key not in (keys.PROVIDERS, "llm.tasks")
    },
    **{f"llm.tasks.{task}": str | None for task in keys.TASKS},
    **{
        f"{keys.PROVIDER_PREFIX}{key}": hint
        for key, hint in fields(ProviderSettings).items()
        if key not in ("name", "fault")
    },
}


def test_every_field_of_the_settings_is_documented_once() -> None:
    """A field without a row, a row without a field, a key twice: each would fail here."""
    documented = [doc.key for doc in describe()]
    assert len(documented) == len(set(documented))
    assert set(documented) == set(EXPECTED)


def test_every_row_has_its_fields_type() -> None:
    """What a row makes of a value fits what the record holds."""
    kinds: dict[object, set[str]] = {
        int: {"integer", "duration"},
        bool: {"boolean"},
        tuple[str, ...]: {"paths", "suffixes", "strings", "providers"},
        str: {"string", "choice", "model"},
        str | None: {
            "certificates",
            "model_name",
            "path",
            "provider",
            "string",
            "task",
            "url",
            "variable",
        },
        int | None: {"duration", "integer"},
        float | None: {"decimal"},
        Secret | None: {"secret"},
    }
    for doc in describe():
        assert doc.kind in kinds[EXPECTED[doc.key]], doc.key


def test_every_operation_is_a_task() -> None:
    """A new operation needs a key to prefer a model for it."""
    assert set(operations()) <= set(keys.TASKS)


def test_every_row_says_what_people_need() -> None:
    """A sentence for each, bounds for numbers, the unit in a duration's name, own variables."""
    variables = [doc.variable for doc in describe() if doc.variable]
    assert len(variables) == len(set(variables))
    for doc in describe():
        assert doc.doc.endswith("."), doc.key
        assert (doc.kind in ("integer", "duration", "decimal")) == (doc.maximum > 0), doc.key
        assert (doc.kind == "duration") == doc.key.endswith("_ms"), doc.key
        assert doc.variable.startswith("AIEX_") or not doc.variable
        if doc.maximum and doc.default is not None:
            assert doc.minimum <= doc.default <= doc.maximum


def test_no_key_is_both_built_and_planned() -> None:
    """A key that becomes real leaves the list of what is not built."""
    built = {doc.key for doc in describe()}
    planned = [each.key for each in keys.PLANNED]
    assert len(planned) == len(set(planned))
    assert not built & set(planned)
    assert not {doc.variable for doc in describe()} & {
        each.variable for each in keys.PLANNED if each.variable
    }


# Every key in the guide's Elixir configuration and in the requirements.
_GUIDE = """
cluster_enabled
llm.default_provider llm.timeout llm.max_retries llm.backoff_factor llm.max_concurrent_requests
llm.rate_limit.requests_per_minute llm.rate_limit.burst_size llm.distributed_coordination
llm.circuit_breaker.failure_threshold llm.circuit_breaker.recovery_time
llm.providers.openai.api_key llm.providers.openai.model llm.providers.openai.base_url
llm.providers.openai.timeout llm.providers.openai.max_tokens llm.providers.openai.priority
context.max_memory_mb context.persistence_interval_ms context.compression_enabled
context.compression_ratio context.gc_interval_ms context.max_sessions context.session_timeout_ms
context.distributed_sync
sandbox.allowed_paths sandbox.denied_paths sandbox.denied_patterns sandbox.audit_log_enabled
sandbox.audit_log_path sandbox.max_file_size_mb sandbox.allowed_extensions
cluster.node_name cluster.discovery_strategy cluster.heartbeat_interval
cluster.node_recovery_timeout cluster.node_pool_size cluster.load_balance_strategy
cluster.health_check_interval cluster.partition_tolerance cluster.prefer_local_provider
cluster.failover_timeout cluster.service_name cluster.namespace
network.ssl_verify network.ssl_cacertfile network.proxy_url network.timeout network.max_redirects
telemetry.enabled telemetry.metrics telemetry.reporters
logger.level logger.backends logger.file.path logger.file.level logger.file.format
logger.console.format logger.console.metadata
audit.enabled audit.log_level audit.include_content audit.retention_days
sandbox.run.timeout secrets.backend tui.port
"""


def test_every_key_of_the_guide_is_known() -> None:
    """The guide's keys are each built or refused as not built, never unknown."""
    assert [key for key in _GUIDE.split() if keys.find(key) is None] == []


def test_the_bare_word_belongs_to_durations_only() -> None:
    """`timeout` is `timeout_ms`; no other key is guessed from a part of its name."""
    assert keys.canonical("llm.timeout") == "llm.timeout_ms"
    assert keys.canonical("cluster.heartbeat_interval") == "cluster.heartbeat_interval_ms"
    assert keys.canonical("llm.timeout_ms") == "llm.timeout_ms"
    assert keys.find("sandbox.max_file_size") is None
    assert keys.find("llm.providers") is None
