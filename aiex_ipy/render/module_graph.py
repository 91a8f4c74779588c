"""Who imports whom as a picture: SVG without scripts, styles or references to elsewhere.

Layers from left (what imports) to right (what is imported), ordered so that few lines cross.
Source: K. Sugiyama, S. Tagawa, M. Toda, "Methods for Visual Understanding of Hierarchical System
Structures", 1981: layers by longest path, order by barycentres.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from html import escape

MOST_NODES = 40
"""Modules drawn; of more the most connected."""
MOST_COLUMNS = 6
"""Longer chains are folded: neighbouring layers share a column, so that names stay readable."""
MANY_EDGES = 60
"""Of more, those that say nothing new are left out: imports implied by a chain of others, and those
that happen later than the importer's own."""
_SWEEPS = 6
_ROW, _HEIGHT, _GAP, _MARGIN = 34, 20, 80, 12
_LETTER = 6.4
"""About the width of a letter of an 11 px sans-serif font."""
_LONGEST = 30
Edge = tuple[str, str]


class Picture:
    """The graph drawn. `svg` is the whole image, `alt` what it shows in words, `left_out` the
    number of modules that are not in it."""

    __slots__ = ("alt", "left_out", "svg")

    def __init__(self, svg: str, alt: str, left_out: int) -> None:
        self.svg = svg
        self.alt = alt
        self.left_out = left_out


def draw(
    links: Iterable[tuple[str, str, bool]],
    *,
    hot: Collection[str] = (),
    circular: Collection[str] = (),
) -> Picture | None:
    """Draw (importer, imported, eager) links; None where there are none.

    `hot` modules are filled, those in an import cycle have a red border; imports that happen later
    than the importer's own are dashed.
    """
    eager = {(a, b): e for a, b, e in links if a != b}
    degree: dict[str, int] = {}
    for pair in eager:
        for name in pair:
            degree[name] = degree.get(name, 0) + 1
    if not degree:
        return None
    kept = sorted(degree, key=lambda name: (-degree[name], name))[:MOST_NODES]
    inside = set(kept)
    edges = sorted(pair for pair in eager if inside.issuperset(pair))
    alt = _words(edges, len(degree), len(degree) - len(kept))
    crowded = len(edges) > MANY_EDGES
    if crowded:
        edges = [pair for pair in edges if eager[pair]]
    forward, back = _without_rounds(sorted(inside), edges)
    columns = _ordered(_folded(_layers(sorted(inside), forward)), forward)
    if crowded:
        forward = _reduced(forward)
    drawing = _Drawing(columns, hot=hot, circular=circular)
    for pair in sorted({*forward, *back}):
        drawing.line(pair, is_back=pair in back, eager=eager[pair])
    left_out = len(degree) - len(kept)
    return Picture(drawing.svg(alt, left_out=left_out, crowded=crowded), alt, left_out)


def _reduced(forward: Sequence[Edge]) -> list[Edge]:
    """Leave out the edges for which there is a longer way.

    Source: A. Aho, M. Garey, J. Ullman, "The Transitive Reduction of a Directed Graph", 1972.
    """
    following: dict[str, set[str]] = {}
    for one, other in forward:
        following.setdefault(one, set()).add(other)
    reached: dict[str, set[str]] = {}

    def below(node: str) -> set[str]:
        if node not in reached:
            reached[node] = set()  # filled below; there are no rounds
            for target in following.get(node, ()):
                reached[node] |= {target} | below(target)
        return reached[node]

    return [
        (one, other)
        for one, other in forward
        if not any(other in below(between) for between in following[one] - {other})
    ]


def _folded(layers: list[list[str]]) -> list[list[str]]:
    """Put neighbouring layers into one column where there are more than `MOST_COLUMNS`, so that
    the columns are of about one height."""
    if len(layers) <= MOST_COLUMNS:
        return layers
    share = sum(map(len, layers)) / MOST_COLUMNS
    columns: list[list[str]] = [[]]
    for layer in layers:
        if len(columns[-1]) >= share and len(columns) < MOST_COLUMNS:
            columns.append([])
        columns[-1] += layer
    return columns


