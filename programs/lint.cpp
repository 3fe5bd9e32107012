#include "programs/lint.hpp"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "engine/config/input_files.hpp"
#include "engine/config/response_lint.hpp"
#include "engine/decode/decoder_lint.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/respond/binding.hpp"
#include "engine/rules/key_value_list.hpp"
#include "engine/rules/rule_lint.hpp"
#include "engine/rules/rule_set.hpp"
#include "programs/list_file.hpp"

namespace portcullis::programs {
namespace {

// Lint runs no command, so a missing executable, which stops the daemons, is only a warning here.
void warn_of_missing_executables(const Home& home, const config::EngineConfig& engine,
                                 base::Diagnostics& diagnostics) {
    base::Diagnostics missing;
    config::check_executables(engine, home.responders(), missing);
    for (base::Diagnostic diagnostic : missing.all()) {
        diagnostic.severity = base::Severity::Warning;
        diagnostics.add(std::move(diagnostic));
    }
}

// Ids of the rules that are reached only by events of decoders without a srcip. A rule may be in
// several places of the tree: one place without such a decoder above it is enough to exclude it.
std::set<int> rules_without_srcip(const rules::RuleSet& rules, const decode::DecoderSet& decoders) {
    const std::set<int> with_srcip = decode::decoders_with_srcip(decoders);
    std::set<int> without;
    for (const rules::Rule& rule : rules.rules()) {
        without.insert(rule.id);
    }
    struct Above {
        std::uint32_t end;
        int decoder_id;  // the nearest; 0 = any
    };
    std::vector<Above> path;
    const auto nodes = rules.nodes();
    for (std::uint32_t index = 0; index < nodes.size(); ++index) {
        while (!path.empty() && path.back().end <= index) {
            path.pop_back();
        }
        const int inherited = path.empty() ? 0 : path.back().decoder_id;
        const int decoder = nodes[index].decoder_id != 0 ? nodes[index].decoder_id : inherited;
        if (decoder == 0 || with_srcip.count(decoder) != 0) {
            without.erase(rules.rules()[nodes[index].rule].id);
        }
        path.push_back({nodes[index].end, decoder});
    }
    return without;
}

void lint_responses(const std::string& config_path, const rules::RuleSet& rules,
                    const decode::DecoderSet& decoders, base::Diagnostics& diagnostics) {
    std::vector<respond::BindableRule> bindable;
    for (const rules::Rule& rule : rules.rules()) {
        bindable.push_back({rule.id, rule.level, rule.group, rule.no_response, rule.is_accurate});
    }
    config::lint_responses(config_path, base::read_file(config_path).value_or(""), bindable,
                           rules_without_srcip(rules, decoders), diagnostics);
}

void lint_decoders(const ConfigurationSources& sources, base::Diagnostics& diagnostics) {
    decode::DecoderLintOptions options;
    for (std::string& field : rules::dynamic_fields_in(sources.rules)) {
        options.fields_of_rules.insert(std::move(field));
    }
    decode::lint_decoders(sources.decoders, options, diagnostics);
}

// By file, in the order in which the files are loaded, then by place.
void add_in_order(const base::Diagnostics& found, const std::vector<std::string>& files,
                  base::Diagnostics& diagnostics) {
    std::vector<base::Diagnostic> sorted = found.all();
    const auto key = [&](const base::Diagnostic& diagnostic) {
        const auto file = std::find(files.begin(), files.end(), diagnostic.place.file);
        return std::make_tuple(file - files.begin(), diagnostic.place.line,
                               diagnostic.place.column);
    };
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](const auto& a, const auto& b) { return key(a) < key(b); });
    for (base::Diagnostic& diagnostic : sorted) {
        diagnostics.add(std::move(diagnostic));
    }
}

}  // namespace

rules::RuleLintOptions rule_lint_options(const decode::DecoderSet& decoders) {
    rules::RuleLintOptions options;
    options.decoder_types = decode::event_types_of(decoders);
    const decode::DecoderSet builtin;
    for (const std::string_view name : decoders.decoder_names()) {
        const int id = *decoders.find_decoder_id(name);
        options.decoder_names.emplace(id, name);
        if (builtin.find_decoder_id(name)) {
            options.internal_decoders.push_back(id);
        }
    }
    return options;
}

std::shared_ptr<const HomeConfiguration> lint_configuration(const Home& home,
                                                            const std::string& config_path,
                                                            base::Diagnostics& diagnostics) {
    ConfigurationSources sources;
    base::Diagnostics found;
    std::vector<std::string> files{config_path};
    auto configuration = load_configuration(home, config_path, found, &sources);
    if (configuration != nullptr) {
        warn_of_missing_executables(home, configuration->engine, found);
        config::check_white_lists(configuration->engine, home.path(), found);
        const auto& analysis = configuration->analysis;
        lint_responses(config_path, *analysis.rules, *analysis.decoders, found);
        lint_decoders(sources, found);
        rules::RuleLintOptions options = rule_lint_options(*analysis.decoders);
        options.replaces_whole_rules = configuration->engine.full_overwrite;
        options.sid_history =
            static_cast<std::size_t>(configuration->engine.internal.sid_prev_matched_max);
        options.lists.emplace();
        for (const config::FileReference& file : configuration->engine.list_files) {
            const std::string path = file_of_list(home.resolve(file.path));
            if (options.lists->emplace(rules::list_name(file.path)).second) {
                lint_list_file(path, found);
            }
            files.push_back(path);
        }
        rules::lint_rules(sources.rules, *analysis.rules, options, found);
    }
    for (const auto* documents : {&sources.decoders, &sources.rules}) {
        for (const xml::Document& document : *documents) {
            files.push_back(document.file());
        }
    }
    add_in_order(found, files, diagnostics);
    return configuration;
}

LintStatus status_of(const base::Diagnostics& diagnostics) {
    if (diagnostics.has_errors()) {
        return LintStatus::Errors;
    }
    return diagnostics.all().empty() ? LintStatus::Clean : LintStatus::Warnings;
}

}  // namespace portcullis::programs
