"""Every key of the settings, documented once; and the keys whose feature is not built yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from aiex_ipy.config.settings import ProviderSettings, Settings

Kind = Literal[
    "string",
    "integer",
    "decimal",
    "boolean",
    "duration",
    "choice",
    "provider",
    "providers",
    "task",
    "path",
    "paths",
    "certificates",
    "model",
    "model_name",
    "suffixes",
    "strings",
    "url",
    "variable",
    "secret",
]

PROVIDERS = "llm.providers"
PROVIDER_PREFIX = f"{PROVIDERS}.NAME."
DAY_MS = 86_400_000
TASKS = (
    "ask",
    "chat",
    "analyze",
    "refactor",
    "complete",
    "debug",
    "doc",
    "eval",
    "explain",
    "health",
    "project",
    "test_suggest",
)
"""What a model may be preferred for, `llm.tasks.NAME`: the operations."""


class KeyDoc(Struct, frozen=True, kw_only=True):
    """One key. `minimum` and `maximum` are inclusive and bound numbers only. `zero` says what 0
    would do, where it is refused for that.

    `variable` is the environment variable, `""` when there is none. `in_files` False means
    that the key is needed to find the files and so cannot stand in one; `users_own` that it
    cannot stand in a project's, because it says whom its user trusts.
    """

    key: str
    kind: Kind
    doc: str
    variable: str = ""
    unit: str = ""
    choices: tuple[str, ...] = ()
    minimum: int = 0
    maximum: int = 0
    zero: str = ""
    in_files: bool = True
    users_own: bool = False

    @property
    def default(self) -> Any:
        """The value when no layer sets the key; None where the kind or the situation decides."""
        if self.key.startswith(PROVIDER_PREFIX):
            defaults = ProviderSettings(name="", kind="")
            return getattr(defaults, self.key.removeprefix(PROVIDER_PREFIX)) or None
        return value_at(Settings(), self.key)

    @property
    def python_type(self) -> type:
        """`int`, `float`, `bool`, `tuple` (of str) or `str`."""
        types: dict[str, type] = {
            "integer": int,
            "duration": int,
            "decimal": float,
            "boolean": bool,
        }
        plural = self.kind in ("paths", "suffixes", "strings", "providers")
        return tuple if plural else types.get(self.kind, str)


class PlannedKey(Struct, frozen=True):
    """A key of the guide that is refused until its feature exists.

    `inert` is the one value that asks for nothing and is therefore accepted.
    """

    key: str
    feature: str
    variable: str = ""
    inert: Any = None


def _key(key: str, kind: Kind, doc: str, variable: str = "", **more: Any) -> KeyDoc:
    if kind == "duration":
        more = {"unit": "ms", "maximum": DAY_MS, "minimum": 1, **more}
    return KeyDoc(key=key, kind=kind, doc=doc, variable=variable, **more)


_REFUSES_ALL = "refuse every call"

KEYS: tuple[KeyDoc, ...] = (
    _key(
        "project_dir",
        "path",
        "The project: where its settings file is looked for and paths are shown from. Left out, "
        "it is the nearest directory above with a settings file, else with a project marker, "
        "else the working directory.",
        "AIEX_PROJECT_DIR",
        in_files=False,
    ),
    _key(
        "env",
        "choice",
        "Which `[profiles.NAME]` table of the files applies.",
        "AIEX_ENV",
        choices=("dev", "prod", "test"),
        in_files=False,
    ),
    _key(
        "log",
        "choice",
        "The least severe log message that is written to stderr.",
        "AIEX_LOG",
        choices=("debug", "info", "warning", "error"),
    ),
    _key(
        "llm.default_provider",
        "provider",
        "The provider asked first; `none` answers from facts alone. Left out: the first with a "
        "key, else a local server that answers, else the embedded model, else none.",
        "AIEX_DEFAULT_PROVIDER",
    ),
    _key(
        "llm.fallback_provider",
        "provider",
        "The provider asked after all others.",
        "AIEX_FALLBACK_PROVIDER",
    ),
    _key(
        "llm.prefer_local",
        "boolean",
        "Whether servers on this machine and the embedded model come before all others where no "
        "default provider is set.",
        "AIEX_LLM_PREFER_LOCAL",
    ),
    _key(
        "llm.max_retries",
        "integer",
        "How often a provider is asked again after its first attempt failed in a way that may "
        "pass. 0 never.",
        "AIEX_LLM_MAX_RETRIES",
        unit="retries",
        maximum=100,
    ),
    _key(
        "llm.backoff_factor",
        "integer",
        "How many times longer each pause before a retry is than the one before it; the first is "
        "half a second, the longest eight.",
        "AIEX_LLM_BACKOFF_FACTOR",
        minimum=1,
        maximum=100,
    ),
    _key(
        "llm.retry_budget_ms",
        "duration",
        "How long after a provider was first asked its last retry may begin. A server that asks "
        "for a longer pause is not waited for.",
        "AIEX_LLM_RETRY_BUDGET",
        minimum=0,
    ),
    _key(
        "llm.circuit_breaker.failure_threshold",
        "integer",
        "After how many faults in a row a model of a provider is left alone.",
        "AIEX_LLM_FAILURE_THRESHOLD",
        unit="faults",
        minimum=1,
        maximum=1_000_000,
    ),
    _key(
        "llm.circuit_breaker.recovery_time_ms",
        "duration",
        "How long it is left alone before one request tries it.",
        "AIEX_LLM_RECOVERY_TIME",
    ),
    *(
        _key(
            f"llm.tasks.{task}",
            "task",
            f"Who answers `{task}`, and with which model.",
        )
        for task in TASKS
    ),
    _key(
        "llm.timeout_ms",
        "duration",
        "How long a provider without its own `timeout_ms` may take to its first word.",
        "AIEX_LLM_TIMEOUT",
    ),
    _key(
        "llm.connect_timeout_ms",
        "duration",
        "How long a connection to a provider may take to come about.",
        "AIEX_LLM_CONNECT_TIMEOUT",
    ),
    _key(
        "llm.idle_timeout_ms",
        "duration",
        "How long an answer may pause between two words. What a server sends only to keep the "
        "connection is no word.",
        "AIEX_LLM_IDLE_TIMEOUT",
    ),
    _key(
        "llm.total_timeout_ms",
        "duration",
        "How long an answer may take altogether.",
        "AIEX_LLM_TOTAL_TIMEOUT",
    ),
    _key(
        "llm.rate_limit.requests_per_minute",
        "integer",
        "How often one remote provider is asked in the long run. Servers on this machine are "
        "asked as often as wanted.",
        "AIEX_LLM_REQUESTS_PER_MINUTE",
        unit="1/min",
        minimum=1,
        maximum=1_000_000,
    ),
    _key(
        "llm.rate_limit.burst_size",
        "integer",
        "How many requests one remote provider may get at once after a pause.",
        "AIEX_LLM_BURST_SIZE",
        unit="requests",
        minimum=1,
        maximum=1_000_000,
    ),
    _key(
        "llm.max_concurrent_requests",
        "integer",
        "How many requests one remote provider works on at a time. Where it is more than one, "
        "batch work leaves one free for questions.",
        "AIEX_LLM_MAX_CONCURRENT_REQUESTS",
        unit="requests",
        minimum=1,
        maximum=10_000,
    ),
    _key(
        "llm.max_queued_requests",
        "integer",
        "How many questions, and how many requests of batch work, may wait for one provider; "
        "more are refused at once.",
        "AIEX_LLM_MAX_QUEUED_REQUESTS",
        unit="requests",
        minimum=0,
        maximum=1_000_000,
    ),
    _key(
        "llm.deduplicate",
        "boolean",
        "Whether identical requests at the same time share one answer. Those that ask for a "
        "temperature above 0 do not.",
        "AIEX_LLM_DEDUPLICATE",
    ),
    _key(
        "llm.cache.enabled",
        "boolean",
        "Whether whole answers are kept in the data directory and given again, at no cost, for "
        "exactly the same request.",
        "AIEX_LLM_CACHE_ENABLED",
    ),
    _key(
        "llm.cache.max_mb",
        "integer",
        "The largest the file of those answers may be, in MB of 10^6 bytes; the least recently "
        "used go first.",
        "AIEX_LLM_CACHE_MAX_MB",
        unit="MB",
        minimum=1,
        maximum=100_000,
    ),
    _key(
        "llm.probe_timeout_ms",
        "duration",
        "How long the local servers are waited for when a provider is looked for.",
        "AIEX_LLM_PROBE_TIMEOUT",
    ),
    _key(
        "llm.probe_keep_ms",
        "duration",
        "How long the answer of that search is kept.",
        "AIEX_LLM_PROBE_KEEP",
        minimum=0,
    ),
    _key(
        "llm.budget.cost_usd",
        "decimal",
        "The most a process may spend on answers: the call that reaches it ends, the next is "
        "refused. A model of unknown price is refused too. A project's file may only lower it.",
        "AIEX_LLM_BUDGET_COST_USD",
        unit="USD",
        maximum=1_000_000,
        zero=_REFUSES_ALL,
    ),
    _key(
        "llm.budget.tokens",
        "integer",
        "The most tokens a process may use, prompts and answers together, as above.",
        "AIEX_LLM_BUDGET_TOKENS",
        unit="tokens",
        maximum=1_000_000_000_000,
        zero=_REFUSES_ALL,
    ),
    _key(
        "llm.embedded.model",
        "model",
        "The embedded model: a name of `aiex models list` or the path of a GGUF file.",
        "AIEX_EMBEDDED_MODEL",
    ),
    _key(
        "llm.embedded.threads",
        "integer",
        "Most threads of the embedded model's server; a model under 300 MB writes with one.",
        "AIEX_EMBEDDED_THREADS",
        unit="threads",
        minimum=1,
        maximum=1024,
    ),
    _key(
        "llm.embedded.context_tokens",
        "integer",
        "Context of the embedded model: prompt and answer together.",
        "AIEX_EMBEDDED_CONTEXT_TOKENS",
        unit="tokens",
        minimum=256,
        maximum=1_048_576,
    ),
    _key(
        "llm.embedded.prompt_budget_tokens",
        "integer",
        "The most a prompt for the embedded model may hold.",
        "AIEX_EMBEDDED_PROMPT_BUDGET_TOKENS",
        unit="tokens",
        minimum=64,
        maximum=1_048_576,
    ),
    _key(
        "llm.embedded.first_byte_timeout_ms",
        "duration",
        "How long the embedded model's first word is waited for.",
        "AIEX_EMBEDDED_FIRST_BYTE_TIMEOUT",
    ),
    _key(
        "llm.embedded.linger_ms",
        "duration",
        "How long the embedded model's server stays after its last user has left.",
        "AIEX_EMBEDDED_LINGER",
        minimum=0,
    ),
    _key(
        "llm.providers.NAME.kind",
        "string",
        "The kind of provider. Left out: NAME if that is a kind, else the kind NAME begins "
        "with, so that `openai_turbo` is openai.",
    ),
    _key(
        "llm.providers.NAME.base_url",
        "url",
        "Where the server is; `http://` may be left out, and for Ollama, LM Studio and Anthropic "
        "`/v1` too. `AIEX_OLLAMA_HOST`, `AIEX_LM_STUDIO_HOST`, `OPENAI_BASE_URL` and "
        "`ANTHROPIC_BASE_URL` set it for the instance named as its kind.",
    ),
    _key(
        "llm.providers.NAME.api_key",
        "secret",
        "The key. Better kept in `OPENAI_API_KEY` or `ANTHROPIC_API_KEY`, which are used by every "
        "instance of the kind that has none, and win for the instance named as its kind.",
    ),
    _key(
        "llm.providers.NAME.api_key_env",
        "variable",
        "The environment variable that holds the key, where it is not the vendor's own. Not "
        "accepted in a project's file.",
    ),
    _key(
        "llm.providers.NAME.model",
        "model_name",
        "The model. Left out: the kind's default, Ollama's most recently used one that can chat, "
        "LM Studio's loaded one.",
    ),
    _key(
        "llm.providers.NAME.timeout_ms",
        "duration",
        "How long this provider may take. Left out: `llm.timeout_ms` if that is set and the kind "
        "has a server that aiex does not start, else the kind's own.",
    ),
    _key(
        "llm.providers.NAME.max_tokens",
        "integer",
        "The most tokens an answer may have.",
        unit="tokens",
        minimum=1,
        maximum=1_048_576,
    ),
    _key(
        "llm.providers.NAME.priority",
        "integer",
        "The order among providers, 1 first.",
        minimum=1,
        maximum=1_000_000,
    ),
    _key(
        "llm.providers.NAME.requests_per_minute",
        "integer",
        "How often this provider is asked in the long run, wherever its server is. Left out: "
        "`llm.rate_limit.requests_per_minute` for a remote one.",
        unit="1/min",
        minimum=1,
        maximum=1_000_000,
    ),
    _key(
        "llm.providers.NAME.burst_size",
        "integer",
        "How many requests this provider may get at once after a pause, wherever its server is. "
        "Left out: `llm.rate_limit.burst_size` where its rate is limited.",
        unit="requests",
        minimum=1,
        maximum=1_000_000,
    ),
    _key(
        "llm.providers.NAME.max_concurrent_requests",
        "integer",
        "How many requests this provider works on at a time, wherever its server is. Left out: "
        "`llm.max_concurrent_requests` for a remote one; the embedded model works on two.",
        unit="requests",
        minimum=1,
        maximum=10_000,
    ),
    _key(
        "llm.providers.NAME.input_usd_per_mtok",
        "decimal",
        "The price of input, for a server the price table does not know, or knows wrongly. Both "
        "prices are set together, and not in a project's file.",
        unit="USD per million tokens",
        maximum=1_000_000,
    ),
    _key(
        "llm.providers.NAME.output_usd_per_mtok",
        "decimal",
        "The price of output.",
        unit="USD per million tokens",
        maximum=1_000_000,
    ),
    _key(
        "llm.providers.NAME.fallbacks",
        "providers",
        "The providers asked right after this one, in order, when it cannot answer.",
    ),
    _key(
        "llm.providers.NAME.answers",
        "strings",
        "The answers of a `scripted` provider, in order.",
    ),
    _key(
        "sandbox.max_file_size_mb",
        "integer",
        "The largest file that is read, in MB of 10^6 bytes.",
        "AIEX_SANDBOX_MAX_FILE_SIZE_MB",
        unit="MB",
        minimum=1,
        maximum=10_000,
    ),
    _key(
        "sandbox.allowed_extensions",
        "suffixes",
        "The file name suffixes that are read. Left out: the usual source, text and notebook "
        "suffixes.",
        "AIEX_SANDBOX_ALLOWED_EXTENSIONS",
    ),
    _key(
        "sandbox.allowed_paths",
        "paths",
        "Directories that may be read without being named in the command, besides the project, "
        "the working directory, `~/code`, `~/projects` and the interpreter's library.",
        "AIEX_SANDBOX_ALLOWED_PATHS",
    ),
    _key(
        "sandbox.denied_paths",
        "paths",
        "Directories and files that are never read.",
        "AIEX_SANDBOX_DENIED_PATHS",
    ),
    _key(
        "sandbox.denied_patterns",
        "strings",
        "Patterns of paths that are never read, besides the built-in ones for keys and secret "
        "files. `**` stands for any directories.",
        "AIEX_SANDBOX_DENIED_PATTERNS",
    ),
    _key(
        "display.updates_per_second",
        "integer",
        "How often an answer is redrawn in IPython while it comes.",
        "AIEX_DISPLAY_UPDATES_PER_SECOND",
        unit="1/s",
        minimum=1,
        maximum=60,
    ),
    _key(
        "display.widgets",
        "boolean",
        "Whether progress is shown as a widget with a cancel button where the front end can.",
        "AIEX_DISPLAY_WIDGETS",
    ),
    _key(
        "completion.jedi_deadline_ms",
        "duration",
        "How long a completion waits for jedi; later answers serve the next key. 0 leaves jedi "
        "out.",
        "AIEX_COMPLETION_JEDI_DEADLINE",
        unit="ms",
        minimum=0,
        maximum=10_000,
    ),
    _key(
        "completion.max_tokens",
        "integer",
        "The most tokens a model may write for one completion.",
        "AIEX_COMPLETION_MAX_TOKENS",
        unit="tokens",
        minimum=1,
        maximum=1_000,
    ),
    _key(
        "completion.ghost_text",
        "boolean",
        "Whether a model is asked for grey text at the cursor in terminal IPython when typing "
        "pauses.",
        "AIEX_COMPLETION_GHOST_TEXT",
    ),
    _key(
        "analyze.analyzers",
        "strings",
        "Analyzers of other packages (entry points `aiex.analyzers`) whose issues are shown "
        "beside the built-in ones. They never move the quality score.",
        "AIEX_ANALYZE_ANALYZERS",
    ),
    _key(
        "network.ssl_verify",
        "boolean",
        "Whether the certificates of servers are checked. Without it anyone on the way can read "
        "and answer; the first answer says so. Not accepted in a project's file.",
        "AIEX_NETWORK_SSL_VERIFY",
        users_own=True,
    ),
    _key(
        "network.ssl_cacertfile",
        "certificates",
        "A file of PEM certificates that are trusted in place of the system's. Left out: "
        "`SSL_CERT_FILE`, else the system's. Not accepted in a project's file.",
        "AIEX_NETWORK_SSL_CACERTFILE",
        users_own=True,
    ),
    _key(
        "network.proxy_url",
        "url",
        "The proxy to servers that are not on this machine and not in `NO_PROXY`. Left out: "
        "`HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`, where its name and password belong. Not "
        "accepted in a project's file.",
        "AIEX_NETWORK_PROXY_URL",
        users_own=True,
    ),
    _key(
        "network.timeout_ms",
        "duration",
        "How long a question about a server, such as the list of its models, may take.",
        "AIEX_NETWORK_TIMEOUT",
    ),
    _key(
        "network.max_redirects",
        "integer",
        "How many redirects are followed; those to another server never.",
        "AIEX_NETWORK_MAX_REDIRECTS",
        unit="redirects",
        minimum=0,
        maximum=20,
    ),
)

BY_KEY: dict[str, KeyDoc] = {doc.key: doc for doc in KEYS}

_PLANNED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "the cluster", ("cluster_enabled",)),
    ("llm", "the cluster", ("distributed_coordination",)),
    (
        "context",
        "the session store",
        (
            "max_memory_mb",
            "persistence_interval_ms",
            "compression_enabled",
            "compression_ratio",
            "gc_interval_ms",
            "max_sessions",
            "session_timeout_ms",
        ),
    ),
    ("context", "the cluster", ("distributed_sync",)),
    (
        "cluster",
        "the cluster",
        (
            "node_name",
            "discovery_strategy",
            "service_name",
            "namespace",
            "heartbeat_interval_ms",
            "node_recovery_timeout_ms",
            "node_pool_size",
            "load_balance_strategy",
            "health_check_interval_ms",
            "partition_tolerance",
            "prefer_local_provider",
            "failover_timeout_ms",
        ),
    ),
    ("telemetry", "telemetry", ("enabled", "metrics", "reporters")),
    ("logger", "logging to files", ("level", "backends", "file", "console")),
    (
        "audit",
        "the audit log",
        ("enabled", "log_level", "include_content", "retention_days"),
    ),
    ("sandbox", "the audit log", ("audit_log_enabled", "audit_log_path")),
    ("sandbox", "the execution sandbox", ("run",)),
    ("secrets", "the secret store", ("backend",)),
    ("tui", "the terminal interface", ("port",)),
)

_PLANNED_VARIABLES = {
    "cluster_enabled": "AIEX_CLUSTER_ENABLED",
    "cluster.node_name": "AIEX_NODE_NAME",
    "context.max_memory_mb": "AIEX_CONTEXT_MAX_MEMORY_MB",
    "context.persistence_interval_ms": "AIEX_CONTEXT_PERSISTENCE_INTERVAL",
    "secrets.backend": "AIEX_SECRETS_BACKEND",
    "tui.port": "AIEX_TUI_PORT",
}

_INERT: dict[str, Any] = {
    "cluster_enabled": False,
    "llm.distributed_coordination": False,
    "context.compression_enabled": False,
    "context.distributed_sync": False,
    "telemetry.enabled": False,
    "audit.enabled": False,
    "audit.include_content": False,
    "sandbox.audit_log_enabled": False,
}

PLANNED: tuple[PlannedKey, ...] = tuple(
    PlannedKey(key, feature, _PLANNED_VARIABLES.get(key, ""), _INERT.get(key))
    for section, feature, words in _PLANNED
    for key in (f"{section}.{word}".lstrip(".") for word in words)
)

PLANNED_BY_KEY: dict[str, PlannedKey] = {planned.key: planned for planned in PLANNED}


def value_at(settings: Settings, key: str) -> Any:
    """Return the value of a dotted key, None for a task that nobody is preferred for."""
    value: Any = settings
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else getattr(value, part)
    return value


def describe() -> Sequence[KeyDoc]:
    """Return every key once, in the order of the reference page."""
    return KEYS


def find(key: str) -> KeyDoc | PlannedKey | None:
    """Return what is known of a dotted key, canonical or with the guide's bare duration word."""
    parts = key.split(".")
    if key.startswith(f"{PROVIDERS}.") and len(parts) == 4:
        key = PROVIDER_PREFIX + parts[3]
    for name in (key, f"{key}_ms"):
        if name in BY_KEY and (name == key or BY_KEY[name].kind == "duration"):
            return BY_KEY[name]
        if name in PLANNED_BY_KEY:
            return PLANNED_BY_KEY[name]
    for end in range(len(parts) - 1, 0, -1):
        above = ".".join(parts[:end])
        if above in PLANNED_BY_KEY:
            return PLANNED_BY_KEY[above]
    return None


def canonical(key: str) -> str:
    """Return `key` with `_ms` added where it is the bare word of a duration."""
    found = find(key)
    known = found.key if found else ""
    return f"{key}_ms" if known.endswith("_ms") and not key.endswith("_ms") else key


def is_section(key: str) -> bool:
    """True when `key` names a table that holds keys."""
    if key == PROVIDERS or (key.startswith(f"{PROVIDERS}.") and key.count(".") == 2):
        return True
    above = f"{key}."
    return any(name.startswith(above) for name in (*BY_KEY, *PLANNED_BY_KEY))


def words_in(section: str) -> list[str]:
    """Return the words that may stand in a table, `""` being the top one, for near misses."""
    if section.startswith(f"{PROVIDERS}."):
        section = PROVIDER_PREFIX.rstrip(".")
    above = f"{section}." if section else ""
    words = {
        name.removeprefix(above).split(".")[0]
        for name in (*BY_KEY, *PLANNED_BY_KEY)
        if name.startswith(above)
    }
    if not section:
        words = (words | {"profiles"}) - {"project_dir", "env"}
    return sorted(words)
