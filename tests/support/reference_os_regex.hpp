// A slow matcher for OS_Regex that knows nothing of PCRE2: it parses the pattern by the grammar of
// engine/pattern/os_regex.hpp and backtracks over bytes. The property test compares the two.
//
// For ASCII. A pattern with a quantified group or anchor (possible by the textual rule: `(a\\)+`)
// is "unsupported".
#pragma once

#include <algorithm>
#include <bitset>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portcullis::test {

class ReferenceOsRegex {
  public:
    enum class Verdict { Ok, Invalid, Unsupported };
    struct Match {
        std::size_t end;
        std::vector<std::string> captures;
        bool operator==(const Match&) const = default;
    };

    explicit ReferenceOsRegex(std::string_view pattern) : text_(pattern) {
        if (text_.empty()) {
            verdict_ = Verdict::Invalid;
            return;
        }
        root_ = parse_alternatives(0);
        if (verdict_ == Verdict::Ok && at_ != text_.size()) {
            verdict_ = Verdict::Invalid;  // a ")" too many
        }
    }

    Verdict verdict() const { return verdict_; }

    std::optional<Match> match(std::string_view subject) const {
        for (std::size_t start = 0; start <= subject.size(); ++start) {
            Run run{subject, std::vector<std::pair<std::size_t, std::size_t>>(
                                 static_cast<std::size_t>(groups_), {kUnset, kUnset})};
            std::size_t end = 0;
            if (match_alternatives(run, root_, start, [&](std::size_t at) {
                    end = at;
                    return true;
                })) {
                Match match{end, {}};
                for (const auto& [from, to] : run.groups) {
                    if (from != kUnset && to != kUnset) {
                        match.captures.emplace_back(subject.substr(from, to - from));
                    }
                }
                return match;
            }
        }
        return std::nullopt;
    }

  private:
    static constexpr std::size_t kUnset = std::string::npos;
    enum class Kind { Set, Group, Start, End };
    struct Item;
    using Sequence = std::vector<Item>;
    using Alternatives = std::vector<Sequence>;
    struct Item {
        Kind kind = Kind::Set;
        std::bitset<256> set;
        int group = 0;
        Alternatives inner;
        std::size_t min = 1;
        bool repeats = false;
        bool greedy = false;
    };
    struct Run {
        std::string_view subject;
        std::vector<std::pair<std::size_t, std::size_t>> groups;
    };
    using Next = std::function<bool(std::size_t)>;

    static void add(std::bitset<256>& set, char c) { set.set(static_cast<unsigned char>(c)); }

    static std::bitset<256> of(std::string_view members) {
        std::bitset<256> set;
        for (const char c : members) {
            add(set, c);
            if (c >= 'a' && c <= 'z') {
                add(set, static_cast<char>(c - 'a' + 'A'));
            }
            if (c >= 'A' && c <= 'Z') {
                add(set, static_cast<char>(c - 'A' + 'a'));
            }
        }
        return set;
    }

    std::optional<std::bitset<256>> escape(char letter) const {
        const auto words = of("abcdefghijklmnopqrstuvwxyz0123456789@_-");
        const auto digits = of("0123456789");
        switch (letter) {
            case 'w':
                return words;
            case 'W':
                return ~words;
            case 'd':
                return digits;
            case 'D':
                return ~digits;
            case 's':
                return of(" ");
            case 'S':
                return ~of(" ");
            case 'p':
                return of("()*+,-.:;<=>?[]!\"'#%&$|{}");
            case '.':
                return ~std::bitset<256>();
            case 't':
                return of("\t");
            default:
                if (std::string_view("$()\\|<[]{}").find(letter) != std::string_view::npos) {
                    return of({&letter, 1});
                }
                return std::nullopt;
        }
    }

