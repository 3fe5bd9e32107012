#include "engine/pattern/pattern_lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "engine/pattern/backtracking.hpp"
#include "engine/pattern/os_match.hpp"
#include "engine/pattern/pattern_shape.hpp"

namespace portcullis::pattern {
namespace {

using Kind = ShapeNode::Kind;

// Pieces of other pattern languages that are plain text in this one. `length_of` gives the bytes
// that look like it at the beginning of `rest`, 0 = none.
struct ForeignSyntax {
    std::size_t (*length_of)(std::string_view rest);
    std::string_view code;
    std::string_view what;
    std::string_view hint;
};

bool starts_quantifier(std::string_view text, std::string_view signs) {
    return !text.empty() && signs.find(text.front()) != std::string_view::npos;
}

std::size_t dot_with_quantifier(std::string_view rest) {
    return rest.size() >= 2 && rest[0] == '.' && (rest[1] == '*' || rest[1] == '+') ? 2 : 0;
}

// "[a-z]", "[0-9]", "[^"]" with a quantifier behind it: "[pid 7]" is text that logs have.
std::size_t bracket_class(std::string_view rest) {
    const std::size_t close = rest.find(']', 2);
    return rest.front() == '[' && close != std::string_view::npos &&
                   starts_quantifier(rest.substr(close + 1), "+*{?")
               ? close + 2
               : 0;
}

std::size_t special_group(std::string_view rest) {
    constexpr std::array<std::string_view, 5> kStarts{"(?:", "(?i)", "(?=", "(?!", "(?P<"};
    const auto* const found = std::find_if(kStarts.begin(), kStarts.end(), [&](auto start) {
        return rest.substr(0, start.size()) == start;
    });
    return found == kStarts.end() ? 0 : found->size();
}

std::size_t quantified_group(std::string_view rest) {
    return rest.size() >= 2 && rest[0] == ')' && starts_quantifier(rest.substr(1), "+*?") ? 2 : 0;
}

std::size_t counted_escape(std::string_view rest) {
    const bool is_class = rest.size() >= 4 && rest[0] == '\\' &&
                          std::string_view("wdsWDS").find(rest[1]) != std::string_view::npos;
    const std::size_t close = rest.find('}');
    const bool is_counted = is_class && rest[2] == '{' && rest[3] >= '0' && rest[3] <= '9' &&
                            close != std::string_view::npos;
    return is_counted ? close + 1 : 0;
}

constexpr std::array kForeignToOsRegex{
    ForeignSyntax{dot_with_quantifier, "literal-dot",
                  "in OS_Regex a \".\" is a dot and nothing else, and what follows it is no "
                  "quantifier",
                  R"(\. is any character: write \.* or \.+)"},
    ForeignSyntax{bracket_class, "foreign-syntax", "OS_Regex has no bracket classes: this is text",
                  R"(use \w, \d, \S or \p, or a PCRE2 element)"},
    ForeignSyntax{special_group, "foreign-syntax",
                  "OS_Regex has no groups of this kind: it captures the text behind \"(\"",
                  "use a PCRE2 element"},
    ForeignSyntax{quantified_group, "foreign-syntax",
                  "OS_Regex cannot repeat a group: the sign behind it is text",
                  "repeat an escape such as \\S+, or use a PCRE2 element"},
    ForeignSyntax{counted_escape, "foreign-syntax",
                  "OS_Regex has no counted repetition: the braces are text",
                  R"(write \d\d\d or \d+, or use a PCRE2 element)"},
};

std::size_t any_escape(std::string_view rest) {
    return rest.size() >= 2 && rest[0] == '\\' &&
                   std::string_view("wdsWDSp.$()|[]").find(rest[1]) != std::string_view::npos
               ? 2
               : 0;
}

constexpr std::array kForeignToOsMatch{
    ForeignSyntax{any_escape, "foreign-syntax",
                  "OS_Match has no escapes: the backslash is text as well",
                  "use OS_Regex or PCRE2"},
    ForeignSyntax{dot_with_quantifier, "foreign-syntax",
                  "OS_Match knows only ^, $ and |: this is text", "use OS_Regex or PCRE2"},
    ForeignSyntax{bracket_class, "foreign-syntax", "OS_Match knows only ^, $ and |: this is text",
                  "use OS_Regex or PCRE2"},
};

template <std::size_t Size>
void find_foreign_syntax(const std::array<ForeignSyntax, Size>& table, std::string_view text,
                         std::vector<PatternFinding>& findings) {
    for (std::size_t at = 0; at < text.size();) {
        std::size_t length = 1;
        for (const ForeignSyntax& row : table) {
            if (const std::size_t found = row.length_of(text.substr(at)); found > 0) {
                findings.push_back({std::string(row.code), std::string(row.what), at, found,
                                    std::string(row.hint)});
                return;  // the first of them tells what the author had in mind
            }
        }
        if (text[at] == '\\' && at + 1 < text.size()) {
            length = 2;
        }
        at += length;
    }
}

void lint_os_match(std::string_view text, std::vector<PatternFinding>& findings) {
    if (text.empty()) {
        return;
    }
    if (os_match_is_always_true(text)) {
        const std::size_t bar =
            text.back() == '|' ? text.size() - 1 : std::min(text.find("||"), text.find('|'));
        findings.push_back({"matches-everything",
                            "an alternative is empty, so the pattern matches everything", bar, 1,
                            "remove the \"|\" that has nothing beside it"});
        return;
    }
    if (text.front() == '!' && text.size() > 1) {
        findings.push_back(
            {"no-negation", "OS_Match has no negation: this looks for the \"!\" itself", 0, 1,
             "only addresses and times can be negated; give the opposite case a rule "
             "of its own before this one"});
    }
    find_foreign_syntax(kForeignToOsMatch, text, findings);
}

void measure(Language language, std::string_view text, std::vector<PatternFinding>& findings) {
    const auto pattern = Pattern::compile(language, text);
    const auto found = pattern ? find_backtracking(*pattern) : std::nullopt;
    if (!found) {
        return;
    }
    constexpr std::size_t kShown = 40;
    findings.push_back(
        {"catastrophic-backtracking",
         fmt::format("a line of {} bytes makes this pattern take more than {} steps",
                     found->line_length, found->steps),
         found->offset, found->length,
         fmt::format("the line begins \"{}\"; let no two repeated parts take the same text, anchor "
                     "the pattern, or write possessive quantifiers (PCRE2: \\S++)",
                     found->line.substr(0, kShown))});
}

class CaptureCounter {
  public:
    explicit CaptureCounter(const PatternShape& shape) : shape_(shape) {}

