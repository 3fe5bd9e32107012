#include "engine/app/line_editor.hpp"

#include <histedit.h>
#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <new>
#include <utility>

namespace portcullis::app {
namespace {

// Only a plain file of this user is read or replaced: with sudo the folder may be somebody else's,
// who could have put anything there.
bool is_own_file(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
           status.st_uid == ::geteuid();
}

bool is_own_folder(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
           status.st_uid == ::geteuid();
}

struct EditLineDeleter {
    void operator()(EditLine* editor) const { el_end(editor); }
    void operator()(History* history) const { history_end(history); }
};

char* prompt(EditLine* /*editor*/) {
    static char text[] = "> ";  // NOLINT(*-avoid-c-arrays): libedit takes a char*
    return text;
}

}  // namespace

struct LineEditor::Impl {
    std::string history_path;
    std::unique_ptr<History, EditLineDeleter> history;
    std::unique_ptr<EditLine, EditLineDeleter> editor;

    bool may_keep_history() const {
        if (history_path.empty()) {
            return false;
        }
        const std::string folder = std::filesystem::path(history_path).parent_path();
        struct stat status {};
        return is_own_folder(folder) &&
               (is_own_file(history_path) || ::lstat(history_path.c_str(), &status) != 0);
    }

    void load() const {
        HistEvent event{};
        ::history(history.get(), &event, H_SETSIZE, kMaxHistory);
        ::history(history.get(), &event, H_SETUNIQUE, 1);
        std::error_code ignored;
        if (!history_path.empty()) {
            const std::filesystem::path folder = std::filesystem::path(history_path).parent_path();
            const mode_t mask = ::umask(077);
            std::filesystem::create_directories(folder, ignored);
            ::umask(mask);
        }
        if (may_keep_history() && is_own_file(history_path)) {
            ::history(history.get(), &event, H_LOAD, history_path.c_str());
        }
    }

    // A history that cannot be kept is no reason to complain.
    void add(const std::string& line) const {
        HistEvent event{};
        ::history(history.get(), &event, H_ENTER, line.c_str());
        if (!may_keep_history()) {
            return;
        }
        // A file of its own, put into place whole: 0600, and never through a link.
        std::string fresh = history_path + ".XXXXXX";
        const int descriptor = ::mkstemp(fresh.data());
        std::FILE* file = descriptor < 0 ? nullptr : ::fdopen(descriptor, "w");
        if (file == nullptr) {
            return;
        }
        ::history(history.get(), &event, H_SAVE_FP, file);
        if (std::fclose(file) != 0 || std::rename(fresh.c_str(), history_path.c_str()) != 0) {
            ::unlink(fresh.c_str());
        }
    }
};

bool LineEditor::is_possible() {
    return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
}

std::string LineEditor::default_history_path() {
    const auto folder_in = [](const char* name) -> std::string {
        const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
        return value != nullptr && *value == '/' ? value : "";
    };
    std::string state = folder_in("XDG_STATE_HOME");
    if (state.empty()) {
        const std::string home = folder_in("HOME");
        state = home.empty() ? "" : home + "/.local/state";
    }
    return state.empty() ? "" : state + "/portcullis/logtest_history";
}

LineEditor::LineEditor(std::string history_path) : impl_(std::make_unique<Impl>()) {
    std::setlocale(LC_CTYPE, "");  // NOLINT(concurrency-mt-unsafe): libedit reads characters
    impl_->history_path = std::move(history_path);
    impl_->history.reset(::history_init());
    impl_->editor.reset(::el_init("portcullis-logtest", stdin, stdout, stderr));
    if (impl_->history == nullptr || impl_->editor == nullptr) {
        throw std::bad_alloc();
    }
    impl_->load();
    EditLine* editor = impl_->editor.get();
    ::el_set(editor, EL_PROMPT, prompt);
    ::el_set(editor, EL_SIGNAL, 1);
    ::el_set(editor, EL_EDITOR, "emacs");
    // An end of input that is typed while no line is read, so in canonical mode, arrives as NUL
    // when the terminal is set to raw mode (n_tty). libedit has bound NUL to quoted-insert, as it
    // does with each special character that it disables, and would insert the next ^D.
    ::el_set(editor, EL_BIND, "^@", "em-delete-or-list", nullptr);
    ::el_set(editor, EL_HIST, ::history, impl_->history.get());
}

LineEditor::~LineEditor() = default;

std::optional<std::string> LineEditor::read() {
    int size = 0;
    const char* text = ::el_gets(impl_->editor.get(), &size);
    if (text == nullptr || size <= 0) {
        return std::nullopt;
    }
    std::string line(text);
    while (!line.empty() && line.back() == '\n') {
        line.pop_back();
    }
    if (!line.empty()) {
        impl_->add(line);
    }
    return line;
}

}  // namespace portcullis::app
