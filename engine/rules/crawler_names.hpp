// CrawlerNames: the seam between <compiled_rule>is_valid_crawler and DNS (spec: rules,
// section 3.4).
#pragma once

#include "base/ip_address.hpp"

namespace portcullis::rules {

class CrawlerNames {
  public:
    virtual ~CrawlerNames() = default;

    // The name of `address` is one of googlebot.com, and leads back to the address. Never waits: of
    // an address that is not known yet the answer is no, and it is asked for in the background.
    virtual bool is_crawler(const base::IpAddress& address) = 0;
};

}  // namespace portcullis::rules
