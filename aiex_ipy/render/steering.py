"""What steers a terminal, reorders a line or hides, taken out of a text."""

from __future__ import annotations

import re

# ESC sequences of ECMA-48 in their 7-bit and 8-bit forms. A control string (OSC, DCS, SOS, PM,
# APC) is taken whole only when it is terminated; its body holds no control character, so that
# every search ends at the next one and the whole text is read once.
# Source: ECMA-48 5th edition, 5.3-5.6; xterm's ctlseqs (BEL ends an OSC; OSC 8, OSC 52).
_SEQUENCE = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x08\x0a-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b[0-OQ-WYZ\\`-~]"
)
# What a terminal or a front end takes for the end of a line; a lone CR would overwrite one.
_LINE_END = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
# Zero-width and steering characters that no script needs for its display:
#  202A-202E, 2066-2069  bidi embeddings, overrides, isolates ("Trojan Source", CVE-2021-42574)
#  200B, 2060-2065, FEFF, 180E, 00AD, 034F   invisible joints, used to split words from filters
#  206A-206F, FFF9-FFFB  deprecated formatting, interlinear annotation
#  1D173-1D17A           musical formatting; FFFE, FFFF are no characters
_HIDDEN = re.compile(
    "[\u00ad\u034f\u180e\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U0001d173-\U0001d17a]"
)
# Tag characters spell ASCII invisibly; only the flags of regions (after U+1F3F4) use them.
# Source: Unicode Technical Standard 51, ED-14a.
_TAGS = re.compile(
    "(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f)"
    "|[\U000e0000-\U000e007f]+"
)
# A variation selector picks one glyph of one character; a row of them carries hidden bytes.
_SELECTOR = (
    "(?<![0-9#*\u00a9\u00ae\u0590-\u1fff\u2070-\ufdff\ufe10-\uffff\U00010000-\U000e00ff])"
    "[\ufe00-\ufe0f]"
    "|(?<![\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]"
)
# ZWNJ and ZWJ shape Arabic, Persian, Indic words and emoji: kept singly after such a character,
# dropped after Latin, Greek, Cyrillic, punctuation or nothing, where they can only hide.
_JOINERS = "(?<=[\u200c\u200d])[\u200c\u200d]+"
_JOINER = "(?<![\u0590-\u1dff\u2190-\ufdff\ufe0f\ufe10-\uffff\U00010000-\U0010ffff])[\u200c\u200d]"
# LRM, RLM, ALM place punctuation in Hebrew and Arabic lines; a text without such letters has no
# use for them.
_MARKS = re.compile("[\u061c\u200e\u200f]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff]")
# The patterns of selectors and joiners are compiled (7 ms) only for a text that holds one of these.
_SHAPING = re.compile("[\u200c\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SUSPECT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\ufff9-\ufffb\ufffe\uffff\U0001d173-\U0001d17a"
    "\U000e0000-\U000e01ef]"
)


def cleaned(text: str) -> str:
    """Return `text` as `render.characters.plain` describes it."""
    if not _SUSPECT.search(text):
        return text
    if _SURROGATE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = _SEQUENCE.sub("", text)
    text = _LINE_END.sub("\n", text)
    text = _CONTROL.sub("", text)
    text = _HIDDEN.sub("", text)
    text = _TAGS.sub(r"\1", text)
    if not _RIGHT_TO_LEFT.search(text):
        text = _MARKS.sub("", text)
    if _SHAPING.search(text):
        for pattern in (_SELECTOR, _JOINERS, _JOINER):
            text = re.sub(pattern, "", text)
    return text
