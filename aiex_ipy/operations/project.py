"""project: a whole project surveyed: size, ways in, imports, hot spots, coverage, worst units."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import ClassVar, Literal, get_args

import msgspec
from msgspec import Struct, field

from aiex_ipy.errors import AiexError, UnknownNameError, UsageError, near_miss
from aiex_ipy.grounding.entry_points import EntryPoint, declared, runnable
from aiex_ipy.grounding.facts import Category, Issue, Subject
from aiex_ipy.grounding.gather import gather_related
from aiex_ipy.grounding.lint import is_test
from aiex_ipy.grounding.project import ProjectFacts, relate
from aiex_ipy.grounding.python import parse
from aiex_ipy.grounding.score import score_module, score_tree
from aiex_ipy.grounding.survey import (
    CoverageShare,
    Size,
    SurveyedModule,
    WorstUnit,
    external,
    hot_spots,
    size_of,
    statement_lines,
    survey,
    untested,
    weightiest,
    worst_units,
)
from aiex_ipy.messages import Answer
from aiex_ipy.operations.ask import finished
from aiex_ipy.operations.base import Ask, Grounding, Problem, Request, Result
from aiex_ipy.operations.claims import unknown_names
from aiex_ipy.operations.inputs import CODE, subject_of
from aiex_ipy.operations.locate import finder_of, locate, search_roots
from aiex_ipy.operations.view import View
from aiex_ipy.prompts.fit import Prompt, Section
from aiex_ipy.prompts.survey import sections
from aiex_ipy.prompts.templates import template
from aiex_ipy.workspace import Located
from aiex_ipy.workspace.history import history_of
from aiex_ipy.workspace.measured import Measured, measured_near

Focus = Literal["all", "quality", "performance", "security", "architecture", "tests"]
FOCUSES: tuple[Focus, ...] = get_args(Focus)
MODULES_AT_MOST = 2_000
"""Files read of one project, tests last; measured: 1,481 files of pandas take 11 s on one core."""
MOST = 10
"""Entries of each list of the result."""
MOST_TOKENS = 600
"""How long a model's words may be."""

_CATEGORIES: dict[Focus, tuple[Category, ...]] = {
    "all": ("syntax", "security", "correctness", "performance", "architecture"),
    "quality": ("syntax", "correctness", "complexity", "maintainability"),
    "performance": ("performance",),
    "security": ("security",),
    "architecture": ("architecture",),
    "tests": ("syntax", "correctness"),
}
"""Which findings are listed."""


class ProjectRequest(Request["ProjectSurvey"], frozen=True, kw_only=True):
    """`path` is a directory, or the name of an installed package; `""` is the project's own."""

    operation: ClassVar[str] = "project"

    path: str = ""
    focus: Focus = "all"


class Link(Struct, frozen=True, kw_only=True):
    """One module imports another. `eager` is False when that happens only inside functions or for
    type checkers."""

    importer: str
    imported: str
    eager: bool = True


