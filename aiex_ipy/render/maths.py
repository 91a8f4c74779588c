r"""TeX of a model's answer, reduced to what typesets formulas and can do nothing else.

MathJax and KaTeX run macros that open links, set styles and ids, load extensions and define
further macros (`\href`, `\style`, `\cssId`, `\require`, `\def` ...), and the list grows with
their packages. So control words are allowed by name; a formula with any other is shown as its
source.
"""

from __future__ import annotations

import re

LONGEST = 4000

_ALLOWED_WORDS = """
    alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa varkappa lambda mu
    nu xi omicron pi varpi rho varrho sigma varsigma tau upsilon phi varphi chi psi omega Gamma
    Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega digamma aleph beth gimel daleth hbar hslash
    ell wp Re Im imath jmath partial nabla infty emptyset varnothing forall exists nexists neg lnot
    top bot angle measuredangle sphericalangle triangle square blacksquare Box Diamond diamond
    lozenge bigstar star prime backprime flat natural sharp clubsuit diamondsuit heartsuit spadesuit
    surd degree complement eth mho Finv Game Bbbk circledR circledS checkmark maltese dagger ddagger
    S P copyright pounds yen
    pm mp times div ast cdot circ bullet cap cup Cap Cup uplus sqcap sqcup vee wedge lor land
    setminus smallsetminus wr amalg oplus ominus otimes oslash odot bigcirc ltimes rtimes bowtie
    barwedge veebar curlyvee curlywedge boxplus boxminus boxtimes boxdot dotplus divideontimes
    intercal triangleleft triangleright bigtriangleup bigtriangledown lhd rhd unlhd unrhd
    le leq ge geq ne neq lt gt ll gg lll ggg leqslant geqslant leqq geqq lesssim gtrsim lessapprox
    gtrapprox lessgtr gtrless eqslantless eqslantgtr prec succ preceq succeq precsim succsim sim
    simeq approx approxeq thickapprox thicksim cong equiv doteq doteqdot coloneqq propto varpropto
    asymp subset supset subseteq supseteq subsetneq supsetneq sqsubset sqsupset sqsubseteq
    sqsupseteq nsubseteq nsupseteq in ni notin owns not nless ngtr nleq ngeq nsim ncong nmid
    nparallel mid parallel perp vdash dashv models vDash Vdash Vvdash nvdash nvDash smile frown
    between pitchfork because therefore multimap trianglelefteq trianglerighteq vartriangleleft
    vartriangleright vartriangle
    to gets mapsto longmapsto leftarrow rightarrow leftrightarrow Leftarrow Rightarrow
    Leftrightarrow longleftarrow longrightarrow longleftrightarrow Longleftarrow Longrightarrow
    Longleftrightarrow implies impliedby iff uparrow downarrow updownarrow Uparrow Downarrow
    Updownarrow nearrow searrow swarrow nwarrow hookleftarrow hookrightarrow leftharpoonup
    leftharpoondown rightharpoonup rightharpoondown rightleftharpoons leftrightharpoons leadsto
    rightsquigarrow twoheadrightarrow twoheadleftarrow rightarrowtail leftarrowtail nleftarrow
    nrightarrow nLeftarrow nRightarrow curvearrowleft curvearrowright circlearrowleft
    circlearrowright leftleftarrows rightrightarrows upuparrows downdownarrows xrightarrow
    xleftarrow xRightarrow xLeftarrow xleftrightarrow xmapsto
    sum prod coprod int iint iiint oint bigcap bigcup bigvee bigwedge bigoplus bigotimes bigodot
    biguplus bigsqcup limits nolimits displaylimits
    sin cos tan cot sec csc sinh cosh tanh coth arcsin arccos arctan arg deg det dim exp gcd hom inf
    ker lg lim liminf limsup ln log max min Pr sup bmod pmod pod mod argmax argmin operatorname
    frac dfrac tfrac cfrac genfrac binom dbinom tbinom choose over atop sqrt root of stackrel
    overset underset overbrace underbrace overline underline overleftarrow overrightarrow
    overleftrightarrow underleftarrow underrightarrow substack sideset boxed cancel bcancel xcancel
    smash phantom hphantom vphantom mathstrut
    hat widehat check tilde widetilde acute grave dot ddot dddot ddddot breve bar vec mathring
    left right middle big Big bigg Bigg bigl Bigl biggl Biggl bigr Bigr biggr Biggr bigm Bigm biggm
    Biggm langle rangle lfloor rfloor lceil rceil lbrace rbrace lbrack rbrack vert Vert lvert rvert
    lVert rVert backslash ulcorner urcorner llcorner lrcorner lgroup rgroup lmoustache rmoustache
    arrowvert Arrowvert bracevert
    ldots cdots vdots ddots dots dotsc dotsb dotsm dotsi dotso colon cdotp ldotp
    quad qquad thinspace medspace thickspace negthinspace negmedspace negthickspace enspace nobreak
    mathrm mathbf mathit mathsf mathtt mathcal mathbb mathfrak mathscr mathnormal boldsymbol bm pmb
    text textrm textbf textit textsf texttt textnormal mbox rm bf it sf tt cal mathop mathbin
    mathrel mathord mathopen mathclose mathpunct mathinner displaystyle textstyle scriptstyle
    scriptscriptstyle
    begin end hline cr
"""
_ALLOWED_ENVIRONMENTS = """
    matrix pmatrix bmatrix Bmatrix vmatrix Vmatrix smallmatrix cases rcases array subarray split
    aligned alignedat gathered align align* gather gather* equation equation* eqnarray eqnarray*
    multline multline* flalign flalign*
"""
_WORDS = frozenset(_ALLOWED_WORDS.split())
_ENVIRONMENTS = frozenset(_ALLOWED_ENVIRONMENTS.split())
_SYMBOLS = frozenset(",;:!> {}|\\%#&_")
_TOKEN = re.compile(r"\\([A-Za-z]+)|\\(.)|([{}%`$])", re.DOTALL)
_ENVIRONMENT = re.compile(r"\{([A-Za-z]+\*?)\}")
_ROW = re.compile(r"\[-?\d{1,2}(?:\.\d{1,2})?(?:pt|em|ex|mm)\]")
# Written so, the formula is the same in TeX, and a Markdown parser that knows no maths finds in
# it no tag, no link, no image and no address. A brace or bracket right after a row's end would be
# read as an escaped one by the splitters of JupyterLab and nbconvert.
_REWRITE = (
    (re.compile("<"), r"\\lt "),
    (re.compile(">"), r"\\gt "),
    (re.compile(r"(?<!\\)((?:\\\\)+)(?=[{}()\]])"), r"\1 "),
    (re.compile(r"!(?=\[)|\](?=[(\[:])|/(?=/)"), r"\g<0> "),
)


def formula(tex: str) -> str | None:
    """Return `tex` on one line made of allowed control words, or None when it is not a formula.

    None for unbalanced braces, `$`, a backquote, a comment, a control word or environment not on
    the list, more than `LONGEST` characters. Braces are balanced in the sense of every front end
    that cuts formulas out before it parses Markdown.
    """
    tex = " ".join(tex.split())
    if not tex or len(tex) > LONGEST or tex.endswith("\\"):
        return None
    depth = 0
    for token in _TOKEN.finditer(tex):
        if not _allowed(token):
            return None
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth < 0:
            return None
    if depth:
        return None
    for what, instead in _REWRITE:
        tex = what.sub(instead, tex)
    return " ".join(tex.split())


def _allowed(token: re.Match[str]) -> bool:
    word, symbol, bare = token.groups()
    tex, end = token.string, token.end()
    if word in ("begin", "end"):
        name = _ENVIRONMENT.match(tex, end)
        return name is not None and name[1] in _ENVIRONMENTS
    if word:
        return word in _WORDS
    if symbol == "\\" and tex.startswith("[", end):
        return _ROW.match(tex, end) is not None
    return symbol in _SYMBOLS if symbol else bare in "{}"
