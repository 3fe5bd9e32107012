// CrawlerNames: the seam between <compiled_rule>is_valid_crawler and DNS (spec: rules,
// section 3.4).
#pragma once

#include "base/ip_address.hpp"

namespace portcullis::rules {

class CrawlerNames {
  public:
    virtual ~CrawlerNames() = default;

    // Whether the name of `address` is in googlebot.com and leads back to the address. Never waits:
    // the answer for an address that is not known yet is false, and DNS is asked in the background.
    virtual bool look_up_crawler(const base::IpAddress& address) = 0;
};

}  // namespace portcullis::rules
