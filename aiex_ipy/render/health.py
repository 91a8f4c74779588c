"""A notebook's health as text and Markdown: restart, order, fresh run, then what to mend."""

from __future__ import annotations

from aiex_ipy.operations.health import NotebookHealth
from aiex_ipy.render.safe import escape, plain

RULE = "=" * 50


def text(result: NotebookHealth, *, symbols: bool = True) -> str:
    """Return the summary, the order, the run and the issues by cell; ends in a newline."""
    mark = "📓 " if symbols else ""
    lines = [f"{mark}{plain(result.path)}", RULE, "", plain(result.summary)]
    lines += [plain(line) for line in facts(result)]
    if result.issues:
        lines.append("")
    for issue in result.issues:
        lines.append(
            plain(f"   cell {issue.cell}, line {issue.line}  {issue.rule}  {issue.message}")
        )
    advice = _advice(result)
    if advice:
        lines += ["", *(f"   {plain(line)}" for line in advice)]
    ending = tail(result, symbols=symbols)
    return "\n".join(lines) + "\n" + (f"\n{ending}" if ending else "")


def tail(result: NotebookHealth, *, symbols: bool = True) -> str:
    """Return the notices."""
    mark = "— " if symbols else "-- "
    return "".join(f"{mark}{plain(each)}\n" for each in result.notices)


def markdown(result: NotebookHealth) -> str:
    """Return the same as Markdown."""
    lines = [f"## 📓 {escape(result.path)}", "", escape(result.summary)]
    lines += ["", *(f"- {escape(line)}" for line in facts(result))] if facts(result) else []
    if result.issues:
        lines += ["", "| cell | line | rule | what |", "|---|---|---|---|"]
    for issue in result.issues:
        message = escape(issue.message).replace("|", "\\|")
        lines.append(f"| {issue.cell} | {issue.line} | {issue.rule} | {message} |")
    advice = _advice(result)
    if advice:
        lines += ["", *(f"- {escape(line)}" for line in advice)]
    lines += ["", *(f"*{escape(each)}*  " for each in result.notices)]
    return "\n".join(lines).rstrip() + "\n"


def facts(result: NotebookHealth) -> list[str]:
    """Return what is said of the order, the fresh run and the kernel."""
    said = []
    order = result.order
    if order.why:
        said.append(f"No order works: {'; '.join(order.why)}.")
    elif order.moved:
        said.append(f"An order that works: {', '.join(map(str, order.cells))}.")
    if result.run is not None and result.run.ok:
        ran = result.run.ran
        whole = "the one cell" if ran == 1 else f"all {ran} cells"
        said.append(f"In a fresh {result.run.kernel} kernel {whole} ran.")
    elif result.run is not None:
        where = f"cell {result.run.failed_cell}"
        said.append(f"In a fresh {result.run.kernel} kernel {where} failed: {result.run.error}")
        if result.run.failed_cell in (result.breaks_at, result.may_break_at):
            said.append("That is the cell that was foretold.")
    if result.live:
        said.append("The kernel that ran it was looked at too.")
    if result.wrote and not order.moved:
        said.append(f"Written without outputs, the order works as it is: {result.wrote}")
    elif result.wrote:
        said.append(f"Written in that order: {result.wrote}")
    return said


def _advice(result: NotebookHealth) -> list[str]:
    """Return the remedy of each rule once."""
    return list(dict.fromkeys(f"{each.rule}: {each.fix}" for each in result.issues if each.fix))