    CaptureRange count(std::size_t index) const {
        const ShapeNode& node = shape_.node(index);
        CaptureRange range;
        if (node.kind == Kind::Look) {
            // A negative one captures nothing, and the difference is not kept.
            for (const std::size_t child : node.children) {
                range.most += count(child).most;
            }
            return range;
        }
        bool is_first = true;
        for (const std::size_t child : node.children) {
            const CaptureRange part = count(child);
            if (node.kind == Kind::Alternation) {
                range.least = is_first ? part.least : std::min(range.least, part.least);
                range.most = std::max(range.most, part.most);
            } else {
                range.least += part.least;
                range.most += part.most;
            }
            is_first = false;
        }
        if (node.kind == Kind::Repeat && node.least == 0) {
            range.least = 0;
        }
        if (node.kind == Kind::Group && node.is_capture) {
            ++range.least;
            ++range.most;
        }
        return range;
    }

  private:
    const PatternShape& shape_;
};

class LooseCaptureFinder {
  public:
    explicit LooseCaptureFinder(const PatternShape& shape) : shape_(shape) {}

    std::vector<LooseCapture> find() {
        const ShapeNode& root = shape_.node(shape_.root());
        if (root.kind == Kind::Alternation) {
            for (const std::size_t branch : root.children) {
                look_at_branch(branch);
            }
        } else {
            look_at_branch(shape_.root());
        }
        return std::move(found_);
    }

  private:
    // A branch is loose if it may begin and end anywhere, or skips any text on the way.
    void look_at_branch(std::size_t branch) {
        if (has(branch, Kind::End)) {
            return;
        }
        is_anchored_ = has(branch, Kind::Start);
        is_behind_wildcard_ = false;
        std::size_t position = 0;
        std::string text_before;
        collect(branch, position, text_before);
    }

