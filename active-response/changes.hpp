// Carries out the requests that change the sets: add and delete.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "active-response/ban_sets.hpp"
#include "active-response/request.hpp"

namespace portcullis::active_response {

// Carries out one request. The result is the text of an error, nullopt = done.
std::optional<std::string> carry_out(BanSets& sets, const Request& request);

// The replies to `requests`, in their order, without those to "list". Many changes are one
// transaction.
std::string answer(BanSets& sets, const std::vector<Request>& requests);

}  // namespace portcullis::active_response
