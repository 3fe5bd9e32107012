// lint: all warnings about a configuration that loads, for its author.
//
// For portcullis-logtest -t and --lint, not for the daemons. Joins the findings of the stages, in
// the order of the files.
#pragma once

#include <memory>
#include <string>

#include "base/diagnostic.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/rules/rule_lint.hpp"
#include "programs/configuration.hpp"
#include "programs/home.hpp"

namespace portcullis::programs {

// Loads `config_path` and its files as the daemons do, and checks them closely if there are no
// errors. `diagnostics` gets all errors and warnings; docs/diagnostics.md explains them. nullptr =
// there is an error.
std::shared_ptr<const HomeConfiguration> lint_configuration(const Home& home,
                                                            const std::string& config_path,
                                                            base::Diagnostics& diagnostics);

// The facts about the decoders that rules::lint_rules() needs.
rules::RuleLintOptions rule_lint_options(const decode::DecoderSet& decoders);

// The exit code of --lint, for editors and scripts.
enum class LintStatus { Clean = 0, Errors = 1, Warnings = 2 };
LintStatus status_of(const base::Diagnostics& diagnostics);

}  // namespace portcullis::programs
