"""Which files are text worth reading, and what language they are in, by name."""

from __future__ import annotations

import os

_SUFFIXES_OF: dict[str, str] = {
    "python": ".py .pyi .pyw",
    "notebook": ".ipynb",
    "elixir": ".ex .exs .eex .heex .leex",
    "erlang": ".erl .hrl",
    "javascript": ".js .jsx .mjs .cjs",
    "typescript": ".ts .tsx .mts .cts",
    "vue": ".vue",
    "svelte": ".svelte",
    "html": ".html .htm .xhtml",
    "css": ".css .scss .sass .less",
    "c": ".c .h",
    "cpp": ".cc .cpp .cxx .hh .hpp .hxx .cu .cuh",
    "csharp": ".cs",
    "fsharp": ".fs .fsx",
    "go": ".go",
    "rust": ".rs",
    "java": ".java",
    "kotlin": ".kt .kts",
    "scala": ".scala .sc",
    "groovy": ".groovy .gradle",
    "swift": ".swift",
    "objective-c": ".m .mm",
    "ruby": ".rb .rake .gemspec",
    "php": ".php",
    "perl": ".pl .pm",
    "lua": ".lua",
    "r": ".r .rmd",
    "julia": ".jl",
    "haskell": ".hs",
    "ocaml": ".ml .mli",
    "clojure": ".clj .cljs .cljc .edn",
    "dart": ".dart",
    "zig": ".zig",
    "nim": ".nim",
    "fortran": ".f .f90 .f95 .f03",
    "cython": ".pyx .pxd .pxi",
    "shell": ".sh .bash .zsh .fish",
    "powershell": ".ps1 .psm1",
    "batch": ".bat .cmd",
    "sql": ".sql",
    "graphql": ".graphql .gql",
    "protobuf": ".proto",
    "terraform": ".tf .hcl",
    "nix": ".nix",
    "cmake": ".cmake",
    "make": ".mk .mak",
    "dockerfile": ".dockerfile",
    "json": ".json .jsonl .ndjson .json5",
    "yaml": ".yaml .yml",
    "toml": ".toml",
    "ini": ".ini .cfg .conf .properties .editorconfig",
    "xml": ".xml .xsd .xsl .svg",
    "markdown": ".md .markdown .mdx .qmd",
    "restructuredtext": ".rst",
    "tex": ".tex .bib",
    "csv": ".csv .tsv",
    "diff": ".diff .patch",
    "text": ".txt .text .log .adoc .org",
}

BY_SUFFIX: dict[str, str] = {
    suffix: language for language, suffixes in _SUFFIXES_OF.items() for suffix in suffixes.split()
}

BY_NAME: dict[str, str] = {
    "makefile": "make",
    "gnumakefile": "make",
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "jenkinsfile": "groovy",
    "rakefile": "ruby",
    "gemfile": "ruby",
    "procfile": "text",
    "readme": "text",
    "license": "text",
    "copying": "text",
    "notice": "text",
    "authors": "text",
    "changes": "text",
    "changelog": "text",
    "news": "text",
    "todo": "text",
    "codeowners": "text",
    ".gitignore": "text",
    ".dockerignore": "text",
    ".gitattributes": "text",
    ".editorconfig": "ini",
}


def suffix_of(path: str) -> str:
    """Return the last suffix in lower case with its dot, or `""`."""
    return os.path.splitext(path)[1].lower()


def by_name(path: str) -> str | None:
    """Return the language a file's name tells, or None."""
    return BY_SUFFIX.get(suffix_of(path)) or BY_NAME.get(os.path.basename(path).lower())


def by_first_line(data: bytes) -> str | None:
    """Return the language of a `#!` line, `text` for an interpreter that is not known here,
    and None when there is no such line."""
    if not data.startswith(b"#!"):
        return None
    line = data.split(b"\n", 1)[0][:200]
    for word, language in (
        (b"python", "python"),
        (b"elixir", "elixir"),
        (b"node", "javascript"),
        (b"ruby", "ruby"),
        (b"perl", "perl"),
        (b"sh", "shell"),
    ):
        if word in line:
            return language
    return "text"
