"""Random input for the comparison: mutated log lines, and whole rule sets with lines that suit them.

Everything follows from the random.Random that is handed in, so a seed names a case.
"""

from __future__ import annotations

import random

HEADERS = [b"Dec 29 10:00:01 host ", b"Dec 29 10:00:01 ", b"2015-04-16 21:51:02,805 srv ",
           b"2007-06-14T15:48:55-04:00 h ", b"2007-06-14T15:48:55.214994-04:00 h ", b"2015 Dec 29 10:00:01 h ",
           b"2019:11:06-00:08:03 h ", b"Mon Apr 17 18:27:14 2006 1 ", b"01/28-09:13:16.240702  ",
           b"01/28/1979-09:13:16.240702  ", b"[Fri Feb 11 18:06:35 2004] ",
           b"[Time 2006.12.28 15:53:55 UTC] [Sender sshd] [Message x] [Host m]", b"1140804070.368  11623 ",
           "Mär 29 10:00:01 host ".encode(), b""]


def mutated_line(rnd: random.Random, lines: list[bytes]) -> bytes:
    """One of `lines`, changed one to five times; never shorter than 2 bytes, without line ends."""
    while True:
        line = rnd.choice(lines)
        for _ in range(rnd.choice((1, 1, 2, 3, 5))):
            line = rnd.choice(MUTATIONS)(rnd, bytearray(line), lines)
        line = bytes(c for c in line if c not in b"\r\n")
        # iplog's own programs fall back to other decoders here, by design and unlike OSSEC
        if len(line) >= 2 and not any(name in line for name in (b"TCP", b"UDP", b"ICMP", b"iplog")):
            return line


def cut(rnd, line, _):
    return bytes(line[:rnd.randrange(len(line) + 1)])


def drop(rnd, line, _):
    at = rnd.randrange(len(line) + 1)
    del line[at:at + rnd.randrange(1, 8)]
    return bytes(line)


def insert(rnd, line, _):
    at = rnd.randrange(len(line) + 1)
    line[at:at] = bytes([rnd.choice(b" :[]()|.,-/\t\x7f\xe9\xc3\xa4aA0<>\"'=")])
    return bytes(line)


def replace(rnd, line, _):
    if line:
        line[rnd.randrange(len(line))] = rnd.choice(b" :[]()|.,-/aA0<>\"'=\xff\x00")
    return bytes(line)


def swap_word(rnd, line, lines):
    words, others = bytes(line).split(b" "), rnd.choice(lines).split(b" ")
    words[rnd.randrange(len(words))] = rnd.choice(others)
    return b" ".join(words)


def splice(rnd, line, lines):
    words, others = bytes(line).split(b" "), rnd.choice(lines).split(b" ")
    return b" ".join(words[:rnd.randrange(len(words) + 1)] + others[rnd.randrange(len(others) + 1):])


def new_program(rnd, line, lines):
    program = rnd.choice(lines).split(b": ")[0].split(b" ")[-1]
    return rnd.choice(HEADERS) + program + b": " + bytes(line).split(b": ", 1)[-1]


def new_header(rnd, line, _):
    return rnd.choice(HEADERS) + bytes(line)


def other_case(rnd, line, _):
    return bytes(line).upper() if rnd.random() < 0.5 else bytes(line).lower()


MUTATIONS = [cut, drop, insert, replace, swap_word, splice, new_program, new_header, other_case]

# ---------------------------------------------------------------- rule sets

WORDS = ["open", "shut", "from", "bob", "10.0.0.1", "9.9.9.9", "fd00::1", "id=5", "id=77", "x", "a-b", "GET",
         "/index?a=1", "error", "80", "(z)", "alice", "::ffff:10.0.0.1"]
LINE_STARTS = ["Dec 29 10:00:01 host gate: ", "Dec 29 10:00:01 host door[4]: ", "Dec 29 10:00:01 h sshd: ", "",
               "Dec 29 10:00:01 host "]
