// Result: a value, or one Diagnostic that says why there is none.
#pragma once

#include <tl/expected.hpp>

#include "base/diagnostic.hpp"

namespace portcullis::base {

template <class T>
using Result = tl::expected<T, Diagnostic>;

// fail("no such file", ...) converts to any Result<T>.
inline tl::unexpected<Diagnostic> fail(Diagnostic diagnostic) {
    return tl::unexpected<Diagnostic>(std::move(diagnostic));
}

}  // namespace portcullis::base
