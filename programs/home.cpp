#include "programs/home.hpp"

#include <utility>

namespace portcullis::programs {

Home::Home(std::string path) : path_(std::move(path)) {
    while (path_.size() > 1 && path_.back() == '/') {
        path_.pop_back();
    }
}

std::string Home::resolve(std::string_view relative) const {
    if (!relative.empty() && relative.front() == '/') {
        return std::string(relative);
    }
    return path_ + "/" + std::string(relative);
}

std::string Home::pid_file(std::string_view daemon) const {
    return resolve("run/" + std::string(daemon) + ".pid");
}

}  // namespace portcullis::programs
