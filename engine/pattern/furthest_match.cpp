#include "engine/pattern/furthest_match.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/utf8.hpp"
#include "engine/pattern/translate.hpp"

namespace portcullis::pattern {
namespace {

// Elements looked at before an explanation is given up.
constexpr std::uint64_t kMaxCallouts = 2'000'000;

struct CodeDeleter {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
template <class T>
using Owned = std::unique_ptr<T, CodeDeleter>;

// An element of a translated pattern, by its position there.
struct Element {
    std::size_t end = 0;
    // How many elements of the pattern a match has passed that comes here: counted along the
    // alternatives that lead here, not along the text. Not known inside of an assertion, which
    // looks at text that is not matched yet.
    int depth = kUnknown;

    static constexpr int kUnknown = -1;
};
using Elements = std::map<std::size_t, Element>;

// Gives elements their depths: a walk over the pattern that knows its groups.
class DepthWalk {
  public:
    DepthWalk(std::string_view pattern, Elements& elements)
        : pattern_(pattern), elements_(elements) {}

    void run() {
        groups_.push_back({});
        for (auto& [position, element] : elements_) {
            element.depth = assertions_ > 0 ? Element::kUnknown : depth_;
            visit(pattern_.substr(position, element.end - position), position);
        }
    }

  private:
    struct Group {
        int begin = 0;    // depth at its begin, where each alternative starts
        int deepest = 0;  // of its alternatives so far
        bool is_assertion = false;
        std::size_t position = 0;
    };

    void visit(std::string_view text, std::size_t position) {
        if (text.empty()) {  // the end of the pattern
            return;
        }
        if (text.front() == '(' && text.back() != ')') {
            open(text, position);
        } else if (text.front() == '|') {
            groups_.back().deepest = std::max(groups_.back().deepest, depth_);
            depth_ = groups_.back().begin;
        } else if (text.front() == ')' && groups_.size() > 1) {
            close(elements_[position].end);
        } else {
            ++depth_;
        }
    }

    void open(std::string_view text, std::size_t position) {
        const bool is_assertion = text.starts_with("(?=") || text.starts_with("(?!") ||
                                  text.starts_with("(?<=") || text.starts_with("(?<!");
        ++depth_;
        groups_.push_back({depth_, depth_, is_assertion, position});
        assertions_ += is_assertion ? 1 : 0;
    }

    void close(std::size_t end) {
        const Group group = groups_.back();
        groups_.pop_back();
        depth_ = std::max(depth_, group.deepest) + 1;
        if (group.is_assertion) {
            --assertions_;
            elements_[group.position].end = end;
        }
    }

