#include "base/capabilities.hpp"

#include <cap-ng.h>
#include <sys/prctl.h>

#include <cerrno>

namespace portcullis::base {
namespace {

tl::unexpected<Diagnostic> failure(const std::string& what, const std::string& why) {
    return fail("capabilities", what + ": " + why);
}

tl::unexpected<Diagnostic> cannot_give_up(const std::string& why) {
    return failure("cannot give up capabilities", why);
}

}  // namespace

Result<void> keep_capabilities(const std::vector<int>& wanted) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return cannot_give_up(error_text(errno));
    }
    if (capng_get_caps_process() != 0) {
        return cannot_give_up("they cannot be read");
    }
    std::vector<int> kept;
    for (const int each : wanted) {
        if (capng_have_capability(CAPNG_PERMITTED, static_cast<unsigned>(each)) != 0) {
            kept.push_back(each);
        }
    }
    // Only CAP_SETPCAP allows to reduce the bounding set. Without it, no_new_privs keeps children
    // from having more than their parent.
    const bool limits_bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
    capng_clear(limits_bounds ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
    auto sets = static_cast<unsigned>(CAPNG_EFFECTIVE) | static_cast<unsigned>(CAPNG_PERMITTED);
    sets |= limits_bounds ? static_cast<unsigned>(CAPNG_BOUNDING_SET) : 0U;
    for (const int each : kept) {
        capng_update(CAPNG_ADD, static_cast<capng_type_t>(sets), static_cast<unsigned>(each));
    }
    if (const int result = capng_apply(limits_bounds ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
        result != 0) {
        return cannot_give_up("libcap-ng: " + std::to_string(result));
    }
    return {};
}

Result<void> pass_on_capability(int capability) {
    constexpr const char* kWhat = "cannot pass on a capability";
    if (capng_get_caps_process() != 0) {
        return failure(kWhat, "they cannot be read");
    }
    const auto number = static_cast<unsigned>(capability);
    // The ambient set takes only what the inheritable set has.
    if (capng_update(CAPNG_ADD, CAPNG_INHERITABLE, number) != 0 ||
        capng_apply(CAPNG_SELECT_CAPS) != 0 ||
        ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) != 0) {
        return failure(kWhat, error_text(errno));
    }
    return {};
}

}  // namespace portcullis::base
