// lint: all that an author should know of a configuration, beyond what keeps it from loading.
//
// portcullis-logtest -t and --lint; never the daemons. Joins what the stages find, in the order of
// the files.
#pragma once

#include <memory>
#include <string>

#include "base/diagnostic.hpp"
#include "engine/decode/decoder_set.hpp"
#include "engine/rules/rule_lint.hpp"
#include "programs/configuration.hpp"
#include "programs/home.hpp"

namespace portcullis::programs {

// Loads `config_path` and what it names, as the daemons would, and looks at it closely if that
// works. `diagnostics` gets all errors and warnings; docs/diagnostics.md explains them.
// What was loaded is returned; nullptr if there is an error.
std::shared_ptr<const HomeConfiguration> lint_configuration(const Home& home,
                                                            const std::string& config_path,
                                                            base::Diagnostics& diagnostics);

// What rules::lint_rules() is to know of the decoders.
rules::RuleLintOptions rule_lint_options(const decode::DecoderSet& decoders);

// How --lint ends: what an editor or a script asks for.
enum class LintStatus { Clean = 0, Errors = 1, Warnings = 2 };
LintStatus status_of(const base::Diagnostics& diagnostics);

}  // namespace portcullis::programs
