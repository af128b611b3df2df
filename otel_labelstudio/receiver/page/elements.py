"""HTML as a tree: text from outside goes in as text and comes out escaped, whoever wrote the code."""

from __future__ import annotations

from xml.etree.ElementTree import Element, tostring

from otel_labelstudio.printable import printable


def element(tag: str, *children: Element | str, **attributes: str) -> Element:
    """An element with these children. A trailing underscore makes a name of an attribute that is a word of Python."""
    made = Element(tag, {name.rstrip("_").replace("_", "-"): printable(value) for name, value in attributes.items()})
    for child in children:
        if isinstance(child, Element):
            made.append(child)
        elif len(made):
            made[-1].tail = (made[-1].tail or "") + printable(child)
        else:
            made.text = (made.text or "") + printable(child)
    return made


def stylesheet(css: str) -> Element:
    """A style element, whose content is no text: it is ours, and goes out as it is."""
    made = Element("style")
    made.text = css
    return made


def document(root: Element) -> bytes:
    """The page of a tree."""
    return b"<!doctype html>\n" + tostring(root, encoding="unicode", method="html").encode()
