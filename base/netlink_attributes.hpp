// The attributes of a netlink message, whose lengths are not trusted: mnl_attr_for_each() is not
// C++. Templates alone; those who include this link libmnl.
#pragma once

#include <libmnl/libmnl.h>

#include <cstddef>

namespace portcullis::base {

// Calls `take(const nlattr*)` for each attribute that lies in [begin, end) as a whole.
template <class Take>
void for_each_attribute(const void* begin, const void* end, Take take) {
    const auto* attribute = static_cast<const nlattr*>(begin);
    while (mnl_attr_ok(attribute, static_cast<int>(static_cast<const char*>(end) -
                                                   reinterpret_cast<const char*>(attribute)))) {
        take(attribute);
        attribute = mnl_attr_next(attribute);
    }
}

// The same for a message whose own header has `header_size` bytes; shorter ones have no attributes.
template <class Take>
void for_each_attribute_of(const nlmsghdr* message, std::size_t header_size, Take take) {
    if (mnl_nlmsg_get_payload_len(message) >= header_size) {
        for_each_attribute(mnl_nlmsg_get_payload_offset(message, header_size),
                           mnl_nlmsg_get_payload_tail(message), take);
    }
}

}  // namespace portcullis::base
