#include "engine/decode/decoder_loader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <tuple>
#include <utility>

#include "base/did_you_mean.hpp"
#include "engine/decode/decoder_draft.hpp"
#include "engine/decode/decoder_set_data.hpp"
#include "engine/decode/order_list.hpp"
#include "engine/decode/plugin_decoders.hpp"

namespace portcullis::decode {
namespace {

using pattern::Language;
using pattern::Pattern;

// A pattern that can be written in two languages; if both are given, the first counts.
struct PatternChoice {
    const PatternText& os;
    Language os_language;
    const PatternText& pcre2;

    const PatternText& text() const { return os.is_present() ? os : pcre2; }
    Language language() const { return os.is_present() ? os_language : Language::Pcre2; }
};

struct OffsetName {
    std::string_view value;
    OffsetBase base;
};

constexpr std::array kOffsetNames{
    OffsetName{"after_parent", OffsetBase::AfterParent},
    OffsetName{"after_prematch", OffsetBase::AfterPrematch},
    OffsetName{"after_regex", OffsetBase::AfterRegex},
};

}  // namespace

// Turns drafts into decoders and links them to their parents. Continues after an error, so that all
// errors are found; a decoder with an error still counts as a parent.
class DecoderLoader {
  public:
    DecoderLoader(base::Diagnostics& diagnostics, std::size_t max_order_entries)
        : diagnostics_(diagnostics), max_order_entries_(max_order_entries) {}

    void load(const std::vector<xml::Document>& documents);
    DecoderSet take_set() {
        return DecoderSet(std::make_shared<const DecoderSet::Data>(std::move(data_)));
    }

  private:
    void add(const DecoderDraft& draft, std::string_view element, base::Diagnostic diagnostic) {
        diagnostics_.add(in_context(std::move(diagnostic), draft.context(element)));
    }

    // Each of these checks one part of a draft.
    Decoder compile(const DecoderDraft& draft);
    std::optional<Pattern> compile_pattern(const DecoderDraft& draft, const PatternChoice& choice);
    void compile_fields(const DecoderDraft& draft, Decoder& decoder);
    OffsetBase offset_of(const DecoderDraft& draft, const PatternText& text);
    void compile_offsets(const DecoderDraft& draft, Decoder& decoder);
    const PluginDecoder* find_plugin(const DecoderDraft& draft);

    void link(const DecoderDraft& draft, Decoder decoder);
    std::vector<Decoder*> find_parents(std::string_view name);
    void check_siblings(const DecoderDraft& draft, const Decoder& child, const Decoder& parent);
    void check_chain(const DecoderDraft& draft, const Decoder& child, const Decoder& earlier);
    void report_unknown_parent(const DecoderDraft& draft);
    void assign_ids();