class ProjectSurvey(Result, frozen=True, kw_only=True):
    """What is known of a project. `name` is its directory's; `modules` are all that parse, by path;
    `links` who imports whom; `cycles` groups that import each other when imported. `hot_spots` are
    complexity times changes, empty with `history` saying why where git knows none; `coverage` is
    None without data; `worst` are the units that lose most score points; `findings` the gravest
    of the focus, `found` their number; `untested` modules no test imports; `external` counts the
    modules that import a package from outside; `unparsed` are files with their problem.
    `unconfirmed` are names in a model's `text` that the project does not hold."""

    operation: str = "project"
    schema_version: int = 1
    path: str = ""
    name: str = ""
    focus: Focus = "all"
    quality_score: float | None = None
    size: Size = Size()
    entry_points: tuple[EntryPoint, ...] = ()
    modules: tuple[SurveyedModule, ...] = ()
    links: tuple[Link, ...] = ()
    cycles: tuple[tuple[str, ...], ...] = ()
    hot_spots: tuple[SurveyedModule, ...] = ()
    history: str = ""
    coverage: CoverageShare | None = None
    worst: tuple[WorstUnit, ...] = ()
    findings: tuple[Issue, ...] = ()
    found: int = 0
    untested: tuple[str, ...] = ()
    external: dict[str, int] = field(default_factory=dict)
    unparsed: tuple[str, ...] = ()
    text: str = ""
    grounded: bool = True
    provider: str | None = None
    model: str | None = None
    finish: str = ""
    unconfirmed: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The project and its score."""
        return f"{self.name}, quality score {self.quality_score}"


def focus_of(word: str | None) -> Focus:
    """Return the focus a word names, all for None and "". Raises UnknownNameError."""
    for focus in FOCUSES:
        if (word or "all") == focus:
            return focus
    raise UnknownNameError(
        f"There is no focus {word!r} of a project.", hint=near_miss(str(word), FOCUSES)
    )


class ProjectOperation:
    """Facts of all files together; a model's words beside them."""

    name = "project"
    by_name_only = True

    def reads(self, request: ProjectRequest) -> bool:
        return True

    def ground(self, request: ProjectRequest, view: View) -> Grounding:
        root = _root(request.path, view)
        subjects, notices = _subjects(root, view)
        facts, related = gather_related(subjects, ruff=view.ruff)
        graph = related or relate([parse(s) for s in subjects if s.language == "python"])
        scores = [score_module(module) for module in facts]
        history = history_of(root.file)
        places = {s.path: os.path.relpath(s.file, root.file) for s in subjects if s.file}
        changes = None
        if not history.problem:
            known = {path: history.changes.get(_posix(place)) for path, place in places.items()}
            changes = {path: count for path, count in known.items() if count is not None}
        coverage, shares, said = _coverage(subjects, root, view)
        modules = survey(facts, scores, graph, changes=changes, coverage=shares)
        issues = [i for m in facts for i in m.issues if i.category in _CATEGORIES[request.focus]]
        points, problem = _declared(root, view)
        result = ProjectSurvey(
            path=os.path.basename(root.file),
            name=os.path.basename(root.file),
            focus=request.focus,
            quality_score=score_tree(scores).value,
            size=size_of(facts),
            entry_points=points + runnable(graph),
            modules=modules,
            links=_links(graph),
            cycles=graph.cycles,
            hot_spots=hot_spots(modules, MOST),
            history=_history(history.problem, history.commits, history.days, changes),
            coverage=coverage,
            worst=worst_units(scores, MOST),
            findings=weightiest(issues, MOST),
            found=sum(not is_test(issue.path) for issue in issues),
            untested=untested(modules),
            external=external(graph),
            unparsed=tuple(f"{m.path}: {_why(m.issues)}" for m in facts if not m.parsed),
            notices=(*notices, *(f"{_sentence(n)}." for n in history.notes), *said, *problem),
        )
        names = [symbol.name for module in graph.modules for symbol in module.symbols]
        return Grounding(extra={"result": result, "symbols": names})

    def without_model(self, request: ProjectRequest, grounding: Grounding) -> ProjectSurvey:
        result: ProjectSurvey = grounding.extra["result"]
        return result

    def prompt(self, request: ProjectRequest, grounding: Grounding) -> Ask | None:
        result: ProjectSurvey = grounding.extra["result"]
        parts = tuple(
            Section(title=title, text=text, rank=rank)
            for rank, (title, text) in enumerate(sections(msgspec.to_builtins(result)))
        )
        return Ask(
            prompt=Prompt(
                system=template("project"),
                question=template("project.question", project=result.name, focus=request.focus),
                sections=parts,
            ),
            max_tokens=MOST_TOKENS,
        )

    def parse(self, answer: Answer, request: ProjectRequest, grounding: Grounding) -> ProjectSurvey:
        facts = self.without_model(request, grounding)
        checked = finished(answer, self.name, grounding)
        unknown = unknown_names(answer.text, (), _known(facts, grounding.extra["symbols"]))
        return msgspec.structs.replace(
            facts,
            text=answer.text.strip(),
            provider=answer.provider,
            model=answer.model,
            finish=answer.finish,
            unconfirmed=tuple(unknown),
            notices=facts.notices + checked.notices,
        )

    def check(self, result: ProjectSurvey, grounding: Grounding) -> Sequence[Problem]:
        return ()

    def next_round(self, ask: Ask, answer: Answer, problems: Sequence[Problem]) -> Ask | None:
        return None


def _root(path: str, view: View) -> Located:
    """The directory a request means. Raises WorkspaceError, and UsageError for a file."""
    if not path:
        return view.workspace.resolve(view.workspace.project_dir)
    found = view.workspace.locate(path)
    if found is None and all(part.isidentifier() for part in path.split(".")):
        return _package(path, view)
    found = found or view.workspace.resolve(path)
    if not found.is_directory:
        raise UsageError(
            f"{found.path!r} is a file; a project is a directory.",
            code="not_directory",
            hint="Name its directory, or analyze the file.",
        )
    return found


def _package(name: str, view: View) -> Located:
    """The directory of a package that can be imported. Raises UnknownNameError."""
    place = locate(name, search_roots(view.settings.project_dir))
    if place is not None and place[0].endswith("__init__.py") and not place[1]:
        return view.workspace.resolve(os.path.dirname(place[0]))
    finder = finder_of(view)
    if finder.place(name) is not None:
        raise UnknownNameError(
            f"{name!r} is a module; a project is a directory or a package.",
            hint="Name a package, or explain the module.",
        )
    raise UnknownNameError(
        f"{name!r} is no directory here and no package that can be imported.",
        hint=near_miss(name.partition(".")[0], finder.modules()),
    )


