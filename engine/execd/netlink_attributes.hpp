// Walking through the attributes of a netlink message whose lengths are not trusted.
#pragma once

#include <libmnl/libmnl.h>

#include <cstddef>

namespace portcullis::execd {

// Calls take(attribute) for each attribute in [begin, end).
template <class Take>
void for_each_attribute(const void* begin, const void* end, Take take) {
    const auto* attribute = static_cast<const nlattr*>(begin);
    const auto left = [&] {
        return static_cast<int>(static_cast<const char*>(end) -
                                reinterpret_cast<const char*>(attribute));
    };
    for (; left() > 0 && mnl_attr_ok(attribute, left()); attribute = mnl_attr_next(attribute)) {
        take(attribute);
    }
}

template <class Take>
void for_each_attribute(const nlmsghdr* message, std::size_t header_size, Take take) {
    if (mnl_nlmsg_get_payload_len(message) >= header_size) {
        for_each_attribute(mnl_nlmsg_get_payload_offset(message, header_size),
                           mnl_nlmsg_get_payload_tail(message), take);
    }
}

}  // namespace portcullis::execd
