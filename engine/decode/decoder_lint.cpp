#include "engine/decode/decoder_lint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "base/ascii.hpp"
#include "base/did_you_mean.hpp"
#include "engine/decode/decoder_draft.hpp"
#include "engine/decode/order_list.hpp"
#include "engine/event/fields.hpp"
#include "engine/pattern/pattern_lint.hpp"

namespace portcullis::decode {
namespace {

using pattern::Language;

// The pattern that counts if both languages are given.
struct ChosenPattern {
    const PatternText* text = nullptr;  // nullptr = there is none
    Language language = Language::Pcre2;

    ChosenPattern(const PatternText& os, Language os_language, const PatternText& pcre2) {
        if (os.is_present()) {
            text = &os;
            language = os_language;
        } else if (pcre2.is_present()) {
            text = &pcre2;
        }
    }
    explicit operator bool() const { return text != nullptr; }
    friend bool operator==(const ChosenPattern& a, const ChosenPattern& b) {
        return a.language == b.language && a.text != nullptr && b.text != nullptr &&
               a.text->text() == b.text->text();
    }
};

ChosenPattern program_of(const DecoderDraft& draft) {
    return {draft.program_name, Language::OsMatch, draft.program_name_pcre2};
}
ChosenPattern prematch_of(const DecoderDraft& draft) {
    return {draft.prematch, Language::OsRegex, draft.prematch_pcre2};
}
ChosenPattern regex_of(const DecoderDraft& draft) {
    return {draft.regex, Language::OsRegex, draft.pcre2};
}

std::string_view offset_value(const PatternText& text) {
    return text.offset_attribute == nullptr ? std::string_view() : text.offset_attribute->value;
}

// Words of other tools, or of headers, that authors use for a field.
struct Alias {
    std::string_view word;
    std::string_view field;
};
constexpr std::array kAliases{
    Alias{"sourceip", "srcip"},
    Alias{"source_ip", "srcip"},
    Alias{"src_ip", "srcip"},
    Alias{"src", "srcip"},
    Alias{"ip", "srcip"},
    Alias{"source", "srcip"},
    Alias{"remote_ip", "srcip"},
    Alias{"clientip", "srcip"},
    Alias{"client_ip", "srcip"},
    Alias{"destip", "dstip"},
    Alias{"dest_ip", "dstip"},
    Alias{"dst_ip", "dstip"},
    Alias{"destinationip", "dstip"},
    Alias{"dst", "dstip"},
    Alias{"destination_ip", "dstip"},
    Alias{"sourceport", "srcport"},
    Alias{"source_port", "srcport"},
    Alias{"src_port", "srcport"},
    Alias{"destport", "dstport"},
    Alias{"dest_port", "dstport"},
    Alias{"destinationport", "dstport"},
    Alias{"dst_port", "dstport"},
    Alias{"destination_port", "dstport"},
    Alias{"username", "user"},
    Alias{"user_name", "user"},
    Alias{"src_user", "srcuser"},
    Alias{"sourceuser", "srcuser"},
    Alias{"dst_user", "dstuser"},
    Alias{"proto", "protocol"},
    Alias{"uri", "url"},
    Alias{"extradata", "extra_data"},
    Alias{"systemname", "system_name"},
};

// Names of parts of the header.
constexpr std::array<std::string_view, 3> kHeaderNames{"hostname", "location", "program_name"};

// The field that the author of a dynamic name most likely meant.
std::optional<std::string_view> meant_field(std::string_view word) {
    constexpr std::size_t kShortestSlip = 4;
    const std::string small = base::lower(word);
    const auto* const alias = std::find_if(kAliases.begin(), kAliases.end(),
                                           [&](const Alias& row) { return row.word == small; });
    if (alias != kAliases.end()) {
        return alias->field;
    }
    const std::vector<std::string_view> names = event::order_names();
    const auto other_case = std::find(names.begin(), names.end(), small);
    if (other_case != names.end()) {
        return *other_case;
    }
    return word.size() < kShortestSlip ? std::nullopt : base::find_similar(word, names);
}

class DecoderLint {
  public:
    DecoderLint(const DecoderLintOptions& options, base::Diagnostics& diagnostics)
        : options_(options), diagnostics_(diagnostics) {}

    void run(const std::vector<xml::Document>& documents);

  private:
    using Family = std::vector<const DecoderDraft*>;  // children of one name of parent, in order

    void warn(const DecoderDraft& draft, std::string_view element, base::Diagnostic diagnostic,
              std::string hint = {}) {
        if (!hint.empty()) {
            diagnostic.hint = std::move(hint);
        }
        diagnostics_.add(in_context(as_warning(std::move(diagnostic)), draft.context(element)));
    }

