"""Find the main content of an HTML page, and remove what stands around it: navigation, comments, advertisements."""

import math
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

_MAIN = ("main", "[role=main]", "article", "div.document", "#main-content", "#content", "body")
_NEVER = "script, style, noscript, template, svg, iframe, head"
_AROUND = (
    "nav, aside, footer, form, button, select, dialog, "
    "[role=navigation], [role=search], [role=banner], [role=contentinfo], [aria-hidden=true], [hidden], "
    "a.headerlink, a.anchor, a.hash-link, .sphinxsidebar, .toctree-wrapper, .breadcrumbs, .breadcrumb, .toc, "
    "#toc, .sidebar, .skip-link, .sr-only, .visually-hidden, .navbar, .pagination, .cookie-banner, .linenos"
)
_HEADINGS = "h1, h2, h3, h4, h5, h6"
_SEVERAL, _MOST_CARDS = 3, 500  # headings that lead to other pages
_PROSE = "p, pre, li, dd, td, blockquote"
_SIDE = re.compile(
    r"(?:^|[\s_-])(?:comments?|shar(?:e|ing)|social|related|recommend(?:ed|ations)?|newsletter|promo(?:tion)?s?|"
    r"sponsor(?:ed|s)?|advert\w*|outbrain|taboola|subscri(?:be|ption)|popular|trending)(?:$|[\s_-])",
    re.IGNORECASE,
)
_FEW = 200  # characters of a main part, at least
_LITTLE = 1_000  # characters of prose: a page with less is taken as it is
_MOST = 0.5  # of the page's text: what has more is the page itself, whatever it is called
_NEARLY_ALL = 0.85  # of the prose: an element that has it is the content
_SENTENCE = 60  # characters of prose, at least
_DEEPEST = 200  # levels of elements around prose that are looked at
_NEAR = 10  # levels between a link and what stands in it
_SOME = 0.1  # of the page's prose: a list of links has no more
_LINKED = 0.5  # of a text: what has more leads elsewhere


def main_content(tree: LexborHTMLParser) -> LexborNode | None:
    """Return the element with the main content, without what does not belong to it."""
    site = _site(tree)
    _drop(node for node in tree.css(_NEVER) if node.tag != "head" or node.parent is not None)
    prose = _prose_of(tree.root)
    inside, whole, size = _inside(prose), sum(map(_size, prose)), _size(tree.root)

    def is_part(node: LexborNode) -> bool:
        """Return whether an element is a smaller part of the page."""
        if whole < _LITTLE:
            return _size(node) <= _MOST * size
        return inside.get(node.mem_id, 0) <= _MOST * whole

    def is_list_of_links(node: LexborNode) -> bool:
        return _size(node) >= _FEW and inside.get(node.mem_id, 0) <= _SOME * whole and _leads(node)

    _drop(filter(is_part, tree.css(_AROUND)))
    named = (node for node in tree.css("[class]") if node.tag in ("div", "section", "ul", "ol"))
    aside = (node for node in named if _SIDE.search(node.attributes.get("class") or "") and is_part(node))
    _drop(aside, _MOST * size)
    root = _largest(tree)
    if root is None:
        return None
    others = [one for one in root.css(_HEADINGS) if _is_of_another_page(one, site)]
    if _SEVERAL <= len(others) <= _MOST_CARDS:
        _drop((_card(one, root, _SOME * size) for one in others), _MOST * _size(root))
    if root.tag == "body":
        _drop(node for node in root.css("div, section, ul") if is_part(node) and is_list_of_links(node))
    return _narrowed(root)


def _drop(nodes: Iterable[LexborNode], most: float = math.inf) -> None:
    """Remove elements, given in their order, each before those inside it; none if together they are too large."""
    dropped: dict[int, LexborNode] = {}
    for node in nodes:
        if not (dropped and any(parent.mem_id in dropped for parent in _above(node))):
            dropped[node.mem_id] = node
    if most == math.inf or sum(map(_size, dropped.values())) <= most:
        for node in dropped.values():
            node.decompose()


def _above(node: LexborNode) -> Iterator[LexborNode]:
    while (parent := node.parent) is not None:
        yield parent
        node = parent


def _size(node: LexborNode | None) -> int:
    return len(node.text()) if node is not None else 0


def _largest(tree: LexborHTMLParser) -> LexborNode | None:
    for selector in _MAIN:
        found = sorted(tree.css(selector), key=_size, reverse=True)
        if found and (selector == "body" or _size(found[0]) >= max(_FEW, _MOST * sum(map(_size, found)))):
            return found[0]
    return tree.root


def _narrowed(root: LexborNode) -> LexborNode:
    """Return the smallest element with nearly all prose of another."""
    prose = _prose_of(root)
    whole = sum(map(_size, prose))
    if whole < _LITTLE:
        return root
    inside = _inside(prose)
    while child := next((one for one in root.iter() if inside.get(one.mem_id, 0) >= _NEARLY_ALL * whole), None):
        root = child
    return root


def _site(tree: LexborHTMLParser) -> str:
    """Return the host of a page by its own word; empty if it does not say."""
    known = tree.css_first("link[rel=canonical]")
    return urlsplit((known.attributes.get("href") or "") if known else "").netloc


def _is_of_another_page(heading: LexborNode, site: str) -> bool:
    """Return whether a heading is a link to another page of the site, as that of a related story is."""
    links = heading.css("a") or [one for one in islice(_above(heading), _NEAR) if one.tag == "a"][:1]
    if not links or len(links[0].text().strip()) < _NEARLY_ALL * len(heading.text().strip()):
        return False
    href = links[0].attributes.get("href") or "#"
    return not href.startswith("#") and urlsplit(href).netloc in ("", site)


def _card(heading: LexborNode, root: LexborNode, most: float) -> LexborNode:
    """Return the widest element around a heading with no other heading and no more text than given."""
    node = heading
    for parent in _above(heading):
        if parent.mem_id == root.mem_id or len(parent.css(_HEADINGS)) > 1 or _size(parent) > most:
            break
        node = parent
    return node


def _prose_of(root: LexborNode | None) -> list[LexborNode]:
    return [one for one in root.css(_PROSE) if _is_prose(one)] if root is not None else []


def _inside(prose: Iterable[LexborNode]) -> dict[int, int]:
    """Return how much prose each element above has."""
    inside: dict[int, int] = {}
    parents: dict[int, tuple[LexborNode, int]] = {}  # with the prose right in it
    for one in prose:
        if one.parent is not None:
            parents[one.parent.mem_id] = one.parent, parents.get(one.parent.mem_id, (None, 0))[1] + _size(one)
    for parent, size in parents.values():
        for above in (parent, *islice(_above(parent), _DEEPEST)):
            inside[above.mem_id] = inside.get(above.mem_id, 0) + size
    return inside


def _is_prose(node: LexborNode) -> bool:
    """Return whether an element has sentences of its own, and is not in a link, as a card on a page of news is."""
    if any(one.mem_id != node.mem_id for one in node.css(_PROSE)):
        return False
    return _size(node) >= _SENTENCE and not _leads(node) and not _is_linked(node)


def _is_linked(node: LexborNode) -> bool:
    return any(parent.tag == "a" for parent in islice(_above(node), _NEAR))


def _leads(node: LexborNode) -> bool:
    """Return whether an element mostly leads elsewhere."""
    return sum(map(_size, node.css("a"))) > _LINKED * _size(node)
