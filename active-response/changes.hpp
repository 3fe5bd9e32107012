// Carries out the requests that change the sets: add and delete.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "active-response/ban_sets.hpp"
#include "active-response/blocked.hpp"
#include "active-response/request.hpp"

namespace portcullis::active_response {

// Carries out one request. The result is the text of an error, nullopt = done.
std::optional<std::string> carry_out(BanSets& sets, Blocked& blocked, std::string_view action,
                                     std::string_view address_text, std::chrono::seconds timeout);

// The replies to `requests`, in their order. Many changes are one transaction.
std::string answer(BanSets& sets, Blocked& blocked, const std::vector<Request>& requests);

}  // namespace portcullis::active_response
