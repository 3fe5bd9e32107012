// try_hold(): tests whether this kernel holds a source at the port where it should, and not before.
//
// Some kernels (about 5.17 to 5.18) copy the `limit` of a set without its state and never hold.
// Others lack an expression. So a child process loads the ruleset in a network namespace of its
// own, which holds only a pair of virtual interfaces, and sends crafted packets from one to the
// other. No packet leaves that namespace, which vanishes with the process.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "active-response/hold_script.hpp"

namespace portcullis::active_response {

struct Trial {
    bool was_possible = false;        // false = no namespace can be made here; `problem` says why
    std::optional<std::size_t> form;  // index of the first one that works; nullopt = none does
    std::string form_text;            // HoldTable::form() of it
    std::string problem;              // of the best form, for a person; empty = it works
};

// Tries the forms in their order. Takes a few hundred milliseconds. REQUIRES: no other thread.
Trial try_hold(const HoldSettings& settings, const std::vector<HoldForm>& forms);

}  // namespace portcullis::active_response