OS_REGEX = ["open", "shut", r"\S+", r"(\S+)", r"(\w+)", r"(\d+)", " ", r"\d+.\d+.\d+.\d+",
            r"(\d+.\d+.\d+.\d+)", "from ", r"\.", r"(\.+)", r"\s*", "=", "id=", "|", "^", "$", r"\p", r"(\S*)", "x",
            r"\W+"]
PCRE2 = ["open", "shut", r"\S+", r"(\S+)", r"(\w+)", r"(\d+)?", " ", "from ", ".*", r"(?:id=(\d+))?", r"\b", "id=",
         "|", "^", "$", "[a-z]+", r"([a-z]+)?", "x"]
OS_MATCH = ["open", "shut", "x", "b", "|", "^", "$", "from", "id=", "5", "ali", "10.0"]
ORDER = ["srcip", "dstip", "srcport", "dstport", "user", "srcuser", "dstuser", "protocol", "action", "id", "url",
         "status", "data", "extra_data", "system_name", "myfield", "Other", "  sp", "filename"]
TYPES = ["syslog", "firewall", "web-log", "ids", "squid", "windows", "ossec"]
GROUPS = ["open,", "shut,", "auth_fail,", "web,"]
SAME = ["same_source_ip", "same_user", "same_id", "same_location", "same_src_port", "same_dst_port",
        "different_url", "not_same_source_ip", "not_same_user"]


# What the rules may look up: the list that the configuration knows, and one that it does not know.
KNOWN_LIST = {"10.0.0.1": "good", "10.0.": "bad", "9.": "bad good", "alice": "good", "5": "bad", "host": "x",
              "gate": "good", "/index?a=1": "bad", "GET": ""}