    Alternatives parse_alternatives(int depth) {
        Alternatives alternatives(1);
        while (at_ < text_.size() && verdict_ == Verdict::Ok) {
            const char c = text_[at_];
            if (c == ')') {
                if (depth == 0) {
                    verdict_ = Verdict::Invalid;
                }
                return alternatives;
            }
            ++at_;
            if (c == '|') {
                alternatives.emplace_back();
            } else if (c == '(') {
                Item group;
                group.kind = Kind::Group;
                group.group = groups_++;
                group.inner = parse_alternatives(depth + 1);
                if (at_ == text_.size()) {
                    verdict_ = Verdict::Invalid;
                }
                ++at_;
                push(alternatives.back(), std::move(group));
            } else {
                parse_single(alternatives.back(), c);
            }
        }
        return alternatives;
    }

    void parse_single(Sequence& sequence, char c) {
        Item item;
        if (c == '^' || c == '$') {
            item.kind = c == '^' ? Kind::Start : Kind::End;
        } else if (c == '\\') {
            const auto set = at_ < text_.size() ? escape(text_[at_]) : std::nullopt;
            if (!set) {
                verdict_ = Verdict::Invalid;
                return;
            }
            ++at_;
            item.set = *set;
        } else if ((c == '+' || c == '*') && at_ >= 3 && text_[at_ - 3] == '\\') {
            // A quantifier without an item before it: behind "(", "|" or nothing.
            verdict_ = Verdict::Unsupported;
            return;
        } else {
            item.set = of({&c, 1});
        }
        push(sequence, std::move(item));
    }

    // Appends the item with the quantifier that may follow it.
    void push(Sequence& sequence, Item item) {
        if (at_ >= 2 && at_ < text_.size() && (text_[at_] == '+' || text_[at_] == '*') &&
            text_[at_ - 2] == '\\') {
            if (item.kind != Kind::Set) {
                verdict_ = Verdict::Unsupported;
            }
            item.repeats = true;
            item.min = text_[at_] == '+' ? 1 : 0;
            const bool is_backslash = text_[at_ - 1] == '\\';
            ++at_;
            auto behind = at_;
            while (behind < text_.size() && text_[behind] == ')') {
                ++behind;
            }
            item.greedy = !is_backslash && (behind == text_.size() || text_[behind] == '|');
        }
        sequence.push_back(std::move(item));
    }

    bool match_alternatives(Run& run, const Alternatives& alternatives, std::size_t at,
                            const Next& next) const {
        return std::any_of(alternatives.begin(), alternatives.end(), [&](const Sequence& sequence) {
            return match_items(run, sequence, 0, at, next);
        });
    }

    bool match_items(Run& run, const Sequence& sequence, std::size_t index, std::size_t at,
                     const Next& next) const {
        if (index == sequence.size()) {
            return next(at);
        }
        const Item& item = sequence[index];
        const auto rest = [&](std::size_t to) {
            return match_items(run, sequence, index + 1, to, next);
        };
        switch (item.kind) {
            case Kind::Start:
                return at == 0 && rest(at);
            case Kind::End:
                return at == run.subject.size() && rest(at);
            case Kind::Group: {
                auto& group = run.groups[static_cast<std::size_t>(item.group)];
                const auto saved = group;
                return match_alternatives(run, item.inner, at,
                                          [&](std::size_t to) {
                                              const auto inner = group;
                                              group = {at, to};
                                              return rest(to) || (group = inner, false);
                                          }) ||
                       (group = saved, false);
            }
            case Kind::Set:
                break;
        }
        std::size_t most = 0;
        while (at + most < run.subject.size() && (item.repeats || most == 0) &&
               item.set[static_cast<unsigned char>(run.subject[at + most])]) {
            ++most;
        }
        const std::size_t least = item.min;
        for (std::size_t i = least; i <= most; ++i) {
            if (rest(at + (item.greedy ? most + least - i : i))) {
                return true;
            }
        }
        return false;
    }

    std::string text_;
    std::size_t at_ = 0;
    int groups_ = 0;
    Verdict verdict_ = Verdict::Ok;
    Alternatives root_;
};

}  // namespace portcullis::test
