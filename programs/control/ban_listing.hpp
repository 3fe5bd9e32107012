// BanListing: what is blocked, as a value, and how it is shown to a person or a program. The
// functions neither ask nor print anything.
#pragma once

#include <string>
#include <vector>

#include "base/response_message.hpp"

namespace portcullis::programs {

struct BanListing {
    std::vector<base::BanRow> bans;
    std::vector<base::BlockRow> blocks;  // blocked by a responder, and no ban explains them
    std::vector<base::BlockRow> holds;   // held by the kernel
    std::string more;                    // "and N more" of `blocks`; empty = it is complete
    std::string problem;                 // why `blocks` may be incomplete; empty = it is complete
    bool is_dry_run = false;             // execd runs, and blocks no address
};

// Adds a page of an UnexplainedRequest.
void add_page(BanListing& listing, const base::Reply& page);

// The tables, with a title for each. Times are local, and `left` counts from now. `problem` is left
// to the caller.
std::string text_of(const BanListing& listing);
// One JSON object a line (docs/execd-protocol.md).
std::string json_of(const BanListing& listing);

// The never-block list, one entry a line. If `address` is not empty: what `rows` say of it.
std::string text_of_protected(const std::vector<base::ProtectedRow>& rows,
                              const std::string& address);

}  // namespace portcullis::programs