class RuleSetMaker:
    """Writes one decoder file and one rule file; most of them load."""

    def __init__(self, rnd: random.Random):
        self.rnd = rnd
        self.decoder_names = ["pz", "nz"]
        self.ids: list[int] = []
        self.group_pieces = ["g"]
        self.plain: set[int] = set()  # ids of rules without history

    def chance(self, probability: float) -> bool:
        return self.rnd.random() < probability

    def joined(self, tokens: list[str], most: int) -> str:
        return "".join(self.rnd.choice(tokens) for _ in range(self.rnd.randrange(1, most)))

    def os_regex(self) -> str:
        simple = ["open", "o", r"(\S+)", ".", r"\d+", r"\w+ "]
        return self.rnd.choice(simple) if self.chance(0.4) else self.joined(OS_REGEX, 4)

    def pcre2(self) -> str:
        return self.joined(PCRE2, 4)

    def os_match(self) -> str:
        simple = ["open", "shut", "b", "o", "1", "e"]
        return self.rnd.choice(simple) if self.chance(0.6) else self.joined(OS_MATCH, 4)

    def order(self) -> str:
        return ", ".join(self.rnd.choice(ORDER) for _ in range(self.rnd.randrange(1, 4)))

    def regex(self, offsets: list[str], language: str | None = None) -> str:
        offset = self.rnd.choice(["", *[f' offset="{name}"' for name in offsets]])
        if (language or self.rnd.choice(["regex", "pcre2"])) == "regex":
            return (f"<regex{offset}>{self.joined(OS_REGEX, 5)}(\\S+)</regex>"
                    f"<order>{self.order()}</order>")
        return f"<pcre2{offset}>{self.joined(PCRE2, 5)}</pcre2><order>{self.order()}</order>"

    def prematch(self, attributes: list[str]) -> str:
        offset = self.rnd.choice(attributes)
        return self.rnd.choice([f"<prematch{offset}>{self.os_regex()}</prematch>",
                                f"<prematch_pcre2{offset}>{self.pcre2()}</prematch_pcre2>"])

    def decoders(self) -> str:
        out = ['<decoder name="pz"><program_name>^zz$</program_name></decoder>',
               '<decoder name="nz"><prematch>^zzzz</prematch></decoder>']
        for number in range(self.rnd.randrange(1, 5)):
            name = "dd" if "dd" not in self.decoder_names and self.chance(0.2) else f"d{number}"
            body = ""
            if has_program := self.chance(0.5):
                program = self.rnd.choice(["gate", "door", "sshd"])
                body += self.rnd.choice([f"<program_name>^{program}$</program_name>",
                                         f"<program_name_pcre2>{program}|x</program_name_pcre2>"])
            if has_prematch := not has_program or self.chance(0.3):
                body += self.prematch([""])
            if self.chance(0.3):
                body += self.regex(["after_prematch"] if has_prematch else [])
            if "<order>" in body and self.chance(0.3):
                body += f"<fts>{self.rnd.choice(['srcip', 'name, user', 'id, srcip', 'location', 'data'])}</fts>"
            if self.chance(0.3):
                body += f"<type>{self.rnd.choice(TYPES)}</type>"
            out.append(f'<decoder name="{name}">{body}</decoder>')
            self.decoder_names.append(name)
            out += self.children(name)
        return "\n".join(out)

    def children(self, parent: str) -> list[str]:
        out, languages = [], {}
        for number in range(self.rnd.randrange(0, 5)):
            name = self.rnd.choice([f"{parent}-c", f"{parent}-c{number}", f"{parent}-c{max(number - 1, 0)}"])
            if languages.get(name) == "":
                name = f"{parent}-u{number}"
            body = f"<parent>{parent}</parent>"
            if name in languages:  # one more of a chain
                body += self.regex(["after_parent", "after_regex", "after_regex"], languages[name])
            else:
                offsets = ["after_parent"]
                if self.chance(0.6):
                    body += self.prematch(["", ' offset="after_parent"'])
                    offsets.append("after_prematch")
                if self.chance(0.8):
                    body += self.regex(offsets)
                languages[name] = "regex" if "<regex" in body else "pcre2" if "<pcre2" in body else ""
                if self.chance(0.2):
                    body += f"<type>{self.rnd.choice(TYPES)}</type>"
            if self.chance(0.2):
                body += "<use_own_name>true</use_own_name>"
            out.append(f'<decoder name="{name}">{body}</decoder>')
            self.decoder_names.append(name)
        return out

    def rules(self) -> str:
        out = [f'<rule id="{number}" level="0" noalert="1"><category>{name}</category>'
               f"<description>r</description></rule>" for number, name in enumerate(TYPES, 1)]
        for number in range(100, 100 + self.rnd.randrange(3, 22)):
            out.append(self.rule(number))
            self.ids.append(number)
        out += [self.overwriting(number) for number in self.ids if number in self.plain and self.chance(0.08)]
        return '<group name="g,">\n' + "\n".join(out) + "\n</group>\n"

    def rule(self, number: int) -> str:
        choose, rnd = self.rnd.choice, self.rnd
        attributes = f'id="{number}" level="{choose([0, 0, 1, 3, 5, 5, 7, 10, 12])}"'
        for attribute, value in [("accuracy", 0), ("noalert", 1), ("maxsize", rnd.randrange(5, 60))]:
            if self.chance(0.1):
                attributes += f' {attribute}="{value}"'
        if self.chance(0.05):
            attributes += f' ignore="{choose([1, 300])}"'
        body, place = "", rnd.random()
        if self.ids and place < 0.35:
            body += "<if_sid>" + ", ".join(str(choose(self.ids)) for _ in range(rnd.randrange(1, 3))) + "</if_sid>"
        elif self.ids and place < 0.42:
            body += f"<if_group>{choose(self.group_pieces)}</if_group>"
        elif self.ids and place < 0.47:
            body += f"<if_level>{choose([1, 3, 5, 7])}</if_level>"
        elif self.ids and place < 0.65:
            sid, other = choose(self.ids), choose(self.ids)
            body += choose([f"<if_matched_sid>{sid}</if_matched_sid>",
                            f"<if_matched_group>{choose(self.group_pieces)}</if_matched_group>",
                            f"<if_matched_sid>{sid}</if_matched_sid><if_sid>{other}</if_sid>",
                            f"<if_sid>{other}</if_sid><if_matched_regex>{self.os_regex()}</if_matched_regex>"])
            attributes += f' frequency="{rnd.randrange(0, 5)}" timeframe="{choose([60, 300])}"'
            body += "".join(f"<{name} />" for name in SAME if self.chance(0.15))
        elif place < 0.8:
            body += f"<category>{choose(TYPES)}</category>"
        if "if_matched" not in body:
            self.plain.add(number)
        for _ in range(choose([0, 0, 1, 1, 2])):
            body += self.condition()
        if self.chance(0.04):
            body += choose(["<check_diff />", "<if_fts />"])
            self.plain.discard(number)
        if self.chance(0.5):
            group = choose(GROUPS)
            body += f"<group>{group}</group>"
            self.group_pieces.append(choose([group[:-1], group[1:3], group + "|zz"]))
        if self.chance(0.1):
            body += "<options>no_log</options>"
        return f"<rule {attributes}>{body}<description>d{number}</description></rule>"

    def overwriting(self, number: int) -> str:
        body = "".join(self.condition() for _ in range(self.rnd.choice([0, 1, 1, 2])))
        return (f'<rule id="{number}" level="{self.rnd.choice([0, 2, 6, 9])}" overwrite="yes">{body}'
                "<description>overwritten</description></rule>")

    def condition(self) -> str:
        if self.chance(0.08):
            lookup = self.rnd.choice(["", ' lookup="not_match_key"', ' lookup="address_match_key"',
                                      ' lookup="not_address_match_key"',
                                      f' lookup="match_key_value" check_value="{self.rnd.choice(["bad", "^good"])}"'])
            tag = self.rnd.choice(["srcip", "dstip", "user", "id", "url", "hostname", "program_name", "action"])
            return f'<list field="{tag}"{lookup}>{self.rnd.choice(["rules/known", "rules/other"])}</list>'
        choose = self.rnd.choice
        tag, text = choose([
            ("decoded_as", choose(self.decoder_names)), ("match", self.os_match()), ("regex", self.os_regex()),
            ("pcre2", self.pcre2()), ("match_pcre2", self.pcre2()), ("user", self.os_match()),
            ("srcip", choose(["10.0.0.1", "!10.0.0.0/8", "fd00::/16", "any", "10.0.0.0/24", "!9.9.9.9"])),
            ("dstip", choose(["10.0.0.1", "!10.0.0.0/8", "0.0.0.0/0"])), ("id", self.os_match()),
            ("url", self.os_match()), ("url_pcre2", self.pcre2()), ("status", self.os_match()),
            ("extra_data", self.os_match()), ("hostname", choose(["host", "^h", "vm"])),
            ("program_name", choose(["gate", "^door$", "ssh|x"])), ("action", choose(WORDS)),
            ("field", self.os_regex()), ("srcport", self.os_match()),
            ("compiled_rule", choose(["comp_srcuser_dstuser", "check_id_size", "is_simple_http_request"]))])
        name = f' name="{choose(["myfield", "OTHER", "myField", " sp"])}"' if tag == "field" else ""
        return f"<{tag}{name}>{text}</{tag}>"

    def lines(self, count: int) -> list[bytes]:
        out: list[bytes] = []
        while len(out) < count:
            words = " ".join(self.rnd.choice(WORDS) for _ in range(self.rnd.randrange(1, 6)))
            out += [(self.rnd.choice(LINE_STARTS) + words).encode()] * self.rnd.choice([1, 1, 1, 2, 4])
        return [line for line in out[:count] if len(line) >= 2]
