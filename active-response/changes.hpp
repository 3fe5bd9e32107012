// Carries out the requests `add` and `delete`, which change the sets.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "active-response/ban_sets.hpp"
#include "active-response/request.hpp"

namespace portcullis::active_response {

// Carries out one request. Returns the text of an error; nullopt = it was carried out.
std::optional<std::string> carry_out(BanSets& sets, const Request& request);

// Carries out `requests`, many in one transaction. Returns the replies in the order of the
// requests, without those to "list".
std::string answer(BanSets& sets, const std::vector<Request>& requests);

}  // namespace portcullis::active_response
