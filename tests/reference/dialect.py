"""The OSSEC XML dialect, read the slow and obvious way (spec: decoders, section 1).

Written from the specification alone, and sharing nothing with engine/xml: it exists to be compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Node:
    name: str
    attributes: list[tuple[str, str]] = field(default_factory=list)
    text: str = ""
    children: list["Node"] = field(default_factory=list)


class Reader:
    def __init__(self, text: str):
        self.text = text
        self.at = 0
        self.variables: dict[str, str] = {}

    def roots(self) -> list[Node]:
        if self.text.startswith("\ufeff") or self.text.startswith("\xef\xbb\xbf"):
            self.at = self.text.index("<")
        if self.text.startswith("<?", self.at):
            self.at = self.text.index("?>", self.at) + 2
        found = []
        while (node := self.next_node(None)) is not None:
            if node.name.lower() != "var":
                found.append(node)
        return found

    def skip_comment(self) -> None:
        ends = []
        for end in ("-->", "!>"):
            place = self.text.find(end, self.at + 2)
            if place >= 0:
                ends.append(place + len(end))
        self.at = min(ends)

    def next_node(self, parent: Node | None) -> Node | None:
        """The next element below `parent`, whose text is collected on the way."""
        content = ""
        while self.at < len(self.text):
            if self.text.startswith("<!", self.at) and not self.escaped():
                self.skip_comment()
            elif self.text.startswith("</", self.at) and not self.escaped():
                end = self.text.index(">", self.at)
                assert parent is not None and self.text[self.at + 2:end].strip() == parent.name
                self.at = end + 1
                parent.text = self.substitute(content)
                return None
            elif self.text[self.at] == "<" and not self.escaped():
                return self.element()
            else:
                content += self.text[self.at]
                self.at += 1
        assert parent is None
        return None

    def escaped(self) -> bool:
        return self.at > 0 and self.text[self.at - 1] == "\\"

    def element(self) -> Node:
        self.at += 1
        start = self.at
        while self.text[self.at] not in " \t\r\n/>":
            self.at += 1
        node = Node(self.text[start:self.at])
        while True:
            while self.text[self.at].isspace():
                self.at += 1
            if self.text.startswith("/>", self.at):
                self.at += 2
                break
            if self.text[self.at] == ">":
                self.at += 1
                while (child := self.next_node(node)) is not None:
                    node.children.append(child)
                break
            equals = self.text.index("=", self.at)
            name = self.text[self.at:equals]
            self.at = equals + 1
            while self.text[self.at] == " ":
                self.at += 1
            quote = self.text[self.at]
            end = self.text.index(quote, self.at + 1)
            node.attributes.append((name, self.substitute(self.text[self.at + 1:end])))
            self.at = end + 1
        if node.name.lower() == "var":
            self.variables.setdefault(node.attributes[0][1].lower(), node.text)
        return node

    def substitute(self, text: str) -> str:
        if not self.variables or len(text) <= 2 or "$" not in text:
            return text
        out, at = "", 0
        while at < len(text):
            if text[at] != "$":
                out += text[at]
                at += 1
                continue
            end = at + 1
            while end < len(text) and text[end] not in "$.|, ":
                end += 1
            name = text[at + 1:end]
            out += "$" if name == "" else self.variables[name.lower()]
            at = end
        return out


def read(path: str) -> list[Node]:
    with open(path, encoding="latin-1") as file:
        return Reader(file.read()).roots()
