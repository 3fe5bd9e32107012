"""Pre-decoding and decoding (spec: predecoding, decoders), the slow and obvious way."""

from __future__ import annotations

import string
from dataclasses import dataclass, field

import dialect
from patterns import Pattern

NAME_CHARS = set(string.ascii_letters + string.digits + "-./_@()")


@dataclass
class Event:
    full_log: str
    log: str
    hostname: str | None = None
    program_name: str | None = None
    decoder: "Decoder | None" = None
    decoder_name: str | None = None
    type: str = "syslog"
    fields: dict[str, str] = field(default_factory=dict)
    dynamic: dict[str, str] = field(default_factory=dict)
    location: str = "stdin"
    time: int = 0
    matched: int = 0


# ---------------------------------------------------------------- pre-decoding


def predecode(line: str, local_host: str, location: str = "stdin") -> Event:
    text = "".join(c for c in line if c >= " " and c != "\x7f")
    event = Event(text, text, location=location)
    shape = text
    if text[1:3] == "\xc3\xa4":
        shape = "Ma" + text[3:]
    start, kind = header(shape)
    event.log = text[start:]
    if kind == "dated":
        if event.log.startswith(" "):
            event.log = event.log[1:]
        host_and_program(event)
    elif kind == "asl":
        asl(event)
    if location.startswith("("):
        event.hostname = location
    elif event.hostname is None:
        event.hostname = local_host
    return event


def header(t: str) -> tuple[int, str]:
    def at(char: str, *columns: int) -> bool:
        return all(column < len(t) and t[column] == char for column in columns)

    def digit(column: int) -> bool:
        return column < len(t) and t[column] in string.digits

    size = len(t) + 1
    if size > 17 and at(" ", 3, 6, 15) and at(":", 9, 12):
        return 16, "dated"
    if size > 24 and at("-", 4, 7) and at(" ", 10) and at(":", 13, 16) and at(",", 19):
        return 23, "dated"
    if size > 33 and at("-", 4, 7) and at("T", 10) and at(":", 13, 16, 22) and at(" ", 25):
        return 26, "dated"
    if size > 33 and at("-", 4, 7) and at("T", 10) and at(":", 13, 16) and t[19] in ".,":
        for column in range(24, 30):
            if t[column] == ":":
                return column + 3, "dated"
    if size > 21 and digit(0) and at(" ", 4, 8, 11, 20) and at(":", 14, 17):
        return 21, "dated"
    if size > 20 and digit(0) and at(":", 4, 7, 13, 16) and at("-", 10):
        return 20, "dated"
    if size > 28 and at(" ", 3, 7, 10, 19, 24, 26) and at(":", 13, 16):
        return 24, "text"
    if size > 24 and at("/", 2) and at("-", 5) and at(":", 8, 11) and at(".", 14) and at(" ", 21):
        return 23, "text"
    if size > 26 and at("/", 2, 5) and at("-", 10) and at(":", 13, 16) and at(".", 19) and at(" ", 26):
        return 28, "text"
    if size > 27 and at("[", 0) and at(" ", 4, 8, 11, 20) and at(":", 14, 17) and at("]", 25):
        return 27, "text"
    if size > 26 and at("[", 0) and at("T", 1) and at(" ", 5, 16) and at(".", 10, 13) and at(":", 19):
        return 25, "asl"
    if (size > 32 and at("1", 0) and digit(1) and digit(2) and digit(3) and digit(13) and at(".", 10)
            and at(" ", 14) and (at(" ", 21) or at(" ", 22))):
        start = 14
        while at(" ", start):
            start += 1
        return start, "text"
    return 0, "text"


def run(text: str) -> str:
    end = 0
    while end < len(text) and text[end] in NAME_CHARS:
        end += 1
    return text[:end]


def digits(text: str) -> str:
    return text[:len(text) - len(text.lstrip(string.digits))]


def host_and_program(event: Event) -> None:
    host = run(event.log)
    rest = event.log[len(host):]
    if rest.startswith(": "):
        set_program(event, host, rest[2:])
        return
    if not rest.startswith(" "):
        return
    event.hostname = host
    event.log = rest[1:]
    program = run(event.log)
    rest = event.log[len(program):]
    if rest.startswith(": "):
        set_program(event, program, rest[2:])
    elif rest.startswith("[") and digits(rest[1:]):
        after = rest[1 + len(digits(rest[1:])):]
        for end in ("]: ", "] "):
            if after.startswith(end):
                set_program(event, program, after[len(end):])
                return
    elif rest.startswith("|") and rest[1:2] in set(string.ascii_lowercase):
        alnum = string.ascii_letters + string.digits
        rest = rest[1:].lstrip(alnum)
        if not rest.startswith(":"):
            return
        rest = rest[1:].lstrip(alnum)
        if not rest.startswith(" "):
            return
        program = run(rest[1:])
        rest = rest[1 + len(program):]
        if rest.startswith(": "):
            set_program(event, program, rest[2:])
        elif rest.startswith("["):
            number = digits(rest[1:])
            if number and rest[1 + len(number):].startswith("]: "):
                set_program(event, program, rest[1 + len(number) + 3:])


