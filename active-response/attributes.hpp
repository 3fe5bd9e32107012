// Netlink attributes as ranges: mnl_attr_for_each() is not C++.
#pragma once

#include <libmnl/libmnl.h>

namespace portcullis::active_response {

// Calls `take(const nlattr*)` for each attribute from `attribute` up to `end`.
template <typename Take>
void for_each_attribute_until(const nlattr* attribute, const void* end, Take take) {
    while (mnl_attr_ok(attribute, static_cast<int>(static_cast<const char*>(end) -
                                                   reinterpret_cast<const char*>(attribute)))) {
        take(attribute);
        attribute = mnl_attr_next(attribute);
    }
}

// Of a message whose own header has `header_size` bytes.
template <typename Take>
void for_each_attribute_of(const nlmsghdr* message, std::size_t header_size, Take take) {
    if (mnl_nlmsg_get_payload_len(message) >= header_size) {
        for_each_attribute_until(
            static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(message, header_size)),
            mnl_nlmsg_get_payload_tail(message), take);
    }
}

template <typename Take>
void for_each_attribute_in(const nlattr* nest, Take take) {
    const auto* first = static_cast<const nlattr*>(mnl_attr_get_payload(nest));
    for_each_attribute_until(
        first, reinterpret_cast<const char*>(first) + mnl_attr_get_payload_len(nest), take);
}

}  // namespace portcullis::active_response