def _without_rounds(nodes: Sequence[str], edges: Sequence[Edge]) -> tuple[list[Edge], set[Edge]]:
    """Take out the edges that close a round of a depth-first walk, and return both."""
    following: dict[str, list[str]] = {node: [] for node in nodes}
    incoming = dict.fromkeys(nodes, 0)
    for one, other in edges:
        following[one].append(other)
        incoming[other] += 1
    state: dict[str, int] = {}
    back: set[Edge] = set()
    for root in sorted(nodes, key=lambda node: (incoming[node], node)):
        if root in state:
            continue
        state[root] = 1
        work = [(root, iter(following[root]))]
        while work:
            node, rest = work[-1]
            target = next(rest, None)
            if target is None:
                state[node] = 2
                work.pop()
            elif target not in state:
                state[target] = 1
                work.append((target, iter(following[target])))
            elif state[target] == 1:
                back.add((node, target))
    return [edge for edge in edges if edge not in back], back


def _layers(nodes: Sequence[str], forward: Sequence[Edge]) -> list[list[str]]:
    """Put each node to the right of all that import it, by the longest path."""
    incoming = dict.fromkeys(nodes, 0)
    following: dict[str, list[str]] = {node: [] for node in nodes}
    for one, other in forward:
        following[one].append(other)
        incoming[other] += 1
    layer = dict.fromkeys(nodes, 0)
    ready = [node for node in nodes if not incoming[node]]
    for node in ready:
        for target in following[node]:
            layer[target] = max(layer[target], layer[node] + 1)
            incoming[target] -= 1
            if not incoming[target]:
                ready.append(target)
    found: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for node in nodes:
        found[layer[node]].append(node)
    return found


def _ordered(layers: list[list[str]], forward: Sequence[Edge]) -> list[list[str]]:
    """Order each layer by the mean place of the neighbours, sweeping to and fro."""
    near: dict[str, list[str]] = {node: [] for layer in layers for node in layer}
    for one, other in forward:
        near[one].append(other)
        near[other].append(one)
    place = _places(layers)
    for _ in range(_SWEEPS):
        for layer in layers:
            mean = {
                node: sum(place[n] for n in near[node]) / len(near[node])
                if near[node]
                else place[node]
                for node in layer
            }
            layer.sort(key=lambda node: (mean[node], node))
            place |= _places([layer])
    return layers


def _places(layers: Sequence[Sequence[str]]) -> dict[str, float]:
    return {
        node: (number + 0.5) / len(layer) for layer in layers for number, node in enumerate(layer)
    }