def _below(file: Located, root: Located) -> Located:
    """The file named from the surveyed directory, as it is from wherever one asks."""
    place = _posix(os.path.relpath(file.file, root.file))
    return Located(path=place, file=file.file, is_directory=False)


def _subjects(root: Located, view: View) -> tuple[list[Subject], tuple[str, ...]]:
    """The code files of a tree, and what is not looked at. Raises UsageError where there are
    none."""
    tree = view.workspace.walk(root, only=CODE)
    below = [_below(file, root) for file in tree.files]
    files = sorted(below, key=lambda file: (is_test(file.path), file.path))
    notices = [f"{name!r} could not be listed." for name in tree.unreadable]
    if len(files) > MODULES_AT_MOST:
        notices.append(
            f"{len(files)} files are too many to read at once: the first {MODULES_AT_MOST} by "
            "path were, tests last. Name a smaller directory to see the rest."
        )
        files = files[:MODULES_AT_MOST]
    subjects = []
    for file in sorted(files, key=lambda file: file.path):
        try:
            subjects.append(subject_of(view.read(file)))
        except AiexError as error:
            notices.append(f"{file.path}: {error.message}")
    if not subjects:
        raise UsageError(
            f"There is no Python file that can be read in {root.path!r}.",
            code="nothing_to_analyze",
            hint="Name a directory that holds Python files or notebooks.",
        )
    return subjects, tuple(notices)


def _declared(root: Located, view: View) -> tuple[tuple[EntryPoint, ...], tuple[str, ...]]:
    file = os.path.join(root.file, "pyproject.toml")
    if not os.path.isfile(file):
        return (), ()
    try:
        points, problem = declared(view.read(file).text)
    except AiexError as error:
        return (), (f"pyproject.toml was not read: {error.message}",)
    return points, (f"{problem}.",) if problem else ()


def _coverage(
    subjects: Sequence[Subject], root: Located, view: View
) -> tuple[CoverageShare | None, dict[str, float], tuple[str, ...]]:
    """The share of all, of each module by path, and what is said of the data."""
    found: Measured | None = measured_near(view.workspace, root.file)
    if found is None:
        return None, {}, ()
    if found.problem:
        return None, {}, (f"Coverage data in {found.source!r} was not used: {found.problem}.",)
    shares: dict[str, float] = {}
    stale: list[str] = []
    run_of_all = all_lines = 0
    for subject in subjects:
        lines = found.files.get(subject.file or "") or found.files.get(
            os.path.realpath(subject.file or "")
        )
        if lines is None or subject.language != "python":
            continue
        if lines.stale:
            stale.append(subject.path)
            continue
        whole = statement_lines(subject) if lines.missing is None else lines.run | lines.missing
        run = len(lines.run & whole)
        if whole:
            shares[subject.path] = round(run / len(whole), 4)
            run_of_all += run
            all_lines += len(whole)
    share = round(run_of_all / all_lines, 4) if all_lines else None
    said: list[str] = []
    if stale:
        what = "1 module was" if len(stale) == 1 else f"{len(stale)} modules were"
        said.append(
            f"{what} changed since {found.source!r} was written and count for nothing in it."
        )
    if not shares and not stale:
        said.append(f"{found.source!r} has measured none of these files.")
        return None, {}, tuple(said)
    total = CoverageShare(source=found.source, share=share, files=len(shares), stale=tuple(stale))
    return total, shares, tuple(said)


def _links(graph: ProjectFacts) -> tuple[Link, ...]:
    """One link for each pair of modules."""
    eager: dict[tuple[str, str], bool] = {}
    for edge in graph.dependencies:
        pair = edge.importer, edge.imported
        eager[pair] = eager.get(pair, False) or edge.eager
    return tuple(Link(importer=a, imported=b, eager=e) for (a, b), e in sorted(eager.items()))


def _history(problem: str, commits: int, days: int, changes: dict[str, int] | None) -> str:
    """Where the changes come from, in words."""
    if problem:
        return f"Nothing is known of changes: {problem}."
    if not changes:
        return "Nothing is known of changes: git does not track these files."
    what = "1 commit" if commits == 1 else f"{commits} commits"
    return f"{what} in the {days} days up to the newest"


def _why(issues: Sequence[Issue]) -> str:
    first = issues[0] if issues else None
    return f"{first.message}, line {first.line}" if first is not None else "it does not parse"


def _posix(path: str) -> str:
    return path.replace(os.sep, "/")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _known(result: ProjectSurvey, symbols: Sequence[str]) -> set[str]:
    """The words a model may set as code: parts of the names of modules, files, symbols, packages,
    commands."""
    names = [m.name for m in result.modules] + [m.path for m in result.modules]
    names += [*symbols, *result.external, result.path, result.name]
    names += [f"{point.name} {point.target} {point.group}" for point in result.entry_points]
    names += [issue.rule for issue in result.findings]
    known: set[str] = set()
    for name in names:
        known.update(name.replace("/", " ").replace(".", " ").replace(":", " ").split())
    return known