def set_program(event: Event, name: str, rest: str) -> None:
    event.program_name = name
    if rest.startswith("[ID ") and "] " in rest:
        rest = rest[rest.index("] ") + 2:]
    event.log = rest


def asl(event: Event) -> None:
    text = event.log
    sender = message = None
    while "[" in text:
        text = text[text.index("[") + 1:]
        closed = "]" in text
        group = text[:text.index("]")] if closed else text
        if group.startswith("Sender "):
            if closed and sender is None:
                sender = group[len("Sender "):]
        elif group.startswith("Message "):
            if message is None:
                message = group[len("Message "):]
        elif group.startswith("Host "):
            if closed:
                event.hostname = group[len("Host "):]
            break
        if not closed:
            break
        text = text[text.index("]") + 1:]
    if sender is not None:
        event.program_name = sender
    if message is not None:
        event.log = message


# ---------------------------------------------------------------- decoders

STATIC = {"srcip": "srcip", "dstip": "dstip", "srcport": "srcport", "dstport": "dstport", "user": "dstuser",
          "dstuser": "dstuser", "srcuser": "srcuser", "protocol": "proto", "action": "action", "id": "id",
          "url": "url", "status": "status", "data": "extra_data", "extra_data": "extra_data",
          "system_name": "system_name"}


class Decoder:
    def __init__(self, node: dialect.Node):
        self.name = node.attributes[0][1]
        texts: dict[str, str] = {}
        self.offset: dict[str, str] = {}
        for child in node.children:
            tag = child.name.lower()
            texts[tag] = child.text if tag == "order" else texts.get(tag, "") + child.text
            for name, value in child.attributes:
                assert name == "offset"
                self.offset[tag] = value
        self.parent = texts.get("parent")
        self.program = self._pattern(texts, ("program_name", "match"), ("program_name_pcre2", "pcre2"))
        self.prematch = self._pattern(texts, ("prematch", "regex"), ("prematch_pcre2", "pcre2"))
        self.regex = self._pattern(texts, ("regex", "regex"), ("pcre2", "pcre2"))
        self.prematch_offset = self.offset.get("prematch", self.offset.get("prematch_pcre2"))
        self.regex_offset = self.offset.get("regex", self.offset.get("pcre2"))
        self.order = self._order(texts.get("order"))
        self.fts = texts.get("fts")
        self.type = texts.get("type", "syslog")
        self.plugin = texts.get("plugin_decoder")
        self.own_name = texts.get("use_own_name") == "true"
        self.accumulate = "accumulate" in texts
        self.get_next = False
        self.children: list[Decoder] = []
        self.reported = self.name

    @staticmethod
    def _pattern(texts, *choices):
        for tag, language in choices:
            if tag in texts:
                return Pattern(language, texts[tag])
        return None

    @staticmethod
    def _order(text: str | None):
        order = []
        for word in (text or "").split(",") if text else []:
            blanks = len(word) - len(word.lstrip(" "))
            name = word.lstrip(" ").split(" ")[0]
            if name in STATIC:
                order.append((True, STATIC[name]))
            elif "filename" in name:
                order.append((True, "filename"))
            else:
                order.append((False, " " * max(blanks - 1, 0) + name))
        return order


