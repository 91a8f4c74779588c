"""What a failure before the first visible word leads to: again, the next provider, or the end."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from aiex_ipy.config.settings import LLMSettings
from aiex_ipy.errors import (
    AiexError,
    AnswerError,
    CredentialsError,
    EmptyAnswerError,
    InvalidAnswerError,
    ProviderError,
    QuotaError,
    RateLimitError,
)

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 8.0
JITTER = 0.25
"""The first wait, the longest, and the part of each that chance may take away. Source: both
vendors' SDKs; the factor between two waits is the guide's `backoff_factor`."""

WORTH_WAITING_S = 5.0
"""A server's wait up to this long is obeyed though another provider could be asked."""

MARKED_S = 300.0
"""How long a provider whose key is refused or whose account is empty is passed over, while there
is another one."""

_TRANSIENT = frozenset(
    ("cut", "idle", "overloaded", "server_error", "stream_incomplete", "unavailable", "interrupted")
)
_FAULTS = _TRANSIENT | {"connect", "timeout", "too_large", "total_timeout", "wrong_content"}


class Verdict(Struct, frozen=True, kw_only=True):
    """`retries` is how often the same provider may be asked once more, in all; `wait_s` what it
    asks to be waited first; `counts` says that it is the provider's fault; `marked_s` how long it
    is passed over."""

    retries: int = 0
    wait_s: float | None = None
    counts: bool = False
    marked_s: float = 0.0


def judge(error: AiexError, llm: LLMSettings, *, alone: bool, here: bool) -> Verdict:
    """Return what follows from `error`. `alone`: no other provider is left; `here`: the server is
    on this machine, where a refused connection stays refused."""
    if isinstance(error, (CredentialsError, QuotaError)):
        return Verdict(marked_s=MARKED_S)
    if isinstance(error, RateLimitError):
        retries = 0 if error.code == "queue_full" else llm.max_retries
        if not alone and (error.retry_after_s or 0.0) > WORTH_WAITING_S:
            retries = 0
        return Verdict(retries=retries, wait_s=error.retry_after_s)
    if isinstance(error, EmptyAnswerError):
        return Verdict(retries=min(1, llm.max_retries))
    if not isinstance(error, (ProviderError, AnswerError)) or isinstance(error, InvalidAnswerError):
        return Verdict()
    code = error.code
    retries = 0
    if code in _TRANSIENT or (code in ("connect", "dns") and alone and not here):
        retries = llm.max_retries
    elif code == "timeout" and alone:
        retries = min(1, llm.max_retries)
    return Verdict(
        retries=retries,
        wait_s=getattr(error, "retry_after_s", None),
        counts=code in _FAULTS and not (code == "connect" and here),
    )


def delay_s(
    retry: int, llm: LLMSettings, wait_s: float | None, random: Callable[[], float]
) -> float:
    """Return how long to wait before retry number `retry` (from 0), in seconds: what the server
    asked for, else growing by the factor, a little less by chance."""
    if wait_s:
        return wait_s
    longest = min(LONGEST_DELAY_S, FIRST_DELAY_S * float(llm.backoff_factor) ** retry)
    return longest * (1.0 - JITTER * random())