class _Drawing:
    """Boxes in columns, and the lines between them."""

    def __init__(
        self, columns: Sequence[Sequence[str]], *, hot: Collection[str], circular: Collection[str]
    ) -> None:
        self._prefix = _common([node for column in columns for node in column])
        self._hot = hot
        self._circular = circular
        self._lines: list[str] = []
        self._boxes: dict[str, tuple[float, float, float]] = {}
        tallest = max(len(column) for column in columns)
        x = float(_MARGIN)
        for column in columns:
            width = max(len(self._label(node)) for node in column) * _LETTER + 14
            top = _MARGIN + (tallest - len(column)) * _ROW / 2
            for number, node in enumerate(column):
                self._boxes[node] = x, top + number * _ROW, width
            x += width + _GAP
        self._width = x - _GAP / 2 + _MARGIN
        self._height = tallest * _ROW + _MARGIN + 26

    def line(self, edge: Edge, *, is_back: bool, eager: bool) -> None:
        """Draw a curve from the importer's right side to the imported one's left; to its right
        where both stand in one column."""
        (x1, y1, wide), (x2, y2, wide2) = self._boxes[edge[0]], self._boxes[edge[1]]
        start, y1, y2 = x1 + wide, y1 + _HEIGHT / 2, y2 + _HEIGHT / 2
        colour = "#c0392b" if is_back else "#8d9cb0"
        dash = "" if eager else ' stroke-dasharray="4 3"'
        if x1 == x2:
            end, bend, head = x2 + wide2, 18 + abs(y2 - y1) / 6, "6"
            curve = f"C{start + bend:.0f} {y1:.0f} {end + bend:.0f} {y2:.0f} {end + 5:.0f} {y2:.0f}"
        else:
            end, head = x2, "-6"
            bend = max(30.0, min(abs(end - start) / 2, 90.0))
            curve = f"C{start + bend:.0f} {y1:.0f} {end - bend:.0f} {y2:.0f} {end - 5:.0f} {y2:.0f}"
        self._lines.append(
            f'<path d="M{start:.0f} {y1:.0f}{curve}" fill="none" stroke="{colour}"{dash}/>'
            f'<path d="M{end:.0f} {y2:.0f}l{head} -3v6z" fill="{colour}"/>'
        )

    def svg(self, alt: str, *, left_out: int, crowded: bool) -> str:
        """Return the image with its legend."""
        size = f"{self._width:.0f} {self._height:.0f}"
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {size}" '
            f'width="{self._width:.0f}" height="{self._height:.0f}" font-family="sans-serif" '
            'font-size="11">',
            f"<title>{escape(alt)}</title>",
            f'<rect width="{self._width:.0f}" height="{self._height:.0f}" fill="#ffffff"/>',
            *self._lines,
            *(self._box(node) for node in self._boxes),
            f'<text x="{_MARGIN}" y="{self._height - 8:.0f}" fill="#4a5a6b">'
            f"{escape(self._legend(left_out=left_out, crowded=crowded))}</text></svg>",
        ]
        return "\n".join(parts)

    def _box(self, node: str) -> str:
        left, top, wide = self._boxes[node]
        fill = "#ffd9a8" if node in self._hot else "#eef3fa"
        stroke = "#c0392b" if node in self._circular else "#7a8ba3"
        return (
            f'<g><title>{escape(node)}</title><rect x="{left:.0f}" y="{top:.0f}" '
            f'width="{wide:.0f}" height="{_HEIGHT}" rx="3" fill="{fill}" stroke="{stroke}"/>'
            f'<text x="{left + 7:.0f}" y="{top + 14:.0f}" fill="#1c2733">'
            f"{escape(self._label(node))}</text></g>"
        )

    def _label(self, name: str) -> str:
        short = name.removeprefix(self._prefix)
        return short if len(short) <= _LONGEST else f"…{short[1 - _LONGEST :]}"

    def _legend(self, *, left_out: int, crowded: bool) -> str:
        told = ["left imports right; red: import cycle; orange: hot spot"]
        told.append("implied and later imports are not drawn" if crowded else "dashed: later")
        if self._prefix:
            told.append(f"all in {self._prefix.rstrip('.')}")
        if left_out:
            told.append(f"{left_out} less connected modules left out")
        return "; ".join(told)


def _common(names: Sequence[str]) -> str:
    """The packages all names begin with, with a dot at the end, or ""; the front page of a
    package may be among them."""
    top = min(names, key=len)
    parts = [name.split(".")[:-1] for name in names if name != top or len(names) == 1]
    shared: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    prefix = ".".join(shared)
    return f"{prefix}." if prefix and (top == prefix or top.startswith(f"{prefix}.")) else ""


def _words(edges: Sequence[Edge], modules: int, left_out: int) -> str:
    """What the picture shows, for those who do not see it."""
    into: dict[str, int] = {}
    for _, imported in edges:
        into[imported] = into.get(imported, 0) + 1
    most = sorted(into, key=lambda name: (-into[name], name))[:3]
    shown = f"{modules - left_out} of {modules} modules" if left_out else f"{modules} modules"
    told = ", ".join(f"{name} (by {into[name]})" for name in most)
    return f"Import graph of {shown} with {len(edges)} imports; most imported: {told}."
