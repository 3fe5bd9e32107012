#include "engine/collect/location.hpp"

#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <climits>
#include <ctime>
#include <filesystem>
#include <system_error>

#include "base/ascii.hpp"

namespace portcullis::collect {
namespace {

constexpr std::string_view kGlobCharacters = "*?[";

constexpr std::string_view kStrftimeModifiers = "-_0^#+EO123456789";

// The glob for the sequence '%' `letter`: numbers have a fixed number of digits.
std::string_view glob_of_sequence(char letter) {
    struct Row {
        std::string_view letters;
        std::string_view glob;
    };
    static constexpr std::array kRows{
        Row{"%", "%"},
        Row{"uw", "[0-9]"},
        Row{"CHIMSUVWdgmy", "[0-9][0-9]"},
        Row{"ekl", "[ 0-9][0-9]"},
        Row{"j", "[0-9][0-9][0-9]"},
        Row{"GY", "[0-9][0-9][0-9][0-9]"},
        Row{"F", "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"},
        Row{"Dx", "[0-9][0-9]/[0-9][0-9]/[0-9][0-9]"},
        Row{"R", "[0-9][0-9]:[0-9][0-9]"},
        Row{"TX", "[0-9][0-9]:[0-9][0-9]:[0-9][0-9]"},
    };
    const auto* const row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& each) {
        return each.letters.find(letter) != std::string_view::npos;
    });
    return row != kRows.end() ? row->glob : "*";
}

// A line break or an escape sequence in a name would also get into alerts and logs.
bool is_printable(std::string_view path) {
    return std::none_of(path.begin(), path.end(), base::is_control);
}

std::vector<std::string> glob_matches(const std::string& pattern, bool folders) {
    std::vector<std::string> paths;
    glob_t result{};
    // NOLINTNEXTLINE(concurrency-mt-unsafe): of ~user and signals, which are not used here
    if (::glob(pattern.c_str(), 0, nullptr, &result) == 0) {
        for (std::size_t i = 0; i < result.gl_pathc && paths.size() < kMaxGlobMatches; ++i) {
            struct stat status {};
            const bool is_folder =
                ::stat(result.gl_pathv[i], &status) == 0 && S_ISDIR(status.st_mode);
            if (is_folder == folders && is_printable(result.gl_pathv[i])) {
                paths.emplace_back(result.gl_pathv[i]);
            }
        }
    }
    ::globfree(&result);
    return paths;
}

// The nearest existing folder of `path`.
std::string existing_folder_of(const std::string& path) {
    auto folder = std::filesystem::path(path).parent_path();
    std::error_code error;
    while (folder.has_relative_path() && !std::filesystem::is_directory(folder, error)) {
        folder = folder.parent_path();
    }
    return folder.empty() ? "." : folder.string();
}

}  // namespace

bool has_date(std::string_view location) { return location.find('%') != std::string_view::npos; }

bool has_glob(std::string_view location) {
    return location.find_first_of(kGlobCharacters) != std::string_view::npos;
}

std::string with_date(const std::string& location, base::Timestamp now) {
    if (!has_date(location)) {
        return location;
    }
    const std::time_t seconds =
        std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    std::tm local{};
    ::localtime_r(&seconds, &local);
    // Not std::put_time, which knows no "%-d". A plain pointer, as compilers want a constant
    // format.
    constexpr std::size_t (*kFormat)(char*, std::size_t, const char*, const std::tm*) =
        std::strftime;
    std::array<char, PATH_MAX> text;
    return {text.data(), kFormat(text.data(), text.size(), location.c_str(), &local)};
}

bool could_be_dated(const std::string& location, const std::string& path) {
    if (!has_date(location)) {
        return false;
    }
    std::string pattern;
    for (std::size_t i = 0; i < location.size(); ++i) {
        if (location[i] != '%') {
            pattern += location[i];
            continue;
        }
        // "%-d", "%Ey", "%5Y": flags, modifiers and widths come before the letter.
        const std::size_t letter =
            std::min(location.find_first_not_of(kStrftimeModifiers, i + 1), location.size() - 1);
        pattern += letter == i + 1 ? glob_of_sequence(location[letter]) : "*";
        i = letter;
    }
    return could_match(pattern, path);
}

bool could_match(const std::string& pattern, const std::string& path) {
    return has_glob(pattern)
               ? ::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0
               : pattern == path;
}

bool is_of_location(const std::string& location, const std::string& path) {
    return location == path || could_match(location, path) || could_be_dated(location, path);
}

std::vector<std::string> expand_pattern(const std::string& pattern) {
    return has_glob(pattern) ? glob_matches(pattern, false) : std::vector{pattern};
}

std::vector<std::string> folders_of_pattern(const std::string& pattern) {
    std::vector<std::string> folders;
    // Each component with a glob lives in the folders that the components before it match.
    for (std::size_t start = pattern.find_first_of(kGlobCharacters); start != std::string::npos;) {
        const std::size_t slash = pattern.rfind('/', start);
        const std::string parent = slash == std::string::npos ? "." : pattern.substr(0, slash);
        if (has_glob(parent)) {
            for (const std::string& folder : glob_matches(parent, true)) {
                folders.push_back(folder);
            }
        } else {
            folders.push_back(existing_folder_of(parent + "/x"));
        }
        const std::size_t next = pattern.find('/', start);
        start = next == std::string::npos ? next : pattern.find_first_of(kGlobCharacters, next);
    }
    for (const std::string& path : expand_pattern(pattern)) {
        folders.push_back(existing_folder_of(path));
        std::error_code error;
        if (std::filesystem::is_symlink(path, error)) {
            const auto target = std::filesystem::weakly_canonical(path, error);
            if (!error) {
                folders.push_back(existing_folder_of(target.string()));
            }
        }
    }
    std::sort(folders.begin(), folders.end());
    folders.erase(std::unique(folders.begin(), folders.end()), folders.end());
    return folders;
}

}  // namespace portcullis::collect