class DecoderSet:
    def __init__(self, files: list[str]):
        self.with_program: list[Decoder] = []
        self.without: list[Decoder] = []
        self.names: set[str] = {"rootcheck", "syscheck_integrity_changed", "syscheck_integrity_changed_2nd",
                                "syscheck_integrity_changed_3rd", "syscheck_new_entry", "syscheck_deleted",
                                "hostinfo_new", "hostinfo_modified"}
        for path in files:
            for node in dialect.read(path):
                self.add(node)

    def add(self, node: dialect.Node) -> None:
        decoder = Decoder(node)
        self.names.add(decoder.name)
        if decoder.parent is None:
            (self.with_program if decoder.program else self.without).append(decoder)
            return
        parents = [p for p in self.with_program + self.without if p.name == decoder.parent]
        assert parents, decoder.parent
        for number, parent in enumerate(parents):
            child = decoder if number == 0 else Decoder(node)
            child.reported = child.name if child.own_name else parent.name
            for sibling in parent.children:
                if sibling.name == child.name:
                    sibling.get_next = True
            parent.children.append(child)

    def decode(self, event: Event) -> None:
        has_program = event.program_name is not None
        for top in self.with_program if has_program else self.without:
            pm = 0
            if has_program and not top.program.match(event.program_name):
                continue
            if top.prematch:
                found = top.prematch.match(event.log)
                if not found:
                    continue
                pm = found[0]
            self.adopt(event, top)
            if top.children:
                self.children(event, top, pm)
            else:
                self.fields(event, [top], 0, pm, pm)
            return

    def children(self, event: Event, top: Decoder, pm: int) -> None:
        number = 0
        while number < len(top.children):
            child = top.children[number]
            if child.prematch is None:
                self.fields(event, top.children, number, pm, pm)
                return
            start = pm if child.prematch_offset == "after_parent" else 0
            found = child.prematch.match(event.log[start:])
            if found:
                self.adopt(event, child)
                self.fields(event, top.children, number, pm, start + found[0])
                return
            while child.get_next and number + 1 < len(top.children):
                number += 1
                child = top.children[number]
            number += 1

    def fields(self, event: Event, chain: list[Decoder], number: int, pm: int, cm: int) -> None:
        if chain[number].plugin:
            PLUGINS[chain[number].plugin](event)
            return
        rp = None
        while number < len(chain) and chain[number].regex:
            element = chain[number]
            start = {None: 0, "after_parent": pm, "after_prematch": cm,
                     "after_regex": cm if rp is None else rp}[element.regex_offset]
            found = element.regex.match(event.log[start:])
            rp = None
            if found:
                rp = start + found[0]
                self.adopt(event, element)
                for (static, name), value in zip(element.order, found[1]):
                    (event.fields if static else event.dynamic)[name] = value
            if not element.get_next:
                return
            number += 1

    @staticmethod
    def adopt(event: Event, decoder: Decoder) -> None:
        event.decoder = decoder
        event.decoder_name = decoder.reported
        event.type = decoder.type


# ---------------------------------------------------------------- plugin decoders (section 8)


def pf(event: Event) -> None:
    if ") " not in event.log:
        return
    text = event.log[event.log.index(") ") + 2:]
    action = {"p": "pass", "b": "block"}.get(text[:1])
    if action is None:
        return
    event.fields["action"] = action
    if ": " not in text:
        return
    text = text[text.index(": ") + 2:]
    if " " not in text:
        return
    source, text = text.split(" ", 1)
    endpoint(event, source, "srcip", "srcport")
    if not text.startswith("> ") or ":" not in text:
        return
    target, text = text[2:].split(":", 1)
    endpoint(event, target, "dstip", "dstport")
    event.fields["proto"] = {"u": "UDP", "i": "ICMP"}.get(text.lstrip(" ")[:1], "TCP")


def endpoint(event: Event, text: str, address: str, port: str) -> None:
    parts = text.split(".")
    event.fields[address] = ".".join(parts[:4])
    if len(parts) > 4:
        event.fields[port] = ".".join(parts[4:])


def symantec(event: Event) -> None:
    for item in event.log.split(","):
        for start, name in (("10=", "dstuser"), ("11=", "srcip"), ("60=", "url")):
            if item.startswith(start):
                event.fields.setdefault(name, item[len(start):])
    place = 0
    for item in event.log.split(","):
        if item.startswith(("3=", "2=")):
            event.fields.setdefault("id", event.log[place:place + 9])
            break
        place += len(item) + 1


SONIC = [Pattern("regex", "pri=(\\d) c=(\\d+) m=(\\d+) "),
         Pattern("regex", "src=(\\d+.\\d+.\\d+.\\d+):(\\d+):\\S+ dst=(\\d+.\\d+.\\d+.\\d+):(\\d+):"),
         Pattern("regex", "result=(\\d+) dstname=(\\S+) arg=(\\S+)$")]


def sonicwall(event: Event) -> None:
    found = SONIC[0].match(event.log)
    if not found:
        return
    event.type = "syslog"
    priority, category, message = found[1]
    event.fields["status"], event.fields["id"] = priority, message
    ends = SONIC[1].match(event.log)
    if ends:
        event.fields.update(zip(("srcip", "srcport", "dstip", "dstport"), ends[1]))
        rest = event.log[ends[0]:]
        if " proto=" in rest:
            event.fields["proto"] = rest[rest.index(" proto=") + 7:].split("/")[0][:6]
    number = int(message)
    if category == "32":
        event.type = "ids"
    for numbers, action in (((98, 597, 598), "pass"), ((36, 37, 38, 173, 174), "drop"), ((537,), "close")):
        if number in numbers:
            event.type, event.fields["action"] = "firewall", action
    if number == 97:
        event.type = "squid"
        web = SONIC[2].match(event.log)
        if web:
            event.fields["id"], event.fields["url"] = web[1][0], web[1][1] + web[1][2]


PLUGINS = {"PF_Decoder": pf, "SymantecWS_Decoder": symantec, "SonicWall_Decoder": sonicwall,
           "OSSECAlert_Decoder": lambda event: None}
