"""An analysis as text and Markdown, with the guide's sections in its order."""

from __future__ import annotations

from aiex_ipy.grounding.facts import Issue, LedgerLine, Severity
from aiex_ipy.operations.analyze import Analysis, FileScore
from aiex_ipy.render.safe import plain

RULE = "=" * 50
MOST_ISSUES = 20
MOST_LEDGER = 8
SYMBOL: dict[Severity, str] = {
    "critical": "🛑",
    "high": "❗",
    "medium": "⚠️",
    "low": "ℹ️",
    "info": "💡",
}


def score_words(value: float | None) -> str:
    """Return `8/10`, `8.4/10`, or what stands for no score."""
    if value is None:
        return "none (nothing to score)"
    return f"{value:.2f}".rstrip("0").rstrip(".") + "/10"


def text(result: Analysis, *, symbols: bool = True) -> str:
    """Return the guide's text form; ends in a newline."""

    def mark(symbol: str) -> str:
        return f"{symbol} " if symbols else ""

    lines = [
        f"{mark('📊')}Code Analysis Results",
        RULE,
        "",
        *([f"{_subject(result)}: {plain(result.path)}"] if result.path else []),
        f"Summary: {plain(result.summary)}",
        f"Quality Score: {score_words(result.quality_score)}",
    ]
    lines += _ledger(result, mark("🧾")) + _worst(result, mark("📁"))
    lines += ["", f"{mark('⚠️ ')}Issues Found ({len(result.issues)}):"]
    many = len({i.path for i in result.issues}) > 1
    for number, issue in enumerate(_weightiest(result.issues), 1):
        lines.append(f"   {number}. {mark(SYMBOL[issue.severity])}{_issue(issue, many)}")
    if len(result.issues) > MOST_ISSUES:
        lines.append(
            f"   and {len(result.issues) - MOST_ISSUES} more (--output json lists them all)"
        )
    lines += ["", f"{mark('🔧')}Recommendations ({len(result.recommendations)}):"]
    for number, advice in enumerate(result.recommendations, 1):
        unsure = "" if advice.source == "aiex" else " (the model's opinion)"
        lines.append(f"   {number}. {plain(advice.title)}: {plain(advice.detail)}{unsure}")
    if result.judgement:
        lines += ["", f"{mark('💬')}{plain(result.model or '')} says: {plain(result.judgement)}"]
    lines += ["", *_footer(result)]
    return "\n".join(lines) + "\n"


def tail(result: Analysis, *, symbols: bool = True) -> str:
    """Return the model's part, for when the facts were shown before."""
    mark = "💬 " if symbols else ""
    lines = []
    if result.judgement:
        lines.append(f"{mark}{plain(result.model or '')} says: {plain(result.judgement)}")
    lines += [f"   - {_issue(i, True)}" for i in result.issues if i.source == "model"]
    lines += [
        f"   - {plain(advice.title)}: {plain(advice.detail)}"
        for advice in result.recommendations
        if advice.source == "model"
    ]
    return "\n".join([*lines, *_footer(result)]) + "\n"


