"""Rules: the tree, evaluation and composite rules (spec: rules), the slow and obvious way."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field

import dialect
from decoding import Event
from patterns import Pattern, word_match

TWINS = ["program_name", "id", "user", "hostname", "status", "extra_data", "srcport", "dstport", "url"]
CONCATENATED = {"match", "regex", "pcre2", "match_pcre2", "if_sid", "if_group", "if_level", "if_matched_regex",
                "if_matched_group", "group", "description", "info", "action", "if_matched_sid"}
CONCATENATED |= set(TWINS) | {name + "_pcre2" for name in TWINS}
SAME = ["same_id", "same_source_ip", "same_src_port", "same_dst_port", "same_user", "same_location"]
CANCEL = {"not_same_source_ip": "same_source_ip", "not_same_user": "same_user", "not_same_agent": "same_location",
          "not_same_id": "same_id"}


@dataclass
class Rule:
    id: int
    level: int
    group: str
    text: dict[str, str] = field(default_factory=dict)
    maxsize: int = 0
    frequency: int = 0
    timeframe: int = 360
    ignore: int = 0
    accuracy: bool = True
    noalert: bool = False
    fields: list[tuple[str, Pattern]] = field(default_factory=list)
    addresses: dict[str, list[str]] = field(default_factory=dict)
    conditions: set[str] = field(default_factory=set)
    options: list[str] = field(default_factory=list)
    lists: list[tuple[str, str, str, Pattern | None]] = field(default_factory=list)
    category: str | None = None
    compiled: str | None = None
    description: str | None = None
    patterns: dict[str, Pattern] = field(default_factory=dict)
    sid_history: list[Event] = field(default_factory=list)
    group_history: list[Event] = field(default_factory=list)
    group_watchers: list["Rule"] = field(default_factory=list)
    has_sid_watcher: bool = False
    stamp: int | None = None
    key: int = 0


class TreeNode:
    def __init__(self, rule: Rule):
        self.rule = rule
        self.children: list[TreeNode] = []


class RuleSet:
    def __init__(self, files: list[str], decoder_names: set[str], lists: dict[str, dict[str, str]] | None = None):
        self.decoder_names = decoder_names
        self.roots: list[TreeNode] = []
        self.by_id: dict[int, Rule] = {}
        self.all: list[Event] = []
        self.fts_keys: set[str] = set()
        self.fts_recent: list[str] = []
        self.diffs: dict[tuple[str, int], str] = {}
        self.tried: list[int] = []
        self.lists: dict[str, dict[str, str]] = lists or {}
        for path in files:
            for node in dialect.read(path):
                assert node.name.lower() == "group", node.name
                for child in node.children:
                    if child.name.lower() == "rule":
                        self.load(child, node.attributes[0][1])

    # ------------------------------------------------------------ loading

    def load(self, node: dialect.Node, group: str) -> None:
        attributes = {name.lower(): value for name, value in node.attributes}
        rule = Rule(int(attributes["id"]), int(attributes["level"]), group)
        rule.maxsize = int(attributes.get("maxsize", 0))
        rule.frequency = int(attributes.get("frequency", 0))
        rule.timeframe = int(attributes.get("timeframe", 360))
        rule.ignore = int(attributes.get("ignore", 0))
        rule.accuracy = int(attributes.get("accuracy", 1)) != 0
        rule.noalert = "noalert" in attributes
        for child in node.children:
            self.element(rule, child)
        rule.group += rule.text.get("group", "")
        rule.description = rule.text["description"].replace("\n", " ", 1) if "description" in rule.text else None
        for tag, language in [("match", "match"), ("regex", "regex"), ("if_matched_group", "match"),
                              ("if_matched_regex", "regex"), *[(name, "match") for name in TWINS]]:
            if tag in rule.text:
                rule.patterns[tag] = Pattern(language, rule.text[tag])
        for tag in ["match_pcre2", "pcre2", *[name + "_pcre2" for name in TWINS]]:
            if tag in rule.text:
                rule.patterns[tag] = Pattern("pcre2", rule.text[tag])
        if attributes.get("overwrite", "no") == "yes":
            self.overwrite(self.by_id[rule.id], rule)
            return
        assert rule.id not in self.by_id, rule.id
        self.place(rule)
        self.by_id[rule.id] = rule

    def element(self, rule: Rule, node: dialect.Node) -> None:
        tag = node.name.lower()
        if tag in CONCATENATED and tag != "info":
            rule.text[tag] = rule.text.get(tag, "") + node.text
        elif tag == "decoded_as":
            assert node.text in self.decoder_names, node.text
            rule.text[tag] = node.text
        elif tag == "field":
            rule.fields.append((node.attributes[0][1], Pattern("regex", node.text)))
        elif tag in ("srcip", "dstip"):
            rule.addresses.setdefault(tag, []).append(node.text)
        elif tag == "category":
            rule.category = node.text
        elif tag == "compiled_rule":
            rule.compiled = node.text
        elif tag == "options":
            rule.options.append(node.text)
        elif tag == "list":
            attributes = dict(node.attributes)
            value = attributes.get("check_value")
            rule.lists.append((node.text, attributes["field"], attributes.get("lookup", "match_key"),
                               Pattern("match", value) if value is not None else None))
        elif tag in CANCEL:
            rule.conditions.discard(CANCEL[tag])
        elif tag in SAME or tag in ("different_url", "if_fts", "check_diff"):
            rule.conditions.add(tag)
        elif tag in ("info", "cve", "different_srcip", "ignore", "check_if_ignored"):  # logtest never ignores
            pass
        else:
            raise ValueError(f"rule {rule.id}: {tag}")

    @staticmethod
    def overwrite(old: Rule, new: Rule) -> None:
        """What an overwrite changes; its place in the tree, PCRE2 patterns, fields and lists stay (section 6)."""
        for name in ("level", "maxsize", "frequency", "timeframe", "ignore", "group", "addresses", "conditions",
                     "options", "noalert", "compiled", "description"):
            setattr(old, name, getattr(new, name))
        old.text = new.text
        kept = {tag: pattern for tag, pattern in old.patterns.items() if "pcre2" in tag}
        changed = {tag: pattern for tag, pattern in new.patterns.items() if "pcre2" not in tag}
        old.patterns = {**kept, **changed}

    def place(self, rule: Rule) -> None:
        key = rule.level * 100 if rule.accuracy else rule.level
        if rule.level == 0:
            key = 9900 if rule.accuracy else 99
        rule.key = key
        text = dict(rule.text)
        if "if_matched_group" in text and "if_sid" not in text and "if_group" not in text:
            text["if_group"] = text["if_matched_group"]
        if "if_matched_sid" in text:
            sid = int(text["if_matched_sid"])
            if "if_sid" not in text and "if_group" not in text:
                text["if_sid"] = text["if_matched_sid"]
        if rule.id < 10:
            self.insert(self.roots, rule)
            rule.category = rule.category or "syslog"
        elif "if_sid" in text:
            numbers = [int(n) for n in re.split("[, ]+", text["if_sid"].strip(", ")) if n]
            for number in numbers:
                assert self.attach(self.roots, number, rule), (rule.id, number)
                rule.category = self.by_id[number].category
            if text["if_sid"].rstrip(" ").endswith(",") or text["if_sid"] != text["if_sid"].rstrip(" ,"):
                self.under_category(rule)
        elif "if_level" in text:
            level = int(text["if_level"]) * 100
            self.attach_all(self.roots, rule, lambda other: other.key >= level)
        elif "if_group" in text:
            self.attach_all(self.roots, rule, lambda other: word_match(text["if_group"], other.group))
        else:
            rule.category = rule.category or "syslog"
            self.under_category(rule)
        if "if_matched_sid" in rule.text:
            self.by_id[int(rule.text["if_matched_sid"])].has_sid_watcher = True
        elif "if_matched_group" in rule.text:
            for other in [*self.by_id.values(), rule]:
                if rule.patterns["if_matched_group"].match(other.group):
                    other.group_watchers.append(rule)

    def under_category(self, rule: Rule) -> None:
        root = next(node for node in self.roots if node.rule.category == rule.category)
        self.insert(root.children, rule)

    @staticmethod
    def insert(siblings: list[TreeNode], rule: Rule) -> None:
        at = next((i for i, node in enumerate(siblings) if node.rule.key < rule.key), len(siblings))
        siblings.insert(at, TreeNode(rule))

    def attach(self, siblings: list[TreeNode], number: int, rule: Rule) -> bool:
        done = False
        for node in list(siblings):
            if node.rule.id == number:
                self.insert(node.children, rule)
                return True
            done = self.attach(node.children, number, rule) or done
        return done

    def attach_all(self, siblings: list[TreeNode], rule: Rule, fits) -> None:
        for node in list(siblings):
            if node.rule is rule:
                continue
            fitting = fits(node.rule)
            self.attach_all(node.children, rule, fits)
            if fitting:
                self.insert(node.children, rule)

    # ------------------------------------------------------------ evaluation

    def decide(self, event: Event) -> Rule | None:
        self.tried = []
        for root in self.roots:
            if root.rule.category == event.type:
                result = self.node(root, event)
                if result is not None:
                    return result
        return None

    def node(self, node: TreeNode, event: Event) -> Rule | None:
        rule = node.rule
        self.tried.append(rule.id)
        if not self.matches(rule, event):
            return None
        self.tried.append(-rule.id)
        for child in node.children:
            result = self.node(child, event)
            if result is not None:
                return result
        return None if rule.noalert else rule

    def matches(self, rule: Rule, event: Event) -> bool:
        values = event.fields

        def pattern(tag: str, value: str | None) -> bool:
            name = tag if tag in rule.patterns else tag + "_pcre2"
            if name not in rule.patterns:
                return True
            return value is not None and rule.patterns[name].match(value) is not None

        def raw(tag: str, value: str) -> bool:
            return tag not in rule.patterns or rule.patterns[tag].match(value) is not None

        user = values.get("dstuser", values.get("srcuser"))
        if "decoded_as" in rule.text and event.decoder_name != rule.text["decoded_as"]:
            return False
        if not pattern("program_name", event.program_name) or not pattern("id", values.get("id")):
            return False
        if not pattern("match", event.log):
            return False
        if not raw("regex", event.log) or ("regex" not in rule.patterns and not raw("pcre2", event.log)):
            return False
        if "action" in rule.text and values.get("action") != rule.text["action"]:
            return False
        for tag in ("url", "url_pcre2"):
            if tag in rule.patterns and ("url" not in values or not rule.patterns[tag].match(values["url"])):
                return False
        for name, wanted in rule.fields:
            value = next((v for k, v in event.dynamic.items() if k.lower() == name.lower()), None)
            if value is None or not wanted.match(value):
                return False
        for tag, entries in rule.addresses.items():
            if not address_matches(entries, values.get(tag)):
                return False
        if not pattern("srcport", values.get("srcport")) or not pattern("dstport", values.get("dstport")):
            return False
        if rule.compiled and not compiled_rule(rule.compiled, event):
            return False
        if not pattern("user", user):
            return False
        if rule.maxsize and len(event.log) < rule.maxsize:
            return False
        if not pattern("extra_data", values.get("extra_data")) or not pattern("hostname", event.hostname):
            return False
        if not pattern("status", values.get("status")):
            return False
        if "check_diff" in rule.conditions and not self.diff(rule, event):
            return False
        if "if_fts" in rule.conditions and not self.first_time(event):
            return False
        if not all(self.in_list(event, *wanted) for wanted in rule.lists):
            return False
        if any(tag in rule.text for tag in ("if_matched_sid", "if_matched_group", "if_matched_regex")):
            return self.composite(rule, event)
        return True

    def in_list(self, event: Event, name: str, tag: str, lookup: str, wanted: Pattern | None) -> bool:
        values = {**event.fields, "hostname": event.hostname, "program_name": event.program_name,
                  "user": event.fields.get("srcuser", event.fields.get("dstuser"))}
        key = values.get(tag)
        if key is None or name not in self.lists:
            return False
        entries = self.lists[name]
        if lookup == "match_key":
            return key in entries
        if lookup == "not_match_key":
            return key not in entries
        if lookup == "match_key_value":
            return key in entries and wanted is not None and wanted.match(entries[key]) is not None
        found = key in entries or any(key[:at + 1] in entries for at, c in enumerate(key) if c == ".")
        return found if lookup == "address_match_key" else not found

    def diff(self, rule: Rule, event: Event) -> bool:
        key = (event.hostname or "", rule.id)
        old = self.diffs.get(key)
        self.diffs[key] = event.log
        return old is not None and old != event.log

    def first_time(self, event: Event) -> bool:
        if event.decoder is None or event.decoder.fts is None:
            return False
        chosen = set()
        for word in event.decoder.fts.split(","):
            for part, name in [("dstuser", "dstuser"), ("user", "dstuser"), ("srcip", "srcip"), ("dstip", "dstip"),
                               ("id", "id"), ("location", "location"), ("data", "extra_data"),
                               ("system_name", "system_name")]:
                if part in word:
                    chosen.add(name)
                    break
        values = {**event.fields, "location": event.location}
        key = " ".join([event.decoder_name or "", *[values.get(name, "") if name in chosen else "" for name in
                        ("id", "dstuser", "srcuser", "srcip", "dstip", "extra_data", "system_name", "location")]])
        key = key[:255]
        if key in self.fts_keys:
            return False
        if event.type == "ids":
            similar = sum(1 for old in self.fts_recent if common_prefix(old, key) > 14)
            self.fts_recent = [*self.fts_recent, key][-32:]
            if similar >= 3:
                key = key[:14]
                if key in self.fts_keys:
                    return False
        self.fts_keys.add(key)
        return True

    def composite(self, rule: Rule, event: Event) -> bool:
        by_regex = False
        if "if_matched_sid" in rule.text:
            history = self.by_id[int(rule.text["if_matched_sid"])].sid_history[-128:]
        elif "if_matched_group" in rule.text:
            history = rule.group_history
        else:
            history, by_regex = self.all, True
        seen = 0
        names = {"same_id": "id", "same_source_ip": "srcip", "same_src_port": "srcport",
                 "same_dst_port": "dstport", "same_user": "dstuser"}
        for old in reversed(history):
            if event.time - old.time > rule.timeframe or old.matched >= rule.level:
                return False
            if by_regex and (old.type != event.type or not rule.patterns["if_matched_regex"].match(old.log)):
                continue
            skip = False
            for condition in rule.conditions:
                if by_regex and condition not in ("same_user", "same_id", "same_source_ip", "different_url"):
                    continue
                if condition in names:
                    mine, other = event.fields.get(names[condition]), old.fields.get(names[condition])
                    skip = skip or mine is None or other is None or mine != other
                elif condition == "same_location":
                    skip = skip or event.hostname is None or event.hostname != old.hostname
                elif condition == "different_url":
                    mine, other = event.fields.get("url"), old.fields.get("url")
                    skip = skip or mine is None or other is None or mine == other
            if skip:
                continue
            if seen < rule.frequency:
                seen += 1
                continue
            event.matched = old.matched = history[-1].matched = rule.level
            return True
        return False

    def record(self, rule: Rule, event: Event) -> None:
        """After the decision: what later composite rules will see."""
        if rule.level == 0:
            return
        if rule.ignore:
            if rule.stamp is not None and event.time - rule.stamp < rule.ignore:
                return
            rule.stamp = event.time if rule.stamp is None else None  # as logtest: cleared when it is over
        if rule.has_sid_watcher:
            rule.sid_history.append(event)
        else:
            for watcher in rule.group_watchers:
                watcher.group_history.append(event)
        self.all.append(event)


def common_prefix(a: str, b: str) -> int:
    count = 0
    while count < min(len(a), len(b)) and a[count] == b[count]:
        count += 1
    return count


def compiled_rule(name: str, event: Event) -> bool:
    values = event.fields
    if name == "comp_srcuser_dstuser":
        return "srcuser" not in values or "dstuser" not in values or values["srcuser"] == values["dstuser"]
    if name == "check_id_size":
        return len(values.get("id", "")) >= 10
    if name == "is_simple_http_request":
        url = values.get("url")
        return url is not None and values.get("action", "GET").upper() == "GET" and (url == "/" or "?" not in url)
    if name == "is_valid_crawler":
        return event.log.startswith(("72.14.", "209.85.", "65.55.", "207.46.", "74.6.", "72.30.", "67.195."))
    if name == "comp_mswin_targetuser_calleruser_diff":
        return target_differs_from_caller(event.log)
    raise ValueError(name)


def target_differs_from_caller(log: str) -> bool:
    def value(label: str) -> str | None:
        if label not in log:
            return None
        return log[log.index(label) + len(label):].lstrip(": ").split(" ")[0]

    target, caller = value("Target Account Name"), value("Caller User Name")
    return target is not None and caller is not None and target != caller


def numeric_address(text: str):
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        try:
            return ipaddress.ip_address(socket.inet_aton(text)) if re.fullmatch(r"[0-9.xXa-fA-F]+", text) else None
        except OSError:
            return None


def address_matches(entries: list[str], value: str | None) -> bool:
    address = numeric_address(value) if value else None
    if address is None:
        return False
    if address.version == 6 and address.ipv4_mapped:
        address = address.ipv4_mapped
    negated = False
    for entry in entries:
        negated = entry.startswith("!")
        plain = entry.lstrip("!")
        if plain == "any":
            return not negated
        base, _, length = plain.partition("/")
        network = ipaddress.ip_network((str(numeric_address(base)), int(length) if length else
                                        numeric_address(base).max_prefixlen), strict=False)
        if length == "0" or (network.version == address.version and address in network):
            return not negated
    return negated
