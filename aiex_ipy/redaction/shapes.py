"""Which names and which texts look like secrets, where the values themselves are not known.

Known secrets are masked by exact value, wherever they stand (`redaction.masking`); this is for
values met in a live program, of which only the name or the form is known.
"""

from __future__ import annotations

import re

WITHHELD = "[withheld]"
"""What stands in the place of a secret-looking value."""

_STRONG = (
    r"passwords?|passwd|pwd|passphrases?|passcodes?|secrets?|credentials?|creds|apikeys?"
    r"|(?:api|secret|private|access|auth|encryption|signing|ssh|master|account|app|client"
    r"|consumer|shared|session|fernet|ssl|tls|aws|openai|anthropic|azure|google|github|stripe)_keys?"
)
_WEAK = r"tokens?|jwt|bearer|authorization|cookies?|dsn|salt|otp|pin|auth|passwd_hash|csrf"
_strong = re.compile(rf"(?:^|_)(?:{_STRONG})(?:$|_)")
_weak = re.compile(rf"(?:^|_)(?:{_WEAK})(?:$|_(?:value|str|string|text|id|hex|b64|header))")
_COUNTED = re.compile(r"^(?:n|num|max|min|total|count|len|nr)_|_(?:count|length|len|size|id)s?$")
_CAPITALS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def is_secret_name(name: str) -> bool:
    """True for names whose value is a secret whatever it is: `api_key`, `dbPassword`."""
    words = _words(name)
    return _strong.search(words) is not None and _COUNTED.search(words) is None


def is_token_name(name: str) -> bool:
    """True for names whose value is a secret when it is a text: `token`, `auth_header`."""
    return _weak.search(_words(name)) is not None


def _words(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", _CAPITALS.sub("_", name[:200]).lower()).strip("_")


# Source of the forms: the vendors' own pages on their keys, and GitHub's list of secret scanning
# patterns (docs.github.com, "Supported secret scanning patterns").
_FORMS = re.compile(
    r"""
    -----BEGIN\ [A-Z ]{0,30}PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]{0,30}PRIVATE\ KEY-----|\Z)
    | \b[sr]k-[A-Za-z0-9_-]{16,}                # OpenAI, Anthropic, OpenRouter, DeepSeek
    | \b[srp]k_(?:live|test)_[A-Za-z0-9]{10,}   # Stripe
    | \bgh[pousr]_[A-Za-z0-9]{20,}              # GitHub
    | \bgithub_pat_[A-Za-z0-9_]{20,}
    | \bglpat-[A-Za-z0-9_-]{16,}                # GitLab
    | \b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}    # Amazon
    | \bAIza[A-Za-z0-9_-]{30,}                  # Google
    | \bya29\.[A-Za-z0-9_-]{20,}
    | \bxox[abeoprs]-[A-Za-z0-9-]{10,}          # Slack
    | \bhf_[A-Za-z0-9]{20,}                     # Hugging Face
    | \bnpm_[A-Za-z0-9]{30,}
    | \bpypi-[A-Za-z0-9_-]{30,}
    | \bdop_v1_[a-f0-9]{30,}                    # DigitalOcean
    | \bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}
    | \beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?    # JWT, RFC 7519
    | (?<=[Bb]earer\ )[A-Za-z0-9._~+/=-]{12,}                              # RFC 6750
    | (?<=[Bb]asic\ )[A-Za-z0-9+/]{12,}={0,2}                              # RFC 7617
    | (?<=://)(?P<user>[^\s/@:'"]{0,200}):(?!\[with)[^\s/'"]+(?=@)     # RFC 3986, user info
    | (?<=[Pp]assword=)(?!\[)[^\s;&'",]+ | (?<=PASSWORD=)(?!\[)[^\s;&'",]+
    | (?<=[Pp]wd=)(?!\[)[^\s;&'",]+ | (?<=PWD=)(?!\[)[^\s;&'",]+
    | (?<=api_key=)(?!\[)[^\s;&'",]+ | (?<=token=)(?!\[)[^\s;&'",]{8,}
    """,
    re.VERBOSE | re.DOTALL,
)


def mask_forms(text: str) -> str:
    """Return the text with what has the form of a secret replaced: vendors' keys, tokens, private
    keys, passwords in URLs and connection strings; the same object when there is none."""
    return _FORMS.sub(_mask, text) if _FORMS.search(text) else text


def _mask(found: re.Match[str]) -> str:
    user = found.group("user")
    return WITHHELD if user is None else f"{user}:{WITHHELD}"
