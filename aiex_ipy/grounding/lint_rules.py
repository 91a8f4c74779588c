"""Which ruff rules count, and as what: the one table behind `grounding/lint.py`.

A rule is chosen when it names a likely defect, a risk or a cost. Left out on purpose are
rules about layout and comments (a score must not move when code is formatted), rules that
depend on the line length (SIM108, SIM110, SIM401), pure taste (quotes, import order, early
return style), notices without a finding (S603, S607, S4xx), and `C901`: cognitive complexity
comes from complexipy. Category and severity are our judgement, not ruff's.

Source: `ruff rule --all --output-format json`, ruff 0.17.6.
"""

from __future__ import annotations

from aiex_ipy.grounding.facts import Category, Severity

# "category severity": the rules or rule prefixes it holds for. The longest prefix wins.
_TABLE: dict[str, str] = {
    # Names, formats and control flow that fail when they run.
    "correctness high": """
        F5 F621 F622 F631 F632 F633 F634 F7 F82 F901 F404 F407
        B002 B016 B025 B029 B030 B032 B012
        PLE PLW0129 PLW0133 PLW0177 PLW0245 PLW0711 PLW1501 PLW2101 PLR1708
        RUF008 RUF016 G101 PGH005
    """,
    "correctness medium": """
        F402 F504 F522 F523 F601 F602 F811 E722
        B003 B005 B006 B015 B020 B021 B022 B023 B031 B035 B039
        PIE794 PIE796 PLW0128 PLW0406 PLW1507 PLW1508 PLW1509 PLR0124
        RUF006 RUF009 RUF018 RUF024 RUF026 RUF032 RUF049 RUF064
        SIM107 SIM115 SIM222 SIM223 YTT UP005 UP023 NPY001 NPY003 NPY201 ASYNC100 ASYNC105
        LOG014 PLC0132
    """,
    "correctness low": """
        E711 E712 E721 B004 B008 B017 B018 B026 B033 B034 BLE001 S110 S112 F403
        PLE0643 PLE1310 PLE2510 PLE2512 PLE2513 PLE2514 PLE2515 PLE0605
        PLW0131 PLW0602 PLW0604 PLW0642 PLW1510 PLW1641 PLC0131 PLC0205 PLR0133 PLR0206
        PLR1704 RUF013 RUF030 RUF033 RUF034 RUF040 RUF043 RUF048 RUF060 RUF068 RUF071
        TRY002 TRY400 DTZ003 DTZ004 LOG001 LOG002 LOG004 LOG007 LOG009 G010 G202 INT ASYNC116
        NPY002 B028 PT010 PT014 PT015
    """,
    # Text from outside that is run, or protection that is switched off.
    "security high": """
        S102 S201 S307 S323 S501 S506 S507 S601 S602 S604 S605 S608 S609 S612 S701 PLE2502
    """,
    "security medium": """
        S103 S105 S106 S107 S113 S202 S301 S302 S303 S304 S305 S306 S308 S312 S321 S324
        S502 S503 S504 S505 S508 S509 S610 S611 S702 S704
    """,
    "security low": "S101 S104 S108 S310 S311 S313 S314 S315 S316 S317 S318 S319",
    # More work for the machine than needed.
    "performance medium": """
        B019 RUF017 ASYNC110 ASYNC210 ASYNC212 ASYNC22 ASYNC23 ASYNC24 ASYNC25
    """,
    "performance low": """
        PERF101 PERF102 PERF401 PERF402 PERF403 C400 C401 C402 C403 C404 C405 C406 C409 C410 C411
        C413 C414 C415 C416 C417 C418 C419 C420 SIM118 RUF015 RUF019 RUF051 PLC0206 PLC0207 PLC0208
        PLR1714 PLR1733 PLR1736 RUF058 RUF037
    """,
    # More work for the next reader than needed.
    "maintainability medium": "T100 B024 PLW0603",
    "maintainability low": """
        F401 F541 F841 F842 E713 E714 E731 E741 E742 E743
        B007 B009 B010 B011 B013 B014 B027 B904
        SIM101 SIM102 SIM103 SIM105 SIM109 SIM113 SIM116 SIM201 SIM202 SIM208 SIM210 SIM211
        SIM212 SIM220 SIM221 SIM910 SIM911
        PIE790 PIE800 PIE804 PIE807 PIE810 RET503 PLC3002 PLR1711 PLR1722 PLW0108 PLW0120
        PLW0127 PLW0211 PLW2901 PLW3301 RUF012 RUF020 RUF057 RUF059 TRY201 TRY203 TRY401
    """,
    # Older spellings: true, and worth no worry.
    "maintainability info": """
        UP003 UP004 UP006 UP007 UP008 UP010 UP011 UP012 UP015 UP017 UP018 UP019 UP020 UP021 UP022
        UP024 UP026 UP028 UP029 UP030 UP031 UP032 UP033 UP035 UP036 UP041 UP045
        PLR5501
    """,
}

# Findings that are no issue where the code is a test or a package's front page.
TESTS_ALLOW = frozenset({"S101", "S105", "S106", "S107", "S108", "S311", "B018", "PLR0124", "B015"})
INIT_ALLOW = frozenset({"F401", "F403", "F822"})  # `__all__` may name submodules

# In a notebook or a cell: the last expression is shown, and re-defining is how one works.
CELL_ALLOW = frozenset({"B015", "B018", "F811", "F704", "PLE1142", "T100"})
# In a fragment (a cell, a live function) what stands outside it cannot be judged.
FRAGMENT_ALLOW = frozenset({"F401", "F822", "PLE0604", "PLE0605", "PLE1142", "F704", "F706"})

# Rules that mean "Python refuses the file" when `compile` agrees.
REFUSED = frozenset({"invalid-syntax", "F404", "F407", "F621", "F622", "F701", "F702", "F704"}) | {
    "F706",
    "F707",
    "PLE0115",
    "PLE0117",
    "PLE0118",
    "PLE1132",
    "PLE1142",
    "PLE1700",
}


def _build() -> dict[str, tuple[Category, Severity]]:
    table: dict[str, tuple[Category, Severity]] = {}
    for label, codes in _TABLE.items():
        category, severity = label.split()
        for code in codes.split():
            table[code] = (category, severity)  # type: ignore[assignment]
    return table


RULES = _build()
SELECT = ",".join(["E902", *sorted(RULES)])  # E902: ruff cannot read the file; never shown


def classify(code: str) -> tuple[Category, Severity] | None:
    """Return category and severity of a ruff code by its longest known prefix, or None."""
    for length in range(len(code), 0, -1):
        found = RULES.get(code[:length])
        if found is not None:
            return found
    return None
