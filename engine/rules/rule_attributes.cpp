// The attributes of <rule> (spec: rules, section 2). To add one, add a function and a row.
#include <array>

#include <fmt/format.h>

#include "engine/rules/rule_reader.hpp"

namespace portcullis::rules {
namespace {

// nullopt = it was reported.
std::optional<int> read_number(const xml::Node& node, const xml::Attribute& attribute,
                               std::size_t max_digits, RuleReader& reader) {
    const auto value = parse_digits(attribute.value, max_digits);
    if (!value) {
        reader.report(node.error_in_attribute(
            attribute, "bad-number",
            fmt::format("{} takes a number of at most {} digits, not \"{}\"", attribute.name,
                        max_digits, attribute.value)));
    }
    return value;
}

void read_id(const xml::Node& node, const xml::Attribute& attribute, RuleReader& reader) {
    read_number(node, attribute, 6, reader);  // the value itself is read before all others
}

void read_level(const xml::Node& node, const xml::Attribute& attribute, RuleReader& reader) {
    if (const auto value = read_number(node, attribute, 4, reader)) {
        reader.rule().level = *value;
        reader.draft().has_level = true;
    }
}

void read_maxsize(const xml::Node& node, const xml::Attribute& attribute, RuleReader& reader) {
    // OSSEC-COMPAT: despite its name a minimum (test "maxsize is the least length of the log").
    if (const auto value = read_number(node, attribute, 4, reader)) {
        reader.rule().minimum_log_size = static_cast<std::size_t>(*value);
    }
}

void read_frequency(const xml::Node& node, const xml::Attribute& attribute, RuleReader& reader) {
    if (const auto value = read_number(node, attribute, 4, reader)) {
        reader.rule().frequency = *value;
        reader.draft().has_frequency = true;
    }
}

void read_timeframe(const xml::Node& node, const xml::Attribute& attribute, RuleReader& reader) {
    if (const auto value = read_number(node, attribute, 5, reader)) {
        reader.rule().timeframe = std::chrono::seconds(*value);
    }
}

void read_ignore(const xml::Node& node, const xml::Attribute& attribute, RuleReader& reader) {
    const auto value = read_number(node, attribute, 6, reader);
    if (value && *value > 0) {
        reader.rule().silence = std::chrono::seconds(*value);
    }
}

void read_accuracy(const xml::Node& node, const xml::Attribute& attribute, RuleReader& reader) {
    if (const auto value = read_number(node, attribute, 4, reader)) {
        reader.rule().is_accurate = *value != 0;
    }
}

void read_noalert(const xml::Node& /*node*/, const xml::Attribute& /*attribute*/,
                  RuleReader& reader) {
    // OSSEC-COMPAT: any value switches it on, "0" too (lint warns of it).
    reader.rule().noalert = true;
}

void read_overwrite(const xml::Node& node, const xml::Attribute& attribute, RuleReader& reader) {
    if (attribute.value != "yes" && attribute.value != "no") {
        reader.report(node.error_in_attribute(
            attribute, "bad-value",
            fmt::format(R"(overwrite takes "yes" or "no", not "{}")", attribute.value)));
    }
    reader.draft().overwrites = attribute.value == "yes";
}

constexpr std::array kAttributes{
    AttributeRow{"id", read_id, "number of the rule, 1 to 6 digits; below 10: a root of the tree"},
    AttributeRow{"level", read_level, "severity; 0 = matches but never alerts"},
    AttributeRow{"maxsize", read_maxsize, "least length of the log in bytes"},
    AttributeRow{"frequency", read_frequency, "N: fires at the (N + 2)th event"},
    AttributeRow{"timeframe", read_timeframe, "seconds that the counted events may span"},
    AttributeRow{"ignore", read_ignore, "seconds of silence after it fired"},
    AttributeRow{"accuracy", read_accuracy, "0 = tried last among its siblings, no responses"},
    AttributeRow{"noalert", read_noalert, "never the result itself; its children may be"},
    AttributeRow{"overwrite", read_overwrite, "yes = replaces the rule of this id"},
};

}  // namespace

std::span<const AttributeRow> attribute_rows() { return kAttributes; }

}  // namespace portcullis::rules