    bool has(std::size_t index, Kind kind) const {
        const ShapeNode& node = shape_.node(index);
        return node.kind == kind ||
               (node.kind != Kind::Look &&
                std::any_of(node.children.begin(), node.children.end(),
                            [&](std::size_t child) { return has(child, kind); }));
    }

    // `text_before` is the plain text that leads up to the node and, afterwards, to what follows.
    void collect(std::size_t index, std::size_t& position, std::string& text_before) {
        const ShapeNode& node = shape_.node(index);
        if (node.kind == Kind::Look) {
            return;
        }
        if (node.kind == Kind::Bytes) {
            text_before +=
                node.bytes.count() == 1 ? shape_.example_of(index) : std::string(1, '\0');
            return;
        }
        if (node.kind == Kind::Group && node.is_capture) {
            if ((!is_anchored_ || is_behind_wildcard_) && takes_any_word(node.children.front()) &&
                ends_in_word(text_before)) {
                found_.push_back({position, node.begin, node.end - node.begin, is_anchored_});
            }
            ++position;
        }
        for (const std::size_t child : node.children) {
            collect(child, position, text_before);
        }
        if (node.kind != Kind::Sequence) {
            text_before += '\0';
        }
        is_behind_wildcard_ = is_behind_wildcard_ || is_wildcard(node);
    }

    // What skips over words and blanks, and so over the words of the pattern itself.
    bool is_wildcard(const ShapeNode& node) const {
        if (node.kind != Kind::Repeat || node.most != ShapeNode::kUnlimited) {
            return false;
        }
        const ShapeNode* part = &shape_.node(node.children.front());
        while (part->children.size() == 1) {
            part = &shape_.node(part->children.front());
        }
        return part->kind == Kind::Bytes && part->bytes.test('a') && part->bytes.test('z') &&
               part->bytes.test(' ');
    }

    // "from ", " by ", but not "[client " or "rhost=".
    static bool ends_in_word(std::string_view text) {
        if (!text.ends_with(' ')) {
            return false;
        }
        text.remove_suffix(1);
        const auto is_letter = [](char c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; };
        std::size_t letters = 0;
        while (letters < text.size() && is_letter(text[text.size() - 1 - letters])) {
            ++letters;
        }
        return letters >= 2 && (letters == text.size() || text[text.size() - 1 - letters] == ' ');
    }

    // A repeated set that takes letters, digits and dots alike.
    bool takes_any_word(std::size_t index) const {
        const ShapeNode& node = shape_.node(index);
        if (node.kind == Kind::Repeat && node.most == ShapeNode::kUnlimited) {
            const ShapeNode& part = shape_.node(node.children.front());
            const auto takes = [&](char c) {
                return part.bytes.test(static_cast<unsigned char>(c));
            };
            if (part.kind == Kind::Bytes && takes('z') && takes('0') && takes('.')) {
                return true;
            }
        }
        return std::any_of(node.children.begin(), node.children.end(),
                           [&](std::size_t child) { return takes_any_word(child); });
    }

    const PatternShape& shape_;
    bool is_anchored_ = false;
    bool is_behind_wildcard_ = false;
    std::vector<LooseCapture> found_;
};

}  // namespace

std::vector<PatternFinding> lint_pattern(Language language, std::string_view text) {
    std::vector<PatternFinding> findings;
    if (language == Language::OsRegex) {
        find_foreign_syntax(kForeignToOsRegex, text, findings);
    } else if (language == Language::OsMatch) {
        lint_os_match(text, findings);
    }
    measure(language, text, findings);
    return findings;
}

std::optional<CaptureRange> captures_of(Language language, std::string_view text) {
    const auto shape = PatternShape::parse(language, text);
    return shape ? std::optional(CaptureCounter(*shape).count(shape->root())) : std::nullopt;
}

std::vector<LooseCapture> find_loose_captures(Language language, std::string_view text) {
    const auto shape = PatternShape::parse(language, text);
    return shape ? LooseCaptureFinder(*shape).find() : std::vector<LooseCapture>();
}

}  // namespace portcullis::pattern