    void look_at_twins(const DecoderDraft& draft);
    void look_at_patterns(const DecoderDraft& draft);
    void look_at_order(const DecoderDraft& draft);
    void look_at_captures(const DecoderDraft& draft);
    void look_at_shifting_capture(const DecoderDraft& draft, const ChosenPattern& regex,
                                  const std::vector<OrderWord>& words);
    void look_at_fts(const DecoderDraft& draft);
    void look_at_top_level(std::size_t index);
    void look_at_family(const Family& children);
    void look_at_parent(const DecoderDraft& parent);
    void look_at_type(const DecoderDraft& child);

    const DecoderLintOptions& options_;
    base::Diagnostics& diagnostics_;
    std::vector<DecoderDraft> drafts_;
    std::map<std::string, Family, std::less<>> families_;  // by the name of the parent
};

void DecoderLint::run(const std::vector<xml::Document>& documents) {
    base::Diagnostics none;
    for (const xml::Document& document : documents) {
        for (const xml::Node& root : document.roots()) {
            if (auto draft = read_decoder(root, none)) {
                drafts_.push_back(std::move(*draft));
            }
        }
    }
    for (const DecoderDraft& draft : drafts_) {
        if (draft.is_child()) {
            families_[draft.parent.text()].push_back(&draft);
        }
    }
    for (std::size_t i = 0; i < drafts_.size(); ++i) {
        const DecoderDraft& draft = drafts_[i];
        look_at_twins(draft);
        look_at_patterns(draft);
        look_at_order(draft);
        look_at_captures(draft);
        look_at_fts(draft);
        if (draft.is_child()) {
            look_at_type(draft);
        } else {
            look_at_top_level(i);
            look_at_parent(draft);
        }
    }
    for (const auto& [parent, children] : families_) {
        look_at_family(children);
    }
}

void DecoderLint::look_at_twins(const DecoderDraft& draft) {
    const std::array pairs{std::pair{&draft.program_name, &draft.program_name_pcre2},
                           std::pair{&draft.prematch, &draft.prematch_pcre2},
                           std::pair{&draft.regex, &draft.pcre2}};
    for (const auto& [os, pcre2] : pairs) {
        if (os->is_present() && pcre2->is_present()) {
            const auto& ignored = pcre2->first();
            warn(draft, ignored.name(),
                 ignored.error("ignored-element",
                               fmt::format("<{}> is ignored because there is a <{}>",
                                           ignored.name(), os->first().name())));
        }
    }
    const ChosenPattern program = program_of(draft);
    if (draft.is_child() && program) {
        warn(draft, program.text->first().name(),
             program.text->first().error("ignored-element",
                                         "a decoder with a parent is chosen by its prematch only, "
                                         "not by a program name"));
    }
}

void DecoderLint::look_at_patterns(const DecoderDraft& draft) {
    for (const ChosenPattern& chosen : {program_of(draft), prematch_of(draft), regex_of(draft)}) {
        if (!chosen) {
            continue;
        }
        for (auto& finding : pattern::lint_pattern(chosen.language, chosen.text->text())) {
            warn(draft, chosen.text->first().name(),
                 chosen.text->error(finding.code, finding.message, finding.offset, finding.length),
                 finding.hint);
        }
    }
}

void DecoderLint::look_at_order(const DecoderDraft& draft) {
    if (!draft.order) {
        return;
    }
    for (const OrderWord& item : order_words(draft.order->text())) {
        const std::string_view word = item.text;
        if (word.empty() || event::find_field(word) ||
            options_.fields_of_rules.count(base::lower(word)) != 0) {
            continue;
        }
        if (std::find(kHeaderNames.begin(), kHeaderNames.end(), word) != kHeaderNames.end()) {
            warn(draft, "order",
                 draft.order->error_in_text(
                     "dynamic-field",
                     fmt::format("\"{}\" becomes a dynamic field and does not change the "
                                 "event's own {}",
                                 word, word),
                     item.offset, word.size()),
                 fmt::format("rules see it only as <field name=\"{}\">: choose another name to "
                             "make that clear",
                             word));
        } else if (const auto meant = meant_field(word)) {
            warn(draft, "order",
                 draft.order->error_in_text(
                     "dynamic-field",
                     fmt::format("\"{}\" is not a field that rules know by name: it becomes a "
                                 "dynamic field",
                                 word),
                     item.offset, word.size()),
                 fmt::format("did you mean \"{}\"?", *meant));
        }
    }
}

void DecoderLint::look_at_captures(const DecoderDraft& draft) {
    const ChosenPattern regex = regex_of(draft);
    if (!regex || !draft.order) {
        return;
    }
    const std::string_view element = regex.text->first().name();
    const std::vector<OrderWord> words = order_words(draft.order->text());
    if (const auto captures = pattern::captures_of(regex.language, regex.text->text());
        captures && words.size() > captures->most) {
        const OrderWord& first = words[captures->most];
        warn(draft, "order",
             draft.order->error_in_text(
                 "order-too-long",
                 fmt::format("the order names {} fields, but <{}> captures at most {}",
                             words.size(), element, captures->most),
                 first.offset, draft.order->text().size() - first.offset),
             "put each field in parentheses; a group with several alternatives counts once");
    }
    look_at_shifting_capture(draft, regex, words);
    const auto loose = pattern::find_loose_captures(regex.language, regex.text->text());
    const auto srcip =
        std::find_if(loose.begin(), loose.end(), [&](const pattern::LooseCapture& capture) {
            return capture.position < words.size() &&
                   event::find_field(words[capture.position].text) == event::FieldId::SrcIp;
        });
    if (srcip != loose.end()) {
        warn(draft, element,
             regex.text->error("unanchored-srcip",
                               srcip->is_behind_wildcard
                                   ? "an attacker who writes a part of the line can choose this "
                                     "srcip: any text can come before it"
                                   : "an attacker who writes a part of the line can choose this "
                                     "srcip: the first match counts, wherever it is",
                               srcip->offset, srcip->length),
             srcip->is_behind_wildcard
                 ? "match the text between exactly, such as \\S+ for a name, or end the "
                   "pattern with $ after the address"
                 : "begin the pattern with ^, or end it with $ after the address");
    }
}

void DecoderLint::look_at_shifting_capture(const DecoderDraft& draft, const ChosenPattern& regex,
                                           const std::vector<OrderWord>& words) {
    const auto shifting = pattern::find_shifting_capture(regex.language, regex.text->text());
    // With one field the author most likely means the first group that takes part.
    if (!shifting || words.size() < 2 || shifting->moved.least >= words.size()) {
        return;
    }
    const std::string_view gets = words[shifting->moved.least].text;
    const std::string meant =
        shifting->moved.most < words.size()
            ? fmt::format("the value meant for \"{}\"", words[shifting->moved.most].text)
            : std::string("a value that otherwise has no place in the order");
    warn(draft, regex.text->first().name(),
         regex.text->error(
             "shifting-capture",
             fmt::format("group {} may not take part: the following ones then move up, so "
                         "that \"{}\" gets {}",
                         shifting->group, gets, meant),
             shifting->offset, shifting->length),
         "let the group match an empty text, as in ((?:X)?) or (X|), or write a separate decoder "
         "for the shorter form");
}

void DecoderLint::look_at_fts(const DecoderDraft& draft) {
    const std::size_t at = draft.fts ? draft.fts->text().find("srcuser") : std::string_view::npos;
    if (at != std::string_view::npos) {
        warn(draft, "fts",
             draft.fts->error_in_text("fts-srcuser",
                                      "in <fts> \"srcuser\" selects the dstuser, as any word with "
                                      "\"user\" in it does",
                                      at, std::string_view("srcuser").size()),
             "write dstuser, which is what happens: srcuser cannot be selected");
    }
}

// Among the decoders with a program name the first that takes an event is final, and so it is among
// those without. A decoder with the conditions of an earlier one, or more, is never tried.
void DecoderLint::look_at_top_level(std::size_t index) {
    const DecoderDraft& draft = drafts_[index];
    for (std::size_t i = 0; i < index; ++i) {
        const DecoderDraft& earlier = drafts_[i];
        if (earlier.is_child() || earlier.has_program_name() != draft.has_program_name()) {
            continue;
        }
        const bool has_program = !program_of(earlier) || program_of(earlier) == program_of(draft);
        const bool has_prematch =
            !prematch_of(earlier) || prematch_of(earlier) == prematch_of(draft);
        if (has_program && has_prematch) {
            warn(draft, {},
                 draft.node.error("unreachable-decoder",
                                  fmt::format("the decoder is never tried: \"{}\" ({}:{}) takes "
                                              "every event that it would take",
                                              earlier.name, earlier.node.place().file,
                                              earlier.node.place().line)),
                 "the first decoder that takes an event is final: make this one a child, or move "
                 "it in front of that one");
            return;
        }
    }
}

// A parent with children never uses its own regex.
void DecoderLint::look_at_parent(const DecoderDraft& parent) {
    const auto family = families_.find(parent.name);
    const ChosenPattern regex = regex_of(parent);
    if (family == families_.end() || !regex) {
        return;
    }
    warn(parent, regex.text->first().name(),
         regex.text->first().error(
             "unused-regex",
             fmt::format("the pattern is never used because the decoder has children (the first is "
                         "\"{}\" at line {})",
                         family->second.front()->name, family->second.front()->node.place().line)),
         "make it a child without a prematch, after all others");
}

void DecoderLint::look_at_type(const DecoderDraft& child) {
    const auto has_type = [](const DecoderDraft& draft) {
        const auto& elements = draft.node.children();
        return std::any_of(elements.begin(), elements.end(),
                           [](const xml::Node& element) { return element.name() == "type"; });
    };
    const auto parent =
        std::find_if(drafts_.begin(), drafts_.end(), [&](const DecoderDraft& draft) {
            return !draft.is_child() && draft.name == child.parent.text();
        });
    if (parent == drafts_.end() || parent->type == child.type || has_type(child)) {
        return;
    }
    warn(child, {},
         child.node.error("type-not-inherited",
                          fmt::format("its events are of type syslog: the type {} of its parent is "
                                      "not inherited",
                                      event::name_of(parent->type))),
         fmt::format("write <type>{}</type>, or <type>syslog</type> if this is intended",
                     event::name_of(parent->type)));
}

void DecoderLint::look_at_family(const Family& children) {
    const DecoderDraft* catch_all = nullptr;
    for (std::size_t i = 0; i < children.size(); ++i) {
        const DecoderDraft& child = *children[i];
        const auto same_name = [&](const DecoderDraft* other) { return other->name == child.name; };
        const bool is_chained = std::any_of(
            children.begin(), children.begin() + static_cast<std::ptrdiff_t>(i), same_name);
        if (is_chained && children[i - 1]->name != child.name) {
            warn(child, {},
                 child.node.error("split-chain",
                                  fmt::format("decoder \"{}\" is inside the chain of \"{}\" "
                                              "and becomes part of it",
                                              children[i - 1]->name, child.name)),
                 "keep decoders of the same name and parent together");
        }
        const auto twin =
            std::find_if(children.begin(), children.begin() + static_cast<std::ptrdiff_t>(i),
                         [&](const DecoderDraft* earlier) {
                             return prematch_of(*earlier) == prematch_of(child) &&
                                    offset_value(*prematch_of(*earlier).text) ==
                                        offset_value(*prematch_of(child).text);
                         });
        if (catch_all == nullptr && twin != children.begin() + static_cast<std::ptrdiff_t>(i)) {
            warn(
                child, {},
                child.node.error("unreachable-decoder",
                                 fmt::format("the decoder is never tried: \"{}\" (line {}) has the "
                                             "same prematch",
                                             (*twin)->name, (*twin)->node.place().line)),
                "to try both patterns, give the decoders the same name and remove this prematch");
        }
        if (catch_all != nullptr && !(is_chained && same_name(catch_all))) {
            warn(child, {},
                 child.node.error(
                     "unreachable-decoder",
                     "the decoder is never tried: one before it takes every event of the "
                     "parent"),
                 fmt::format("give decoder \"{}\" (line {}) a prematch, or move it after this one",
                             catch_all->name, catch_all->node.place().line));
        } else if (catch_all == nullptr && !is_chained && !prematch_of(child)) {
            catch_all = &child;
        }
    }
}

}  // namespace

namespace {

template <class Visit>
void for_each_decoder(const DecoderSet& decoders, const Visit& visit) {
    for (const auto* list : {&decoders.program_decoders(), &decoders.other_decoders()}) {
        for (const Decoder& decoder : *list) {
            visit(decoder);
            std::for_each(decoder.children.begin(), decoder.children.end(), visit);
        }
    }
}

}  // namespace

std::map<int, EventTypes> event_types_of(const DecoderSet& decoders) {
    std::map<int, EventTypes> types;
    const auto add = [&](const Decoder& decoder) {
        EventTypes& known = types[decoder.id];
        if (decoder.plugin != nullptr) {
            known.set();  // a plugin may change it
        }
        known.set(static_cast<std::size_t>(decoder.type));
    };
    for_each_decoder(decoders, add);
    return types;
}

std::set<int> decoders_with_srcip(const DecoderSet& decoders) {
    std::set<int> ids;
    const auto add = [&](const Decoder& decoder) {
        const bool captures = std::any_of(
            decoder.order.begin(), decoder.order.end(),
            [](const OrderEntry& entry) { return entry.field == event::FieldId::SrcIp; });
        if (captures || decoder.plugin != nullptr || decoder.accumulates) {
            ids.insert(decoder.id);
        }
    };
    for_each_decoder(decoders, add);
    return ids;
}

void lint_decoders(const std::vector<xml::Document>& documents, const DecoderLintOptions& options,
                   base::Diagnostics& diagnostics) {
    DecoderLint(options, diagnostics).run(documents);
}

}  // namespace portcullis::decode
