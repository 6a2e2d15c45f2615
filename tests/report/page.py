"""What a page holds: numbers with their place, addresses, identifiers, and text outside numbers."""

from html.parser import HTMLParser

SILENT = {"script", "style", "svg", "pre", "code"}
VOID = {"br", "meta"}


class Page(HTMLParser):
    """A page, read."""

    def __init__(self, text):
        super().__init__()
        self.numbers, self.addresses, self.identifiers, self.elements = [], [], [], []
        self.text, self.said = [], []
        self.charts = []
        self._open, self._silent = None, 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.elements.append(tag)
        self.addresses += [
            found[name] for name in ("src", "href", "data", "poster") if name in found
        ]
        if "id" in found:
            self.identifiers.append(found["id"])
        self._silent += tag in SILENT
        if tag == "data":
            self._open = [found["data-from"], found["value"], ""]
        elif tag not in {"b", "span"} | SILENT:
            self.said.append("\n")

    def handle_endtag(self, tag):
        self._silent -= tag in SILENT
        if tag == "data":
            self.numbers.append(tuple(self._open))
            self._open = None

    def handle_data(self, text):
        self.text.append(text)
        if self._open:
            self._open[2] += text
        elif not self._silent:
            self.said.append(text)
