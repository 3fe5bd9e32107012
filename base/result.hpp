// Result: a value, or the Diagnostic that says why there is none.
#pragma once

#include <tl/expected.hpp>

#include "base/diagnostic.hpp"

namespace portcullis::base {

template <class T>
using Result = tl::expected<T, Diagnostic>;

// What fail() returns converts to any Result<T>.
inline tl::unexpected<Diagnostic> fail(Diagnostic diagnostic) {
    return tl::unexpected<Diagnostic>(std::move(diagnostic));
}
inline tl::unexpected<Diagnostic> fail(std::string code, std::string message,
                                       SourcePlace place = {}) {
    return fail(make_error(std::move(code), std::move(message), std::move(place)));
}

}  // namespace portcullis::base
