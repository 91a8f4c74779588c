"""`aiex config set`: one value into a settings file, the rest of the file as it was."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from aiex_ipy.config import files, keys
from aiex_ipy.config.loading import assemble, canonical_key
from aiex_ipy.config.providers import canonical_provider
from aiex_ipy.config.values import Place, shown, typed
from aiex_ipy.errors import ConfigError, near_miss

if TYPE_CHECKING:
    from tomlkit import TOMLDocument


def set_value(
    key: str,
    value: object,
    *,
    project: bool = False,
    project_dir: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> str:
    """Write one value to the user's file, or the project's, and return that file's path.

    `value` may be text in the form of an environment variable. Comments and order are kept, the
    file is replaced in one step, and a file that would not load is not written. Raises
    ConfigError; code `secret` for a key that would hold a credential.
    """
    environ = os.environ if environ is None else environ
    found = files.paths(project_dir=project_dir, environ=environ)
    path = found.user
    if project:
        path = found.project or os.path.join(found.project_dir, files.PROJECT_FILE)
    table = ["tool", "aiex"] if os.path.basename(path) == files.PYPROJECT else []
    words, typed_value = _checked(key, value)
    import tomlkit

    document = tomlkit.parse(_text(path))
    _put(document, [*table, *words], typed_value, path)
    content: Any = document.unwrap()
    for word in table:
        content = content.get(word, {})
    # What is wrong in a variable of aiex is not this file's fault and must not keep it unmended.
    others = {name: text for name, text in environ.items() if not name.startswith("AIEX_")}
    found = replace(found, project=path if project else found.project)
    _refuse_fault(found, others, {path: content})
    _write(os.path.realpath(path), tomlkit.dumps(document))  # a link to the file stays one
    return path


def _refuse_fault(
    found: files.ConfigPaths,
    environ: Mapping[str, str],
    replaced: Mapping[str, Mapping[str, Any]],
) -> None:
    """Raise ConfigError for files that would not load, and for a provider that would no longer be
    right. One that was not right before may be mended bit by bit."""
    after = _faults(found, environ, replaced)
    if not after:
        return
    try:
        before = _faults(found, environ, {})
    except ConfigError:  # of a file that does not load and is being mended
        return
    for name, fault in after.items():
        if name not in before:
            raise fault


def _faults(
    found: files.ConfigPaths,
    environ: Mapping[str, str],
    replaced: Mapping[str, Mapping[str, Any]],
) -> dict[str, ConfigError]:
    providers = assemble(found, environ, replaced=replaced).settings.llm.providers
    return {name: each.fault for name, each in providers.items() if each.fault is not None}


def _checked(key: str, value: object) -> tuple[list[str], Any]:
    """Return the words of the key in a file, and the value as TOML holds it."""
    prefix: list[str] = []
    bare = key
    if key.startswith("profiles."):
        _, name, bare = [*key.split(".", 2), "", ""][:3]
        prefix = ["profiles", name]
    bare = canonical_key(bare)
    found = keys.find(bare)
    if found is None:
        section, _, word = bare.rpartition(".")
        raise ConfigError(
            f"{key!r} is not a setting.",
            code="unknown_key",
            hint=near_miss(word, keys.words_in(section)),
            key=key,
        )
    words = [*prefix, *bare.split(".")]
    if isinstance(found, keys.PlannedKey):
        raise ConfigError(
            f"{key!r} is a setting of {found.feature}, which is not built yet.",
            code="not_built",
            hint="Leave it out.",
            key=key,
        )
    if not found.in_files:
        raise ConfigError(
            f"{key!r} cannot be set in a file.",
            code="bad_value",
            hint=f"Set {found.variable} in the environment.",
            key=key,
        )
    if found.kind == "secret":
        raise ConfigError(
            f"{key!r} is a credential and is not written by a command, which the shell would "
            "keep in its history.",
            code="secret",
            hint="Set it in the environment, like OPENAI_API_KEY, or name another variable with "
            f"{bare}_env.",
            key=key,
        )
    asked = Place("call", "", base_dir=files.working_directory())
    result = typed(found, key, value, asked, text=isinstance(value, str))
    return words, list(result) if isinstance(result, tuple) else result


def _text(path: str) -> str:
    if not os.path.lexists(path):
        return ""
    files.parse(path)  # tells line and column of an error as loading does
    return files.decode(path)


def _put(document: TOMLDocument, words: list[str], value: Any, path: str) -> None:
    import tomlkit

    table: Any = document
    for position, word in enumerate(words[:-1]):
        if words[:position][-2:] == keys.PROVIDERS.split("."):
            # The file may spell the name in another way.
            word = next((each for each in table if canonical_provider(each) == word), word)
        if word not in table:
            table[word] = tomlkit.table(is_super_table=position != len(words) - 2)
        table = table[word]
        if not isinstance(table, dict):
            raise ConfigError(
                f"{word!r} in {path!r} is {shown(table)}, but must be a table.",
                code="bad_value",
                hint="Correct the file first.",
                file=path,
            )
    last = words[-1]
    for spelled in list(table):
        if spelled != last and f"{spelled}_ms" == last:
            last = spelled
    table[last] = value


def _write(path: str, text: str) -> None:
    """Replace the file in one step; a new one can be read by its user only."""
    directory = os.path.dirname(path)
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o600
        handle, temporary = tempfile.mkstemp(prefix=".aiex-", dir=directory)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, mode)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise ConfigError(
            f"The settings file {path!r} cannot be written: {error.strerror or error}.",
            code="unwritable",
            hint="Make its directory writable, or set XDG_CONFIG_HOME to one that is.",
            file=path,
        ) from None
