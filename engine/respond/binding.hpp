// ResponseBinding: which active-response blocks a rule fires (spec: active_response, section 1).
// Decided once, when rules are loaded.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "engine/pattern/pattern.hpp"
#include "engine/respond/response_config.hpp"

namespace portcullis::respond {

// The facts about a rule that decide a binding.
struct BindableRule {
    int id = 0;
    int level = 0;
    std::string_view group;    // group string
    bool no_response = false;  // option no_ar
    bool is_accurate = true;   // accuracy is not 0
};

class ResponseBinding {
  public:
    // `responses` must outlive the binding. A rules_group that does not compile is an error in
    // `diagnostics` at the place of its block, which then binds by level and id only.
    ResponseBinding(const std::vector<ActiveResponseConfig>& responses,
                    base::Diagnostics& diagnostics);

    // The blocks that `rule` fires, as indices into the responses, ascending.
    std::vector<std::size_t> find(const BindableRule& rule);

  private:
    const std::vector<ActiveResponseConfig>& responses_;
    std::vector<std::optional<pattern::Pattern>> groups_;  // as responses_
    pattern::MatchScratch scratch_;
};

}  // namespace portcullis::respond