    std::string_view pattern_;
    Elements& elements_;
    std::vector<Group> groups_;
    int depth_ = 0;
    int assertions_ = 0;
};

int note_element(pcre2_callout_enumerate_block* block, void* elements) {
    auto& known = *static_cast<Elements*>(elements);
    known[block->pattern_position].end = block->pattern_position + block->next_item_length;
    return 0;
}

// What the callouts of one match have seen.
struct Watch {
    const Elements& elements;
    std::uint64_t callouts = 0;
    int depth = Element::kUnknown;
    std::size_t element = 0;  // position of the one where the best attempt stopped
    std::size_t begin = 0;
    std::size_t end = 0;
};

int watch_element(pcre2_callout_block* block, void* data) {
    auto& watch = *static_cast<Watch*>(data);
    if (++watch.callouts > kMaxCallouts) {
        return PCRE2_ERROR_CALLOUT;
    }
    const auto found = watch.elements.find(block->pattern_position);
    const int depth = found == watch.elements.end() ? Element::kUnknown : found->second.depth;
    const std::size_t begin = std::min(block->start_match, block->current_position);
    const std::size_t length = block->current_position - begin;
    if (depth > watch.depth || (depth == watch.depth && length > watch.end - watch.begin)) {
        watch.depth = depth;
        watch.element = block->pattern_position;
        watch.begin = begin;
        watch.end = block->current_position;
    }
    return 0;
}

// Byte of the original pattern behind everything that comes from the same place as the bytes of the
// translation before `end`, of which the first is `begin`.
std::size_t original_end(const Translation& translation, std::size_t begin, std::size_t end,
                         std::size_t size) {
    while (end < translation.origins.size() &&
           translation.origins[end] <= translation.origins[begin]) {
        ++end;
    }
    return end < translation.origins.size() ? translation.origins[end] : size;
}

Owned<pcre2_code> compile_watched(const Pattern& pattern, const Translation& translation,
                                  std::string_view subject) {
    std::uint32_t options = PCRE2_CASELESS | PCRE2_AUTO_CALLOUT | PCRE2_NO_START_OPTIMIZE |
                            PCRE2_NO_AUTO_POSSESS | PCRE2_NO_DOTSTAR_ANCHOR;
    // As Pattern::match chooses; anchored literals compare bytes.
    if (pattern.language() != Language::Pcre2 && pattern.has_regex() &&
        base::is_utf8(pattern.text()) && base::is_utf8(subject)) {
        options |= PCRE2_UTF | PCRE2_NO_UTF_CHECK;
    }
    int error = 0;
    PCRE2_SIZE offset = 0;
    return Owned<pcre2_code>(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translation.text.data()),
                                           translation.text.size(), options, &error, &offset,
                                           nullptr));
}

}  // namespace

std::optional<FurthestMatch> find_furthest_match(const Pattern& pattern, std::string_view subject,
                                                 MatchScratch& scratch) {
    const auto end_of_match = pattern.match(subject, scratch);
    FurthestMatch furthest;
    furthest.is_match = end_of_match.has_value();
    if (furthest.is_match) {
        furthest.pattern_begin = furthest.pattern_end = pattern.text().size();
        furthest.text_end = *end_of_match;
    }
    const auto translation = translate(pattern.language(), pattern.text());
    const bool has_text = translation && !translation->text.empty();
    const Owned<pcre2_code> code =
        has_text ? compile_watched(pattern, *translation, subject) : nullptr;
    const Owned<pcre2_match_data> match(pcre2_match_data_create(1, nullptr));
    const Owned<pcre2_match_context> context(pcre2_match_context_create(nullptr));
    if (code == nullptr || match == nullptr || context == nullptr) {
        return furthest.is_match ? std::optional(furthest) : std::nullopt;
    }
    std::uint32_t all_options = 0;
    pcre2_pattern_info(code.get(), PCRE2_INFO_ALLOPTIONS, &all_options);
    if ((all_options & PCRE2_UTF) != 0 && !base::is_utf8(subject)) {
        return furthest.is_match ? std::optional(furthest) : std::nullopt;
    }

    Elements elements;
    pcre2_callout_enumerate(code.get(), note_element, &elements);
    DepthWalk(translation->text, elements).run();
    Watch watch{elements};
    pcre2_set_callout(context.get(), watch_element, &watch);
    const int count =
        pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(subject.empty() ? "" : subject.data()),
                    subject.size(), 0, PCRE2_NO_UTF_CHECK, match.get(), context.get());
    if (furthest.is_match) {
        if (count >= 0) {
            furthest.text_begin =
                std::min<std::size_t>(pcre2_get_ovector_pointer(match.get())[0], furthest.text_end);
        }
        return furthest;
    }
    if (count != PCRE2_ERROR_NOMATCH || watch.depth == Element::kUnknown) {
        return std::nullopt;
    }
    const std::size_t position = watch.element;
    const std::size_t size = pattern.text().size();
    furthest.pattern_begin =
        position < translation->origins.size() ? translation->origins[position] : size;
    furthest.pattern_end = position < translation->origins.size()
                               ? original_end(*translation, position, elements[position].end, size)
                               : size;
    furthest.text_begin = watch.begin;
    furthest.text_end = watch.end;
    return furthest;
}

}  // namespace portcullis::pattern