def markdown(result: Analysis) -> str:
    """Return the same as Markdown."""
    from aiex_ipy.render.safe import escape, sentence

    lines = [
        "## 📊 Code Analysis Results",
        "",
        *([f"**{_subject(result)}:** {escape(result.path)}", ""] if result.path else []),
        f"**Summary:** {escape(result.summary)}",
        "",
        f"**Quality Score:** {score_words(result.quality_score)}",
    ]
    if result.ledger:
        lines += ["", "| lost | component | where and why |", "|---:|---|---|"]
        for line in sorted(result.ledger, key=lambda at: -at.lost)[:MOST_LEDGER]:
            why = sentence(_why(line, bool(result.files)), cell=True)
            lines.append(f"| -{line.lost:.2f} | {line.component} | {why} |")
    if result.worst:
        lines += ["", f"**Worst files** ({len(result.files)} in all):", ""]
        lines += [f"- {escape(_file(f))}" for f in result.worst]
    lines += ["", f"### ⚠️ Issues Found ({len(result.issues)})", ""]
    many = len({i.path for i in result.issues}) > 1
    for number, issue in enumerate(_weightiest(result.issues), 1):
        lines.append(f"{number}. {SYMBOL[issue.severity]} {sentence(_issue(issue, many))}")
    if len(result.issues) > MOST_ISSUES:
        lines += ["", f"… and {len(result.issues) - MOST_ISSUES} more."]
    lines += ["", f"### 🔧 Recommendations ({len(result.recommendations)})", ""]
    for number, advice in enumerate(result.recommendations, 1):
        unsure = "" if advice.source == "aiex" else " *(the model's opinion)*"
        lines.append(f"{number}. **{escape(advice.title)}:** {sentence(advice.detail)}{unsure}")
    if result.judgement:
        lines += ["", f"> **{escape(result.model or '')}:** {escape(result.judgement)}"]
    lines += ["", *(f"*{escape(line)}*  " for line in _footer(result))]
    return "\n".join(lines) + "\n"


def _ledger(result: Analysis, mark: str) -> list[str]:
    if not result.ledger:
        return []
    lines = ["", f"{mark}Lost points ({_lost(result):.2f}):"]
    lines += [
        f"   -{line.lost:.2f} {line.component}: {plain(_why(line, bool(result.files)))}"
        for line in sorted(result.ledger, key=lambda at: -at.lost)[:MOST_LEDGER]
    ]
    if len(result.ledger) > MOST_LEDGER:
        lines.append(f"   and {len(result.ledger) - MOST_LEDGER} smaller ones")
    return lines


def _worst(result: Analysis, mark: str) -> list[str]:
    if not result.worst:
        return []
    lines = ["", f"{mark}Worst files ({len(result.files)} in all):"]
    lines += [f"   {_file(f)}" for f in result.worst]
    if result.share_below_6 is not None:
        lines.append(f"   share below 6: {result.share_below_6:.0%}")
    return lines


def _subject(result: Analysis) -> str:
    return {"directory": "Directory", "files": "Files", "cell": "Cell"}.get(result.kind, "File")


def _why(line: LedgerLine, with_path: bool) -> str:
    """Where a loss is and why; losses that were put together have no place."""
    if not line.unit and not line.path:
        return line.reason
    cell = f"cell {line.cell} " if line.cell is not None else ""
    path = f"{line.path} " if with_path else ""
    return f"{path}{cell}{line.unit or line.path}:{line.line} {line.reason}"


def _lost(result: Analysis) -> float:
    return sum(line.lost for line in result.ledger)


def _weightiest(issues: tuple[Issue, ...]) -> list[Issue]:
    order = list(SYMBOL)
    return sorted(issues, key=lambda i: order.index(i.severity))[:MOST_ISSUES]


def _issue(issue: Issue, with_path: bool) -> str:
    place = f"line {issue.line}"
    if issue.cell is not None:
        place = f"cell {issue.cell}, {place}"
    if with_path:
        place = f"{issue.path}, {place}"
    symbol = f" in {issue.symbol}" if issue.symbol else ""
    claim = ""
    if issue.source == "model":
        claim = " (the model's claim, " + ("confirmed)" if issue.confirmed else "UNCONFIRMED)")
    return plain(f"{issue.message} ({issue.rule}, {place}{symbol}){claim}")


def _file(file: FileScore) -> str:
    noun = "issue" if file.issues == 1 else "issues"
    return plain(f"{score_words(file.quality_score)} {file.path} ({file.issues} {noun})")


def _footer(result: Analysis) -> list[str]:
    tools = ", ".join(f"{name} {version}" for name, version in result.analyzers.items())
    who = f"model {result.model} ({result.provider})" if result.model else "no model"
    return [
        *(plain(notice) for notice in result.notices),
        f"Facts by {tools}; score version {result.score_version}; {who}.",
    ]
