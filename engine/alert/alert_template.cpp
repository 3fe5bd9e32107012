#include "engine/alert/alert_template.hpp"

#include <algorithm>
#include <array>

#include "engine/alert/local_time.hpp"

namespace portcullis::alert {
namespace {

struct Token {
    std::string_view word;
    std::string (*value)(const Alert& alert);  // "" = the alert has none
};

std::string string_of(const std::optional<std::string>& field) { return field.value_or(""); }

// No token is the beginning of another.
constexpr std::array kTokens{
    Token{"$TIMESTAMP",
          [](const Alert& alert) { return std::to_string(unix_seconds(alert.time)); }},
    Token{"$FTELL", [](const Alert& alert) { return std::to_string(alert.id); }},
    Token{"$RULEALERT", [](const Alert& alert) { return std::string(alert.mail ? "mail " : ""); }},
    Token{"$HOSTNAME", [](const Alert& alert) { return alert.hostname; }},
    Token{"$LOCATION", [](const Alert& alert) { return alert.location; }},
    Token{"$RULEID", [](const Alert& alert) { return std::to_string(alert.rule.id); }},
    Token{"$RULELEVEL", [](const Alert& alert) { return std::to_string(alert.rule.level); }},
    Token{"$SRCIP",
          [](const Alert& alert) { return string_of(alert.field(event::FieldId::SrcIp)); }},
    Token{"$DSTUSER",
          [](const Alert& alert) { return string_of(alert.field(event::FieldId::DstUser)); }},
    Token{"$FULLLOG", [](const Alert& alert) { return alert.full_log; }},
    Token{"$RULECOMMENT", [](const Alert& alert) { return alert.rule.description; }},
    Token{"$RULEGROUP", [](const Alert& alert) { return alert.rule.group; }},
};
// The mark for mail, the only value that may be empty.
constexpr std::string_view kMayBeEmpty = "$RULEALERT";

const Token* find_token(std::string_view rest) {
    const auto* const found = std::find_if(kTokens.begin(), kTokens.end(), [&](const Token& token) {
        return rest.starts_with(token.word);
    });
    return found != kTokens.end() ? found : nullptr;
}

void append_value(std::string& out, const Token& token, const Alert& alert) {
    const std::string value = token.value(alert);
    if (value.empty() && token.word != kMayBeEmpty) {
        out += "None";
    }
    for (const char c : value) {
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else {
            out += c;
        }
    }
}

}  // namespace

std::vector<std::string_view> template_tokens() {
    std::vector<std::string_view> words;
    words.reserve(kTokens.size());
    for (const Token& token : kTokens) {
        words.push_back(token.word);
    }
    return words;
}

std::vector<TemplateToken> unknown_tokens(std::string_view format) {
    constexpr std::string_view kCapitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    std::vector<TemplateToken> unknown;
    for (std::size_t at = format.find('$'); at != std::string_view::npos;
         at = format.find('$', at + 1)) {
        const std::size_t end =
            std::min(format.find_first_not_of(kCapitals, at + 1), format.size());
        if (end > at + 1 && find_token(format.substr(at)) == nullptr) {
            unknown.push_back({at, format.substr(at, end - at)});
        }
    }
    return unknown;
}

std::string alert_from_template(std::string_view format, const Alert& alert) {
    std::string out;
    while (!format.empty()) {
        const std::size_t dollar = std::min(format.find('$'), format.size());
        out += format.substr(0, dollar);
        format.remove_prefix(dollar);
        if (format.empty()) {
            break;
        }
        const Token* token = find_token(format);
        if (token == nullptr) {
            out += '$';
            format.remove_prefix(1);
            continue;
        }
        append_value(out, *token, alert);
        format.remove_prefix(token->word.size());
    }
    out += '\n';
    return out;
}

}  // namespace portcullis::alert
