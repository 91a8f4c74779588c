"""The import graph as a picture: well-formed, bounded, harmless, with its content in words."""

from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from aiex_ipy.render.module_graph import MOST_NODES, draw

SVG = "{http://www.w3.org/2000/svg}"
names = st.sampled_from([f"p.m{n}" for n in range(60)])


def boxes(svg: str) -> dict[str, float]:
    """The x of each module's box."""
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        title, rect = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        assert title is not None and rect is not None
        found[str(title.text)] = float(rect.attrib["x"])
    return found


def test_importers_stand_left_of_what_they_import() -> None:
    """A chain reads from left to right."""
    drawn = draw([("p.a", "p.b", True), ("p.b", "p.c", True), ("p.a", "p.c", True)])
    assert drawn is not None
    place = boxes(drawn.svg)
    assert place["p.a"] < place["p.b"] < place["p.c"]
    assert drawn.alt == (
        "Import graph of 3 modules with 3 imports; most imported: p.c (by 2), p.b (by 1)."
    )


def test_without_imports_there_is_no_picture() -> None:
    """Also where a module names only itself."""
    assert draw([]) is None
    assert draw([("a", "a", True)]) is None


@given(st.lists(st.tuples(names, names, st.booleans()), max_size=300))
@settings(max_examples=60, deadline=None)
def test_any_graph_is_drawn_well_formed_and_bounded(links: list[tuple[str, str, bool]]) -> None:
    """Rounds, crowds, self-imports: at most 40 modules, all inside the image, the rest counted."""
    drawn = draw(links)
    if drawn is None:
        assert all(a == b for a, b, _ in links)
        return
    place = boxes(drawn.svg)
    every = {name for a, b, _ in links if a != b for name in (a, b)}
    assert len(place) == min(MOST_NODES, len(every))
    assert drawn.left_out == len(every) - len(place)
    root = ElementTree.fromstring(drawn.svg)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for rect in root.iter(f"{SVG}rect"):
        right = float(rect.attrib.get("x", 0)) + float(rect.attrib["width"])
        bottom = float(rect.attrib.get("y", 0)) + float(rect.attrib["height"])
        assert right <= width and bottom <= height
    assert drawn.svg == (again.svg if (again := draw(links)) else "")


def test_names_cannot_break_out() -> None:
    """A directory may be called anything: it stays text, and nothing is run or fetched."""
    evil = '"><script>alert(1)</script><image href="http://x/"/>&'
    drawn = draw([(evil, "b", True)], hot=[evil], circular=[evil])
    assert drawn is not None
    root = ElementTree.fromstring(drawn.svg)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "title", "rect", "path", "g", "text"}
    assert not any(key.startswith(("on", "href")) for e in root.iter() for key in e.attrib)
    assert evil in boxes(drawn.svg)
