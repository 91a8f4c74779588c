"""Path patterns: the files that are never read, globs with `**`, and `.gitignore`."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Places of credentials of common tools, as their documentation names them; told by plain words
# because a regular expression of them takes 8 ms to compile at every start.
_SECRET_DIRECTORIES = frozenset((".ssh", ".gnupg", ".aws", ".azure", ".kube"))
_OF_HOSTS = (".netrc", "_netrc", ".pgpass", ".my.cnf", ".htpasswd", ".git-credentials")
_OF_TOOLS = (".env", ".envrc", ".pypirc", ".npmrc", ".yarnrc.yml", ".vault-token", "credentials")
_SECRET_NAMES = frozenset((*_OF_HOSTS, *_OF_TOOLS))
_SECRET_STARTS = (".env.", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519")
_KEY_SUFFIXES = (".pem", ".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx")
_STATE_SUFFIXES = (".env", ".tfstate", ".tfvars", ".secret.exs")
_SECRET_ENDS = (*_KEY_SUFFIXES, *_STATE_SUFFIXES)
# `secrets` and `credentials` are data files here: a module of that name is source.
_SECRET_STEMS = frozenset(("secret", "secrets", "credential", "credentials"))
_DATA_SUFFIXES = ("json", "yaml", "yml", "toml", "ini", "cfg", "conf", "txt", "properties")
# Files that show the form of a secret file without its content.
_EXAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist")


def is_secret_place(path: str) -> bool:
    """True when a posix path is where tools keep keys and passwords."""
    *directories, name = path.lower().split("/")
    if not _SECRET_DIRECTORIES.isdisjoint(directories) or "/.config/gcloud/" in path:
        return True
    if name in _EXAMPLES:
        return False
    if name in _SECRET_NAMES or name.startswith(_SECRET_STARTS) or name.endswith(_SECRET_ENDS):
        return True
    stem, _, suffix = name.rpartition(".")
    if stem in _SECRET_STEMS and suffix in _DATA_SUFFIXES:
        return True
    return directories[-1:] == [".docker"] and name == "config.json"


def glob_to_regex(pattern: str) -> str:
    """Return the regular expression, to be matched in full, of a glob on posix paths.

    `*` and `?` stay within a name, `**` is any number of directories, `[…]` one character. A
    pattern without a `/` matches the name at any depth.
    """
    if "/" not in pattern:
        pattern = f"**/{pattern}"
    out: list[str] = []
    place = 0
    while place < len(pattern):
        piece, place = _piece(pattern, place)
        out.append(piece)
    return "".join(out)


def _piece(pattern: str, place: int) -> tuple[str, int]:
    if pattern.startswith("**/", place) and (place == 0 or pattern[place - 1] == "/"):
        return "(?:.*/)?", place + 3
    if pattern.startswith("/**", place) and place + 3 == len(pattern):
        return "(?:/.*)?" if place else "/.*", place + 3
    char = pattern[place]
    if char == "*":
        end = place + 1
        while pattern.startswith("*", end):
            end += 1
        return "[^/]*", end
    if char == "?":
        return "[^/]", place + 1
    if char == "[":
        # The first character inside is never the closing one.
        negated = pattern[place + 1 : place + 2] in ("!", "^")
        first = place + 2 if negated else place + 1
        closing = pattern.find("]", first + 1)
        if closing > 0:
            inside = re.sub(r"([\\\[\]&~|^]|(?<=-)-)", r"\\\1", pattern[first:closing])
            return f"(?!/)[{'^' if negated else ''}{inside}]", closing + 1
    if char == "\\" and place + 1 < len(pattern):
        return re.escape(pattern[place + 1]), place + 2
    return re.escape(char), place + 1


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return one expression that matches, in full and without case, what any pattern does.

    Raises ValueError for a pattern with a range that ends before it begins.
    """
    pieces = []
    for pattern in patterns:
        regex = glob_to_regex(pattern)
        try:
            re.compile(regex)
        except re.error:
            raise ValueError(pattern) from None
        pieces.append(f"(?:{regex})")
    return re.compile("|".join(pieces) or r"(?!)", re.IGNORECASE | re.DOTALL)


class Ignored:
    """The rules of one `.gitignore`, for paths relative to its directory.

    Source: gitignore(5), "PATTERN FORMAT".
    """

    def __init__(self, text: str) -> None:
        self._rules = [rule for line in text.split("\n") if (rule := _rule(line))]

    def verdict(self, path: str, *, is_directory: bool) -> bool | None:
        """Return True for ignored, False for taken back by a `!` rule, None when no rule fits."""
        for regex, negated, directories_only in reversed(self._rules):
            if (is_directory or not directories_only) and regex.fullmatch(path):
                return not negated
        return None


def _rule(line: str) -> tuple[re.Pattern[str], bool, bool] | None:
    line = line.rstrip("\r")
    line = re.sub(r"(?<!\\) +$", "", line)
    if not line or line.startswith("#"):
        return None
    negated = line.startswith("!")
    line = line[1:] if negated else line
    directories_only = line.endswith("/")
    line = line.rstrip("/") if directories_only else line
    if not line:
        return None
    anchored = "/" in line
    line = line.removeprefix("/")
    if line.endswith("/**"):
        regex = glob_to_regex(f"{line[:-3]}/*") + "(?:/.*)?" if line[:-3] else ".*"
    elif anchored:
        regex = glob_to_regex(line) if "/" in line else glob_to_regex(f"/{line}")[1:]
    else:
        regex = glob_to_regex(line)
    try:
        return re.compile(regex, re.DOTALL), negated, directories_only
    except re.error:
        return None  # git, too, takes a pattern it cannot read for one that matches nothing
