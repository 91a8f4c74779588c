"""The settings model: every key aiex knows, typed, with its default.

Durations are integers in milliseconds. A settings value is immutable; `aiex_ipy.config.load`
makes one from the layers.
"""

from __future__ import annotations

from typing import NoReturn

from msgspec import Struct, field

from aiex_ipy.errors import ConfigError


class Secret:
    """A value that never shows itself: `repr`, `str` and formatting give `'***'`, and neither
    pickle nor JSON takes it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value, for the one place that sends it to its provider."""
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "'***'"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled.")

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class ProviderSettings(Struct, frozen=True, kw_only=True):
    """One provider instance, `[llm.providers.NAME]`. None means the kind's own default.

    `api_key_env` is the variable the key is looked for in, for messages about a missing key;
    None where the kind has none. `timeout_ms` holds `llm.timeout_ms` when that was set and the
    instance has none of its own. `fallbacks` are asked after it, in order. The three limits are
    None for the defaults of `LLMSettings`, which hold for remote servers only; a number holds
    wherever the server is. Prices are USD per million tokens, None for the price table's. `fault`
    is what is wrong with its settings: it is raised when the provider is asked, and harms no other.
    """

    name: str
    kind: str
    base_url: str | None = None
    api_key: Secret | None = None
    api_key_env: str | None = None
    model: str | None = None
    timeout_ms: int | None = None
    max_tokens: int = 4000
    priority: int = 100
    answers: tuple[str, ...] = ()
    fallbacks: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    burst_size: int | None = None
    max_concurrent_requests: int | None = None
    input_usd_per_mtok: float | None = None
    output_usd_per_mtok: float | None = None
    fault: ConfigError | None = None


class EmbeddedSettings(Struct, frozen=True, kw_only=True):
    """The embedded model: `model` is a name known to `aiex models` or a path to a GGUF."""

    model: str = "smollm2"
    threads: int = 2
    context_tokens: int = 4096
    prompt_budget_tokens: int = 700
    first_byte_timeout_ms: int = 60_000
    linger_ms: int = 5_000


class RateLimitSettings(Struct, frozen=True, kw_only=True):
    """How often one remote provider is asked; source: the guide, "LLM Optimization"."""

    requests_per_minute: int = 60
    burst_size: int = 10


class CircuitBreakerSettings(Struct, frozen=True, kw_only=True):
    """When a provider that fails is left alone; source: the guide, "Circuit Breakers"."""

    failure_threshold: int = 5
    recovery_time_ms: int = 60_000


class CacheSettings(Struct, frozen=True, kw_only=True):
    """The response cache on disk, in MB of 10^6 bytes."""

    enabled: bool = False
    max_mb: int = 100


class BudgetSettings(Struct, frozen=True, kw_only=True):
    """What one process may spend on answers; None means no bound."""

    cost_usd: float | None = None
    tokens: int | None = None


class LLMSettings(Struct, frozen=True, kw_only=True):
    """`timeout_ms` is the first-byte deadline. `tasks` maps an operation to `provider`,
    `provider/model` or `/model`. `max_retries` come after the first attempt, and none begins
    later than `retry_budget_ms` after the request."""

    default_provider: str | None = None
    fallback_provider: str | None = None
    timeout_ms: int = 30_000
    connect_timeout_ms: int = 5_000
    idle_timeout_ms: int = 60_000
    total_timeout_ms: int = 600_000
    max_retries: int = 3
    backoff_factor: int = 2
    retry_budget_ms: int = 60_000
    rate_limit: RateLimitSettings = RateLimitSettings()
    max_concurrent_requests: int = 10
    max_queued_requests: int = 1_000
    circuit_breaker: CircuitBreakerSettings = CircuitBreakerSettings()
    prefer_local: bool = False
    tasks: dict[str, str] = field(default_factory=dict)
    deduplicate: bool = True
    cache: CacheSettings = CacheSettings()
    budget: BudgetSettings = BudgetSettings()
    probe_timeout_ms: int = 200
    probe_keep_ms: int = 30_000
    providers: dict[str, ProviderSettings] = field(default_factory=dict)
    embedded: EmbeddedSettings = EmbeddedSettings()


class SandboxSettings(Struct, frozen=True, kw_only=True):
    """What the workspace may read. `allowed_extensions` empty means the built-in list;
    `denied_patterns` come on top of the built-in ones. Paths are absolute."""

    max_file_size_mb: int = 10
    allowed_extensions: tuple[str, ...] = ()
    allowed_paths: tuple[str, ...] = ()
    denied_paths: tuple[str, ...] = ()
    denied_patterns: tuple[str, ...] = ()


class DisplaySettings(Struct, frozen=True, kw_only=True):
    """How answers are shown in IPython. `updates_per_second` bounds display updates."""

    updates_per_second: int = 15
    widgets: bool = True


class CompletionSettings(Struct, frozen=True, kw_only=True):
    """How code is completed. `jedi_deadline_ms` 0 leaves jedi out; `ghost_text` asks a model for
    grey text while typing pauses in terminal IPython."""

    jedi_deadline_ms: int = 150
    max_tokens: int = 64
    ghost_text: bool = False


class AnalyzeSettings(Struct, frozen=True, kw_only=True):
    """`analyzers` names plugins whose issues are shown beside the built-in ones."""

    analyzers: tuple[str, ...] = ()


class NetworkSettings(Struct, frozen=True, kw_only=True):
    """How servers are reached; source: the guide, "Network". `ssl_cacertfile` None means the
    system's certificates, `proxy_url` None the environment's proxy."""

    ssl_verify: bool = True
    ssl_cacertfile: str | None = None
    proxy_url: str | None = None
    timeout_ms: int = 30_000
    max_redirects: int = 3


class Settings(Struct, frozen=True, kw_only=True):
    project_dir: str | None = None
    env: str = "dev"
    log: str = "warning"
    llm: LLMSettings = LLMSettings()
    sandbox: SandboxSettings = SandboxSettings()
    display: DisplaySettings = DisplaySettings()
    completion: CompletionSettings = CompletionSettings()
    analyze: AnalyzeSettings = AnalyzeSettings()
    network: NetworkSettings = NetworkSettings()
