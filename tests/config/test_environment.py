"""The environment layer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from aiex_ipy.config import keys
from aiex_ipy.config.environment import OTHER_VARIABLES, known_variables

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Place

# A text for each variable, and the value its key then has.
VARIABLES: dict[str, tuple[str, Any]] = {
    "AIEX_PROJECT_DIR": ("PROJECT", "PROJECT"),
    "AIEX_ENV": ("prod", "prod"),
    "AIEX_LOG": ("DEBUG", "debug"),
    "AIEX_DEFAULT_PROVIDER": ("LM-Studio", "lm_studio"),
    "AIEX_FALLBACK_PROVIDER": ("ollama", "ollama"),
    "AIEX_LLM_PREFER_LOCAL": ("yes", True),
    "AIEX_LLM_MAX_RETRIES": ("0", 0),
    "AIEX_LLM_BACKOFF_FACTOR": ("3", 3),
    "AIEX_LLM_RETRY_BUDGET": ("0", 0),
    "AIEX_LLM_FAILURE_THRESHOLD": ("2", 2),
    "AIEX_LLM_RECOVERY_TIME": ("1000", 1000),
    "AIEX_LLM_DEDUPLICATE": ("no", False),
    "AIEX_LLM_CACHE_ENABLED": ("yes", True),
    "AIEX_LLM_CACHE_MAX_MB": ("7", 7),
    "AIEX_LLM_TIMEOUT": ("60_000", 60_000),
    "AIEX_LLM_CONNECT_TIMEOUT": ("700", 700),
    "AIEX_LLM_IDLE_TIMEOUT": ("20_000", 20_000),
    "AIEX_LLM_TOTAL_TIMEOUT": ("90_000", 90_000),
    "AIEX_NETWORK_SSL_VERIFY": ("no", False),
    "AIEX_NETWORK_SSL_CACERTFILE": ("CERTIFICATE", "CERTIFICATE"),
    "AIEX_NETWORK_PROXY_URL": ("proxy.test:3128", "http://proxy.test:3128"),
    "AIEX_NETWORK_TIMEOUT": ("500", 500),
    "AIEX_NETWORK_MAX_REDIRECTS": ("0", 0),
    "AIEX_LLM_REQUESTS_PER_MINUTE": ("600", 600),
    "AIEX_LLM_BURST_SIZE": ("20", 20),
    "AIEX_LLM_MAX_CONCURRENT_REQUESTS": ("4", 4),
    "AIEX_LLM_MAX_QUEUED_REQUESTS": ("0", 0),
    "AIEX_LLM_PROBE_TIMEOUT": ("100", 100),
    "AIEX_LLM_PROBE_KEEP": ("0", 0),
    "AIEX_LLM_BUDGET_COST_USD": ("2.5", 2.5),
    "AIEX_LLM_BUDGET_TOKENS": ("1_000", 1000),
    "AIEX_EMBEDDED_MODEL": ("smollm2", "smollm2"),
    "AIEX_EMBEDDED_THREADS": ("1", 1),
    "AIEX_EMBEDDED_CONTEXT_TOKENS": ("2048", 2048),
    "AIEX_EMBEDDED_PROMPT_BUDGET_TOKENS": ("512", 512),
    "AIEX_EMBEDDED_FIRST_BYTE_TIMEOUT": ("1000", 1000),
    "AIEX_EMBEDDED_LINGER": ("100", 100),
    "AIEX_SANDBOX_MAX_FILE_SIZE_MB": ("1", 1),
    "AIEX_SANDBOX_ALLOWED_EXTENSIONS": (".py, .MD", (".py", ".md")),
    "AIEX_SANDBOX_ALLOWED_PATHS": (f"/a{os.pathsep}/b", ("/a", "/b")),
    "AIEX_SANDBOX_DENIED_PATHS": ("/etc", ("/etc",)),
    "AIEX_SANDBOX_DENIED_PATTERNS": ("**/x.*,y", ("**/x.*", "y")),
    "AIEX_DISPLAY_UPDATES_PER_SECOND": ("10", 10),
    "AIEX_DISPLAY_WIDGETS": ("no", False),
    "AIEX_COMPLETION_JEDI_DEADLINE": ("0", 0),
    "AIEX_COMPLETION_MAX_TOKENS": ("20", 20),
    "AIEX_COMPLETION_GHOST_TEXT": ("yes", True),
    "AIEX_ANALYZE_ANALYZERS": ("acme,other", ("acme", "other")),
}


def test_every_variable_is_in_the_table_of_this_test() -> None:
    """A new variable needs a row, so that each has been seen to work."""
    assert set(VARIABLES) == {doc.variable for doc in keys.KEYS if doc.variable}


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_sets_its_key(
    place: Place, variable: str, monkeypatch: pytest.MonkeyPatch, certificate: tuple[str, str]
) -> None:
    """Each documented variable sets the key it is documented for."""
    from aiex_ipy.config import load_with_origins

    monkeypatch.chdir(place.home)
    text, expected = VARIABLES[variable]
    files = {"PROJECT": str(place.project), "CERTIFICATE": certificate[0]}
    text = files.get(text, text)
    loaded = load_with_origins(environ=place.environ(**{variable: f" {text} "}))
    (key,) = [doc.key for doc in keys.KEYS if doc.variable == variable]
    assert loaded.values[key] == files.get(str(expected), expected)
    assert str(loaded.origins[key]) == f"environment ({variable})"


def test_an_empty_variable_is_not_set(place: Place) -> None:
    """`AIEX_DEFAULT_PROVIDER=` in a shell means what leaving it out means."""
    variables = {name: " " for name in (*VARIABLES, *OTHER_VARIABLES) if "PROJECT" not in name}
    loaded = place.load(variables)
    assert {origin.layer for origin in loaded.origins.values()} == {"default", "override"}


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        (
            "AIEX_DEFUALT_PROVIDER",
            "none",
            "unknown_key: The environment variable 'AIEX_DEFUALT_PROVIDER' is not one that aiex "
            "knows. Did you mean 'AIEX_DEFAULT_PROVIDER'?",
        ),
        (
            "AIEX_LLM_TIMEOUT",
            "30s",
            "bad_value: 'AIEX_LLM_TIMEOUT' is '30s', but must be a whole number. Give a whole"
            " number of milliseconds, like 30000.",
        ),
        (
            "AIEX_DISPLAY_WIDGETS",
            "maybe",
            "bad_value: 'AIEX_DISPLAY_WIDGETS' is 'maybe', but must be true or false. Use true or",
        ),
        (
            "AIEX_ENV",
            "production",
            "bad_value: 'AIEX_ENV' is 'production', but must be one of dev, prod, test.",
        ),
        ("AIEX_CLUSTER_ENABLED", "true", "not_built: 'AIEX_CLUSTER_ENABLED' is a setting of the"),
        ("AIEX_NODE_NAME", "aiex@localhost", "not_built: 'AIEX_NODE_NAME' is a setting of the"),
        ("AIEX_CONTEXT_MAX_MEMORY_MB", "100", "not_built: 'AIEX_CONTEXT_MAX_MEMORY_MB' is a se"),
        ("AIEX_CONTEXT_PERSISTENCE_INTERVAL", "5000", "not_built: 'AIEX_CONTEXT_PERSISTENCE_IN"),
        ("AIEX_TUI_PORT", "9487", "not_built: 'AIEX_TUI_PORT' is a setting of the terminal int"),
        ("AIEX_SECRETS_BACKEND", "vault", "not_built: 'AIEX_SECRETS_BACKEND' is a setting of t"),
    ],
)
def test_a_wrong_variable_is_told_by_name_and_value(
    place: Place, refused: Callable[..., str], variable: str, text: str, told: str
) -> None:
    """Each error names the variable, its value, and what was probably meant."""
    assert refused(variables={variable: text}).startswith(told)


@pytest.mark.parametrize(
    ("variable", "text"), [("AIEX_CLUSTER_ENABLED", "false"), ("AIEX_LLM_MAX_RETRIES", "0")]
)
def test_a_variable_that_asks_for_nothing_is_accepted(
    place: Place, variable: str, text: str
) -> None:
    """Turning off what is not built is what is the case."""
    assert place.load({variable: text}).settings.log == "warning"


def test_what_kubernetes_sets_for_a_service_is_passed_over(place: Place) -> None:
    """A service named aiex or aiex-tui puts its addresses into every pod, by these names."""
    place.load(
        {
            "AIEX_SERVICE_HOST": "10.0.0.1",
            "AIEX_SERVICE_PORT": "4000",
            "AIEX_SERVICE_PORT_METRICS": "4000",
            "AIEX_PORT": "tcp://10.0.0.1:4000",
            "AIEX_PORT_4000_TCP": "tcp://10.0.0.1:4000",
            "AIEX_PORT_4000_TCP_PROTO": "tcp",
            "AIEX_HEADLESS_SERVICE_HOST": "10.0.0.2",
            "AIEX_TUI_PORT": "tcp://10.0.0.3:9487",
        }
    )


def test_every_variable_of_the_guide_is_known() -> None:
    """The guide's variables are each either built or refused by name, never unknown."""
    guide = {
        "AIEX_DEFAULT_PROVIDER",
        "AIEX_PROJECT_DIR",
        "AIEX_CLUSTER_ENABLED",
        "AIEX_NODE_NAME",
        "AIEX_LLM_TIMEOUT",
        "AIEX_LLM_MAX_RETRIES",
        "AIEX_CONTEXT_MAX_MEMORY_MB",
        "AIEX_CONTEXT_PERSISTENCE_INTERVAL",
        "AIEX_TUI_PORT",
        "AIEX_OLLAMA_HOST",
        "AIEX_LM_STUDIO_HOST",
        "AIEX_SECRETS_BACKEND",
        "AIEX_FALLBACK_PROVIDER",
    }
    assert guide <= set(known_variables())
