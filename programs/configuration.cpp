#include "programs/configuration.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "engine/config/input_files.hpp"
#include "engine/decode/decoder_loader.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/respond/binding.hpp"
#include "engine/rules/key_value_list.hpp"
#include "engine/rules/rule_loader.hpp"
#include "engine/xml/document.hpp"
#include "programs/list_file.hpp"

namespace portcullis::programs {
namespace {

using Lists = std::map<std::string, std::shared_ptr<const rules::KeyValueList>, std::less<>>;

struct Documents {
    std::vector<xml::Document> parsed;
    bool is_complete = true;  // every file could be read and parsed
};

Documents load_documents(const Home& home, const std::vector<config::FileReference>& files,
                         base::Diagnostics& diagnostics) {
    Documents documents;
    for (const config::FileReference& file : files) {
        const std::string path = home.resolve(file.path);
        if (auto document =
                xml::Document::load(path, path, xml::Variables::Substitute, diagnostics)) {
            documents.parsed.push_back(std::move(*document));
        } else {
            documents.is_complete = false;
        }
    }
    return documents;
}

// Rules and ossec.conf may name a list with or without ".cdb".
Lists load_lists(const Home& home, const std::vector<config::FileReference>& files,
                 base::Diagnostics& diagnostics) {
    Lists lists;
    for (const config::FileReference& file : files) {
        auto list = load_list(home.resolve(file.path));
        if (!list) {
            const base::Diagnostic& why = list.error();
            diagnostics.add(
                file.error(why.code, fmt::format("{}: {}", why.place.file, why.message)));
            continue;
        }
        lists.emplace(std::string(rules::list_name(file.path)),
                      std::make_shared<const rules::KeyValueList>(std::move(*list)));
    }
    return lists;
}

// If the decoders do not load, rules are still checked, against all decoder names in the files: one
// bad decoder must not make every decoded_as an error.
std::set<std::string, std::less<>> names_in(const std::vector<xml::Document>& documents) {
    std::set<std::string, std::less<>> names;
    for (const xml::Document& document : documents) {
        for (const xml::Node& root : document.roots()) {
            if (const xml::Attribute* name = root.find_attribute("name")) {
                names.insert(name->value);
            }
        }
    }
    return names;
}

rules::RuleOptions rule_options(const config::EngineConfig& engine, Lists lists) {
    rules::RuleOptions options;
    options.log_alert_level = engine.log_alert_level;
    options.email_alert_level = engine.email_alert_level;
    options.default_timeframe = std::chrono::seconds(engine.internal.default_timeframe);
    options.sid_history = static_cast<std::size_t>(engine.internal.sid_prev_matched_max);
    options.replaces_whole_rules = engine.full_overwrite;
    options.find_list = [lists = std::move(lists)](std::string_view path) {
        const auto found = lists.find(rules::list_name(path));
        return found == lists.end() ? nullptr : found->second;
    };
    return options;
}

std::vector<std::vector<std::size_t>> bind_responses(const config::EngineConfig& engine,
                                                     const rules::RuleSet& rules,
                                                     base::Diagnostics& diagnostics) {
    respond::ResponseBinding binding(engine.active_responses, diagnostics);
    std::vector<std::vector<std::size_t>> bound;
    bound.reserve(rules.rules().size());
    for (const rules::Rule& rule : rules.rules()) {
        bound.push_back(
            binding.find({rule.id, rule.level, rule.group, rule.no_response, rule.is_accurate}));
    }
    return bound;
}

}  // namespace

std::shared_ptr<const pipeline::AnalyzerConfig> HomeConfiguration::analysis_of(
    const std::shared_ptr<const HomeConfiguration>& configuration) {
    return {configuration, &configuration->analysis};
}

rules::CorrelatorLimits correlator_limits(const config::EngineConfig& engine) {
    const config::InternalOptions& internal = engine.internal;
    const auto size = [](int value) { return static_cast<std::size_t>(std::max(value, 0)); };
    rules::CorrelatorLimits limits;
    limits.events = size(engine.memory_size);
    limits.bytes = size(engine.memory_bytes);
    limits.sid_history = size(internal.sid_prev_matched_max);
    limits.recent_keys = size(internal.fts_list_size);
    limits.similar_prefix = size(internal.fts_min_size_for_str);
    return limits;
}

std::shared_ptr<const HomeConfiguration> load_configuration(const Home& home,
                                                            const std::string& config_path,
                                                            base::Diagnostics& diagnostics,
                                                            ConfigurationSources* sources) {
    auto loaded = std::make_shared<HomeConfiguration>();
    loaded->engine = config::load_engine_config(config_path, diagnostics);
    loaded->engine.internal =
        config::load_internal_options({home.resolve("etc/internal_options.conf"),
                                       home.resolve("etc/local_internal_options.conf")},
                                      diagnostics);
    for (respond::ActiveResponseConfig& response : loaded->engine.active_responses) {
        for (std::string& file : response.from_files) {
            file = home.resolve(file);  // as the files that are followed
        }
    }
    const config::EngineConfig& engine = loaded->engine;
    if (diagnostics.has_errors() && ::access(config_path.c_str(), R_OK) != 0) {
        return nullptr;  // further errors would follow from these
    }

    const config::InputFiles files = config::resolve_input_files(engine, home.path(), diagnostics);
    for (const config::FileReference& file : files.decoder_files) {
        loaded->decoder_files.push_back(file.path);
    }
    Documents decoder_documents = load_documents(home, files.decoder_files, diagnostics);
    decoder_documents.is_complete = decoder_documents.is_complete && files.has_all_decoders;
    auto decoders =
        decode::load_decoders(decoder_documents.parsed, diagnostics,
                              static_cast<std::size_t>(engine.internal.decoder_order_size));

    const Documents rule_documents = load_documents(home, files.rule_files, diagnostics);
    rules::RuleOptions options =
        rule_options(engine, load_lists(home, files.list_files, diagnostics));
    const bool are_decoders_known = decoders.has_value() && decoder_documents.is_complete;
    if (decoders) {
        for (const std::string_view name : decoders->decoder_names()) {
            options.decoder_names.emplace_back(name);
        }
    }
    const auto names = names_in(decoder_documents.parsed);
    options.find_decoder_id = [&](std::string_view name) -> std::optional<int> {
        const auto id = decoders ? decoders->find_decoder_id(name) : std::nullopt;
        const bool is_excused = !are_decoders_known &&
                                (!decoder_documents.is_complete || names.find(name) != names.end());
        return is_excused && !id ? std::optional(1) : id;
    };
    auto rules = std::make_shared<rules::RuleSet>(
        rules::load_rules(rule_documents.parsed, options, diagnostics));
    if (sources != nullptr) {
        *sources = {decoder_documents.parsed, rule_documents.parsed};
    }
    loaded->analysis.responses_of_rule = bind_responses(engine, *rules, diagnostics);
    loaded->analysis.rules = std::move(rules);
    if (diagnostics.has_errors() || !decoders) {
        return nullptr;
    }
    loaded->analysis.decoders = std::make_shared<const decode::DecoderSet>(std::move(*decoders));
    return loaded;
}

}  // namespace portcullis::programs
