#include "engine/pattern/pattern_lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.hpp"
#include "engine/pattern/backtracking.hpp"
#include "engine/pattern/os_match.hpp"
#include "engine/pattern/pattern_shape.hpp"

namespace portcullis::pattern {
namespace {

using Kind = ShapeNode::Kind;

// Syntax of other pattern languages that is plain text in this one. `length_of` gives the bytes
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

// "[a-z]", "[0-9]", "[^"]" with a quantifier after it: "[pid 7]" is ordinary text of logs.
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
    const bool is_counted =
        is_class && rest[2] == '{' && base::is_digit(rest[3]) && close != std::string_view::npos;
    return is_counted ? close + 1 : 0;
}

constexpr std::array kForeignToOsRegex{
    ForeignSyntax{dot_with_quantifier, "literal-dot",
                  "in OS_Regex a \".\" only matches a dot, and the sign after it is not a "
                  "quantifier",
                  R"(\. is any character: write \.* or \.+)"},
    ForeignSyntax{bracket_class, "foreign-syntax", "OS_Regex has no bracket classes: this is text",
                  R"(use \w, \d, \S or \p, or a PCRE2 element)"},
    ForeignSyntax{special_group, "foreign-syntax",
                  "OS_Regex has no groups of this kind: it captures the text after \"(\"",
                  "use a PCRE2 element"},
    ForeignSyntax{quantified_group, "foreign-syntax",
                  "OS_Regex cannot repeat a group: the sign after it is text",
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

std::size_t escaped_less_than(std::string_view rest) { return rest.starts_with(R"(\<)") ? 2 : 0; }

constexpr std::string_view kNoLessThan =
    R"(OS_Match cannot match a "<": use OS_Regex or PCRE2, where \< matches it)";

constexpr std::array kForeignToOsMatch{
    ForeignSyntax{escaped_less_than, "foreign-syntax",
                  "OS_Match has no escapes: the backslash is text too", kNoLessThan},
    ForeignSyntax{any_escape, "foreign-syntax",
                  "OS_Match has no escapes: the backslash is text too", "use OS_Regex or PCRE2"},
    ForeignSyntax{dot_with_quantifier, "foreign-syntax",
                  "OS_Match knows only ^, $ and |: this is text", "use OS_Regex or PCRE2"},
    ForeignSyntax{bracket_class, "foreign-syntax", "OS_Match knows only ^, $ and |: this is text",
                  "use OS_Regex or PCRE2"},
};

struct Entity {
    std::string_view name;
    std::string_view character;
};
constexpr std::array kEntities{Entity{"gt", ">"}, Entity{"amp", "&"}, Entity{"quot", "\""},
                               Entity{"apos", "'"}};

// "#60", "#x3C".
bool is_numeric_entity(std::string_view name) {
    if (!name.starts_with('#')) {
        return false;
    }
    const bool is_hexadecimal = name.starts_with("#x") || name.starts_with("#X");
    const std::string_view digits = name.substr(is_hexadecimal ? 2 : 1);
    return !digits.empty() &&
           digits.find_first_not_of(is_hexadecimal ? "0123456789abcdefABCDEF" : "0123456789") ==
               std::string_view::npos;
}

template <std::size_t Size>
void find_foreign_syntax(const std::array<ForeignSyntax, Size>& table, std::string_view text,
                         std::vector<PatternFinding>& findings) {
    for (std::size_t at = 0; at < text.size();) {
        std::size_t length = 1;
        for (const ForeignSyntax& row : table) {
            if (const std::size_t found = row.length_of(text.substr(at)); found > 0) {
                findings.push_back({std::string(row.code), std::string(row.what), at, found,
                                    std::string(row.hint)});
                return;  // the first one shows what the author had in mind
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
            {"no-negation", "OS_Match has no negation: this matches the \"!\" itself", 0, 1,
             "only addresses and times can be negated: write a rule for the opposite "
             "case before this one"});
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
         fmt::format("the line begins with \"{}\"; let no two repeated parts match the same text, "
                     "anchor the pattern, or use possessive quantifiers (PCRE2: \\S++)",
                     found->line.substr(0, kShown))});
}

class CaptureCounter {
  public:
    explicit CaptureCounter(const PatternShape& shape) : shape_(shape) {}

    CaptureRange count(std::size_t index) const {
        const ShapeNode& node = shape_.node(index);
        CaptureRange range;
        if (node.kind == Kind::Look && node.is_negative) {
            return range;  // it captures nothing
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

// Walks over the groups in the order of their numbers, with the number of values before each.
class ShiftingCaptureFinder {
  public:
    explicit ShiftingCaptureFinder(const PatternShape& shape) : shape_(shape) {}

    std::optional<ShiftingCapture> find() {
        visit(shape_.root());
        return found_;
    }

  private:
    using Group = std::optional<ShiftingCapture>;

    void visit(std::size_t index) {
        const ShapeNode& node = shape_.node(index);
        const CaptureRange before = before_;
        const Group absent = absent_;
        if (node.kind == Kind::Alternation) {
            visit_branches(node);
            return;
        }
        if (node.kind == Kind::Group && node.is_capture) {
            visit_capture(node);
        }
        const std::size_t first = groups_.size();
        for (const std::size_t child : node.children) {
            visit(child);
        }
        if (node.kind == Kind::Look && node.is_negative) {
            before_ = before;
            absent_ = absent;
        } else if (node.kind == Kind::Repeat && node.least == 0) {
            before_.least = before.least;
            if (!absent_ && before_.least < before_.most) {
                absent_ = groups_[first];
            }
        }
    }

    void visit_capture(const ShapeNode& node) {
        if (absent_ && !found_) {
            found_ = absent_;
            found_->moved = before_;
        }
        groups_.push_back({groups_.size() + 1, node.begin, node.end - node.begin, {}});
        ++before_.least;
        ++before_.most;
    }

    // Only a branch that was not taken is missing, so what matters is how many values each has.
    void visit_branches(const ShapeNode& node) {
        const CaptureRange before = before_;
        const Group absent = absent_;
        Group absent_in_branch;
        std::optional<CaptureRange> all;
        std::size_t first_of_longest = 0;
        for (const std::size_t branch : node.children) {
            before_ = before;
            absent_ = absent;
            const std::size_t first = groups_.size();
            visit(branch);
            absent_in_branch = absent_in_branch ? absent_in_branch : absent_;
            if (!all || before_.most > all->most) {
                first_of_longest = first;
            }
            all = all ? CaptureRange{std::min(all->least, before_.least),
                                     std::max(all->most, before_.most)}
                      : before_;
        }
        before_ = all.value_or(before);
        absent_ = absent ? absent : absent_in_branch;
        if (!absent_ && before_.least < before_.most) {
            absent_ = groups_[first_of_longest + (before_.least - before.least)];
        }
    }

    const PatternShape& shape_;
    CaptureRange before_;
    Group absent_;  // the first of those that may be missing from before_
    std::vector<ShiftingCapture> groups_;
    Group found_;
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
    // A branch is loose if it can begin and end anywhere, or skips arbitrary text.
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
        std::size_t letters = 0;
        while (letters < text.size() && base::is_letter(text[text.size() - 1 - letters])) {
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

std::optional<PatternFinding> find_entity(std::string_view text, std::string_view less_than) {
    for (std::size_t at = text.find('&'); at != std::string_view::npos;
         at = text.find('&', at + 1)) {
        const std::size_t end = text.find(';', at);
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        const std::string_view name = text.substr(at + 1, end - at - 1);
        const auto* const row = std::find_if(kEntities.begin(), kEntities.end(),
                                             [&](const Entity& each) { return each.name == name; });
        std::string hint;
        if (name == "lt") {
            hint = less_than;
        } else if (row != kEntities.end()) {
            hint = fmt::format("write {}", row->character);
        } else if (is_numeric_entity(name)) {
            hint = "write the character itself";
        } else {
            continue;
        }
        return PatternFinding{"undecoded-entity",
                              fmt::format("entities are not decoded: the text is \"&{};\"", name),
                              at, end + 1 - at, std::move(hint)};
    }
    return std::nullopt;
}

std::vector<PatternFinding> lint_pattern(Language language, std::string_view text) {
    std::vector<PatternFinding> findings;
    if (language == Language::OsRegex) {
        find_foreign_syntax(kForeignToOsRegex, text, findings);
    } else if (language == Language::OsMatch) {
        lint_os_match(text, findings);
    }
    if (auto entity =
            find_entity(text, language == Language::OsMatch ? kNoLessThan : R"(write \<)")) {
        findings.push_back(std::move(*entity));
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

std::optional<ShiftingCapture> find_shifting_capture(Language language, std::string_view text) {
    const auto shape = PatternShape::parse(language, text);
    return shape ? ShiftingCaptureFinder(*shape).find() : std::nullopt;
}

}  // namespace portcullis::pattern
