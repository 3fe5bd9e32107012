#include "engine/alert/alert.hpp"

namespace portcullis::alert {

std::string Alert::name() const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch());
    return std::to_string(seconds.count()) + "." + std::to_string(id);
}

}  // namespace portcullis::alert