    base::Diagnostics& diagnostics_;
    std::size_t max_order_entries_;
    DecoderSet::Data data_;
    std::vector<DecoderDraft> drafts_;
    std::set<std::string, std::less<>> broken_;  // names of decoders with an error
};

void DecoderLoader::load(const std::vector<xml::Document>& documents) {
    for (const auto& document : documents) {
        for (const auto& root : document.roots()) {
            if (auto draft = read_decoder(root, diagnostics_)) {
                drafts_.push_back(std::move(*draft));
            }
        }
    }
    for (const auto& draft : drafts_) {
        const int errors = diagnostics_.error_count();
        Decoder decoder = compile(draft);
        if (diagnostics_.error_count() != errors) {
            broken_.insert(draft.name);
        }
        if (!draft.name.empty()) {
            link(draft, std::move(decoder));
        }
    }
    assign_ids();
}

Decoder DecoderLoader::compile(const DecoderDraft& draft) {
    Decoder decoder;
    decoder.name = draft.name;
    decoder.place = draft.node.place();
    decoder.type = draft.type;
    decoder.accumulates = draft.accumulates;
    decoder.program_name =
        compile_pattern(draft, {draft.program_name, Language::OsMatch, draft.program_name_pcre2});
    decoder.prematch =
        compile_pattern(draft, {draft.prematch, Language::OsRegex, draft.prematch_pcre2});
    decoder.regex = compile_pattern(draft, {draft.regex, Language::OsRegex, draft.pcre2});
    compile_fields(draft, decoder);
    if (!draft.has_prematch() && !draft.has_program_name() && !draft.is_child() &&
        !draft.node.children().empty()) {
        auto error =
            draft.node.error("matches-nothing", "the decoder does not say which events it takes");
        error.hint = "give it a <program_name>, a <prematch> or a <parent>";
        add(draft, {}, std::move(error));
    }
    compile_offsets(draft, decoder);
    return decoder;
}

std::optional<Pattern> DecoderLoader::compile_pattern(const DecoderDraft& draft,
                                                      const PatternChoice& choice) {
    const PatternText& text = choice.text();
    if (!text.is_present()) {
        return std::nullopt;
    }
    auto pattern = Pattern::compile(choice.language(), text.text());
    if (!pattern) {
        const auto& why = pattern.error();
        const auto offset = static_cast<std::size_t>(std::max(why.place.column, 1)) - 1;
        auto error = text.error(why.code, why.message, offset,
                                static_cast<std::size_t>(std::max(why.caret_length, 1)));
        error.hint = why.hint;
        add(draft, text.first().name(), std::move(error));
        return std::nullopt;
    }
    return std::move(*pattern);
}

void DecoderLoader::compile_fields(const DecoderDraft& draft, Decoder& decoder) {
    if (draft.plugin) {
        decoder.plugin = find_plugin(draft);
        if (draft.has_regex() || draft.order) {
            add(draft, "plugin_decoder",
                draft.plugin->error("plugin-with-regex",
                                    "a plugin decoder reads its fields itself: it can have neither "
                                    "a pattern for fields nor an order"));
            return;
        }
    } else if (!draft.has_regex()) {
        for (const auto& needy : {draft.order, draft.fts}) {
            if (needy) {
                add(draft, needy->name(),
                    needy->error(
                        "no-regex",
                        fmt::format("<{}> needs a <regex> or <pcre2> that captures the fields",
                                    needy->name())));
            }
        }
    }
    if (draft.has_regex()) {
        const PatternText& text = draft.regex.is_present() ? draft.regex : draft.pcre2;
        if (!draft.order) {
            auto error = text.first().error(
                "no-order",
                fmt::format("<{}> needs an <order> that names the fields", text.first().name()));
            add(draft, text.first().name(), std::move(error));
        }
        if (decoder.regex && decoder.regex->language() == Language::OsRegex &&
            !decoder.regex->has_regex()) {
            auto error =
                text.error("no-captures", "the pattern is plain text and captures no fields", 0,
                           text.text().size());
            error.hint = "put each field in parentheses, or use <prematch>";
            add(draft, text.first().name(), std::move(error));
        }
    }
    if (draft.order) {
        decoder.order = parse_order(draft, max_order_entries_, diagnostics_);
    }
    if (draft.fts) {
        decoder.fts = parse_fts(draft, diagnostics_);
    }
}

const PluginDecoder* DecoderLoader::find_plugin(const DecoderDraft& draft) {
    const auto name = draft.plugin->text();
    std::vector<std::string_view> names;
    for (const auto& row : plugin_decoders()) {
        if (row.name == name) {
            return &row;
        }
        names.push_back(row.name);
    }
    auto error = draft.plugin->error_in_text(
        "unknown-plugin", fmt::format("there is no plugin decoder \"{}\"", name), 0, name.size());
    error.hint = base::did_you_mean(name, names);
    if (error.hint.empty()) {
        error.hint = fmt::format("the plugin decoders are {}", fmt::join(names, ", "));
    }
    add(draft, "plugin_decoder", std::move(error));
    return nullptr;
}

OffsetBase DecoderLoader::offset_of(const DecoderDraft& draft, const PatternText& text) {
    const xml::Attribute* const attribute = text.offset_attribute;
    if (attribute == nullptr) {
        return OffsetBase::Log;
    }
    std::vector<std::string_view> names;
    for (const auto& row : kOffsetNames) {
        if (row.value == attribute->value) {
            return row.base;
        }
        names.push_back(row.value);
    }
    auto error = text.first().error_in_attribute(
        *attribute, "bad-offset", fmt::format("there is no offset \"{}\"", attribute->value));
    error.hint = base::did_you_mean(attribute->value, names);
    if (error.hint.empty()) {
        error.hint = fmt::format("the offsets are {}", fmt::join(names, ", "));
    }
    add(draft, text.first().name(), std::move(error));
    return OffsetBase::Log;
}

void DecoderLoader::compile_offsets(const DecoderDraft& draft, Decoder& decoder) {
    const PatternText& prematch =
        draft.prematch.is_present() ? draft.prematch : draft.prematch_pcre2;
    const PatternText& regex = draft.regex.is_present() ? draft.regex : draft.pcre2;
    decoder.prematch_offset = offset_of(draft, prematch);
    decoder.regex_offset = offset_of(draft, regex);
    const auto report = [&](const PatternText& text, std::string message, std::string hint) {
        auto error = text.first().error_in_attribute(*text.offset_attribute, "bad-offset",
                                                     std::move(message));
        error.hint = std::move(hint);
        add(draft, text.first().name(), std::move(error));
    };
    if (decoder.prematch_offset != OffsetBase::Log) {
        if (decoder.prematch_offset != OffsetBase::AfterParent) {
            report(prematch, "a prematch can only be searched after_parent", {});
        } else if (!draft.is_child()) {
            report(prematch, "the decoder has no parent to search after", {});
        }
    }
    if (draft.is_child()) {
        if (decoder.regex_offset == OffsetBase::AfterPrematch && !draft.has_prematch()) {
            report(regex, "the decoder has no prematch of its own to search after",
                   "after_parent means the prematch of the parent");
        }
    } else if (decoder.regex_offset == OffsetBase::AfterParent ||
               decoder.regex_offset == OffsetBase::AfterRegex) {
        report(regex, "the decoder has no parent to search after",
               "after_prematch means the decoder's own prematch");
    }
}

std::vector<Decoder*> DecoderLoader::find_parents(std::string_view name) {
    std::vector<Decoder*> parents;
    for (auto* list : {&data_.program_decoders, &data_.other_decoders}) {
        for (auto& decoder : *list) {
            if (decoder.name == name) {
                parents.push_back(&decoder);
            }
        }
    }
    return parents;
}

void DecoderLoader::link(const DecoderDraft& draft, Decoder decoder) {
    decoder.reported_name = decoder.name;
    if (!draft.is_child()) {
        auto& list = draft.has_program_name() ? data_.program_decoders : data_.other_decoders;
        list.push_back(std::move(decoder));
        return;
    }
    decoder.parent = draft.parent.text();
    if (!draft.uses_own_name) {
        decoder.reported_name = decoder.parent;
    }
    const auto parents = find_parents(decoder.parent);
    if (parents.empty()) {
        report_unknown_parent(draft);
    }
    const int errors = diagnostics_.error_count();
    for (Decoder* parent : parents) {
        if (diagnostics_.error_count() ==
            errors) {  // otherwise the same error would be reported twice
            check_siblings(draft, decoder, *parent);
        }
        for (auto& earlier : parent->children) {
            if (earlier.name == decoder.name) {
                earlier.has_next_in_chain = true;
            }
        }
        parent->children.push_back(decoder);
    }
    if (diagnostics_.error_count() != errors) {
        broken_.insert(draft.name);
    }
}

void DecoderLoader::check_siblings(const DecoderDraft& draft, const Decoder& child,
                                   const Decoder& parent) {
    if (broken_.count(child.name) != 0) {
        return;
    }
    bool can_follow_regex = false;
    for (const auto& earlier : parent.children) {
        if (earlier.name == child.name) {
            can_follow_regex = can_follow_regex || earlier.prematch || earlier.regex;
            check_chain(draft, child, earlier);
        }
    }
    if (child.regex_offset == OffsetBase::AfterRegex && !can_follow_regex) {
        const PatternText& text = draft.regex.is_present() ? draft.regex : draft.pcre2;
        auto error = text.first().error_in_attribute(*text.offset_attribute, "bad-offset",
                                                     "there is no regex to search after");
        error.hint = "after_regex continues a decoder of the same name and parent before this one";
        add(draft, text.first().name(), std::move(error));
    }
}

void DecoderLoader::check_chain(const DecoderDraft& draft, const Decoder& child,
                                const Decoder& earlier) {
    struct Rule {
        bool is_broken;
        std::string_view message;
    };
    const bool both_have_regex = child.regex && earlier.regex;
    const std::array rules{
        Rule{child.prematch.has_value(), "only the first of a chain may have a prematch"},
        Rule{child.fts.has_value(), "only the first of a chain may have fts"},
        Rule{!both_have_regex, "each of a chain must have a regex"},
        Rule{both_have_regex && (child.regex->language() == Language::Pcre2) !=
                                    (earlier.regex->language() == Language::Pcre2),
             "<regex> and <pcre2> cannot be mixed in a chain"},
    };
    const auto* const rule =
        std::find_if(rules.begin(), rules.end(), [](const Rule& row) { return row.is_broken; });
    if (rule == rules.end()) {
        return;
    }
    auto error = draft.node.error("duplicate-decoder", std::string(rule->message));
    error.hint = fmt::format(
        "decoders of the same name and parent (the first is in line {}) form a chain of regexes; "
        "give it another name if it should not belong to the chain",
        earlier.place.line);
    add(draft, {}, std::move(error));
    broken_.insert(draft.name);
}

void DecoderLoader::report_unknown_parent(const DecoderDraft& draft) {
    const auto& name = draft.parent.text();
    auto error = draft.parent.error(
        "unknown-parent", fmt::format("there is no decoder \"{}\" that could be the parent", name),
        0, std::max<std::size_t>(name.size(), 1));
    const auto named = std::find_if(drafts_.begin(), drafts_.end(),
                                    [&](const DecoderDraft& other) { return other.name == name; });
    if (named == drafts_.end()) {
        std::vector<std::string_view> names;
        for (const auto& other : drafts_) {
            if (!other.is_child()) {
                names.push_back(other.name);
            }
        }
        error.hint = base::did_you_mean(name, names);
    } else if (named->is_child()) {
        error.message =
            fmt::format("decoder \"{}\" cannot be a parent because it has one itself", name);
        error.hint = fmt::format("use its parent \"{}\" as the parent here", named->parent.text());
    } else {
        error.hint =
            fmt::format("it is defined in line {}: a parent must be defined before its children",
                        named->node.place().line);
    }
    add(draft, "parent", std::move(error));
}

void DecoderLoader::assign_ids() {
    data_.add_builtin_names();
    for (auto* list : {&data_.program_decoders, &data_.other_decoders}) {
        for (auto& decoder : *list) {
            decoder.id = data_.id_of(decoder.name);
            for (auto& child : decoder.children) {
                data_.id_of(child.name);  // known to <decoded_as> even if no event has it
                child.id = data_.id_of(child.reported_name);
            }
        }
    }
}

std::optional<DecoderSet> load_decoders(const std::vector<xml::Document>& documents,
                                        base::Diagnostics& diagnostics,
                                        std::size_t max_order_entries) {
    base::Diagnostics found;
    DecoderLoader loader(found, max_order_entries);
    loader.load(documents);

    // In the order of the files, although some defects are found only after all was read.
    const auto file_index = [&](const base::Diagnostic& diagnostic) {
        return std::find_if(documents.begin(), documents.end(),
                            [&](const xml::Document& document) {
                                return document.file() == diagnostic.place.file;
                            }) -
               documents.begin();
    };
    std::vector<base::Diagnostic> sorted = found.all();
    std::stable_sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) {
        return std::make_tuple(file_index(a), a.place.line, a.place.column) <
               std::make_tuple(file_index(b), b.place.line, b.place.column);
    });
    for (auto& diagnostic : sorted) {
        diagnostics.add(std::move(diagnostic));
    }
    if (found.has_errors()) {
        return std::nullopt;
    }
    return loader.take_set();
}

}  // namespace portcullis::decode
