#include "engine/config/input_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "engine/pattern/pattern.hpp"

namespace portcullis::config {
namespace {

std::string below(const std::string& home, const std::string& path) {
    return path.starts_with('/') ? path : home + "/" + path;
}

std::string base_name(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

// The reason why `path` cannot be used as a file with this access (R_OK, X_OK); empty = it can.
std::string obstacle(const std::string& path, int access_mode) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) {
        return base::error_text(errno);
    }
    if (S_ISDIR(status.st_mode)) {
        return "it is a directory";
    }
    if (access(path.c_str(), access_mode) != 0) {
        return base::error_text(errno);
    }
    return {};
}

class FileList {
  public:
    FileList(std::string home, base::Diagnostics& diagnostics)
        : home_(std::move(home)), diagnostics_(diagnostics) {}

    void add_all(const std::vector<FileReference>& references) {
        for (const auto& reference : references) {
            if (reference.is_directory) {
                add_directory(reference);
            } else {
                add_file(reference);
            }
        }
    }

    void add_file(const FileReference& reference) {
        const std::string why = obstacle(below(home_, reference.path), R_OK);
        if (!why.empty()) {
            auto error = reference.error("unreadable-file",
                                         fmt::format("cannot read {}: {}", reference.path, why));
            error.hint = reference.place.line > 0
                             ? "paths are relative to the home, " + home_
                             : fmt::format(
                                   "no <decoder> is given, so etc/decoder.xml or {} is "
                                   "read from the home, {}",
                                   reference.path, home_);
            diagnostics_.add(std::move(error));
            return;
        }
        keep(reference);
    }

    bool exists(const std::string& path) const {
        return access(below(home_, path).c_str(), F_OK) == 0;
    }

    std::vector<FileReference> take() { return std::move(files_); }

  private:
    void keep(const FileReference& reference) {
        known_.insert(reference.path);
        known_.insert(base_name(reference.path));
        files_.push_back(reference);
    }

    void add_directory(const FileReference& reference) {
        std::error_code error;
        std::filesystem::directory_iterator entry(below(home_, reference.path), error);
        if (error) {
            auto warning = reference.error(
                "missing-directory",
                fmt::format("cannot read the directory {}: {}", reference.path, error.message()));
            warning.severity = base::Severity::Warning;
            diagnostics_.add(std::move(warning));
            return;
        }
        const auto compiled =
            pattern::Pattern::compile(pattern::Language::OsRegex, reference.pattern);
        if (!compiled) {
            return;  // reported when ossec.conf was read
        }
        std::vector<std::string> paths;
        pattern::MatchScratch scratch;
        for (; entry != std::filesystem::directory_iterator(); entry.increment(error)) {
            const std::string name = entry->path().filename();
            std::string path = reference.path + "/" + name;
            const bool is_known = known_.contains(path) || known_.contains(name);
            if (!is_known && compiled->matches(path, scratch) &&
                obstacle(below(home_, path), F_OK).empty()) {
                paths.push_back(std::move(path));
            }
        }
        std::sort(paths.begin(), paths.end());
        for (auto& path : paths) {
            FileReference file = reference;
            file.is_directory = false;
            file.path = std::move(path);
            add_file(file);
        }
    }

    std::string home_;
    base::Diagnostics& diagnostics_;
    std::vector<FileReference> files_;
    std::set<std::string, std::less<>> known_;  // paths and bare names
};

}  // namespace

InputFiles resolve_input_files(const EngineConfig& config, const std::string& home,
                               base::Diagnostics& diagnostics) {
    InputFiles files;
    const int errors_before = diagnostics.error_count();
    FileList decoders(home, diagnostics);
    if (config.decoder_files_are_default) {
        constexpr const char* kDecoders = "etc/decoder.xml";
        constexpr const char* kShippedDecoders = "decoders/iplog_decoders.xml";
        constexpr const char* kLocalDecoders = "etc/local_decoder.xml";
        FileReference file;
        file.path = decoders.exists(kDecoders) ? kDecoders : kShippedDecoders;
        file.place.file = "etc/ossec.conf";
        decoders.add_file(file);
        if (decoders.exists(kLocalDecoders)) {
            file.path = kLocalDecoders;
            decoders.add_file(file);
        }
    }
    decoders.add_all(config.decoder_files);
    files.decoder_files = decoders.take();
    files.has_all_decoders = diagnostics.error_count() == errors_before;
    FileList rules(home, diagnostics);
    rules.add_all(config.rule_files);
    files.rule_files = rules.take();
    files.list_files = config.list_files;
    return files;
}

void check_executables(const EngineConfig& config, const std::string& folder,
                       base::Diagnostics& diagnostics) {
    for (const auto& executable : config.executables) {
        const std::string why = obstacle(folder + "/" + executable.path, X_OK);
        if (!why.empty()) {
            auto error = executable.error("missing-executable",
                                          fmt::format("cannot run {}: {}", executable.path, why));
            error.hint = fmt::format("commands are searched in {}", folder);
            diagnostics.add(std::move(error));
        }
    }
}

void check_white_lists(const EngineConfig& config, const std::string& home,
                       base::Diagnostics& diagnostics) {
    for (const auto& file : config.white_list_references) {
        const std::string why = obstacle(below(home, file.path), F_OK);
        if (!why.empty()) {
            auto warning =
                file.error("missing-white-list", fmt::format("cannot read {}: {}", file.path, why));
            warning.severity = base::Severity::Warning;
            warning.context = "global > white_list_file";
            warning.hint =
                "none of its addresses are spared; paths are relative to the "
                "home, " +
                home;
            diagnostics.add(std::move(warning));
        }
    }
}

}  // namespace portcullis::config
