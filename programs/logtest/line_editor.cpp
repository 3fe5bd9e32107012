#include "programs/logtest/line_editor.hpp"

#include <histedit.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <filesystem>
#include <new>
#include <utility>

namespace portcullis::programs {
namespace {

// Only a plain file of this user is read or replaced: with sudo the folder may belong to another
// user, who could have put any file there.
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

constexpr char kEndOfInput = '\x04';

}  // namespace

struct LineEditor::Impl {
    std::string history_path;
    std::unique_ptr<History, EditLineDeleter> history;
    std::unique_ptr<EditLine, EditLineDeleter> editor;
    // Bytes that were typed before the terminal was in raw mode for this line, and are not read
    // yet; nullopt = it is not yet.
    std::optional<int> typed_ahead;

    // For libedit, which calls it before it shows a prompt.
    static char* prompt(EditLine* editor);
    // The next byte that is typed. False = there are no more.
    bool read_byte(char& byte);
    // For libedit, while there are bytes typed ahead: 1 = a character, 0 = the end. As libedit
    // does, it leaves bytes out that are not part of a character.
    static int read_typed_ahead(EditLine* editor, wchar_t* character);
    // Only libedit's own reader sets its signal handlers again after a stop (^Z) or a resize, so it
    // must be the one that waits.
    void choose_reader() const {
        ::el_set(editor.get(), EL_GETCFN,
                 typed_ahead.value_or(0) > 0 ? read_typed_ahead : EL_BUILTIN_GETCFN);
    }

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

    // Errors are ignored: a history is not essential.
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

// Sets raw mode before the prompt appears, so that no key is typed before it. libedit would set it
// a little later. Its signal handlers, which undo it, are already installed.
char* LineEditor::Impl::prompt(EditLine* editor) {
    static char text[] = "> ";  // NOLINT(*-avoid-c-arrays): libedit takes a char*
    Impl* impl = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &impl);
    if (!impl->typed_ahead) {
        ::el_set(editor, EL_PREP_TERM, 1);
        int waiting = 0;
        impl->typed_ahead = ::ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 ? waiting : 0;
        impl->choose_reader();
    }
    return text;
}

bool LineEditor::Impl::read_byte(char& byte) {
    ssize_t got = 0;
    while ((got = ::read(STDIN_FILENO, &byte, 1)) < 0) {
        if (errno == EAGAIN) {  // another program shares the terminal, and wants it so
            pollfd input{STDIN_FILENO, POLLIN, 0};
            ::poll(&input, 1, -1);
        } else if (errno != EINTR) {
            return false;
        }
    }
    // An end of input (^D) that was typed while no line was read, so in canonical mode, is a NUL in
    // raw mode (n_tty). Later a NUL is Ctrl-Space.
    if (typed_ahead && *typed_ahead > 0) {
        --*typed_ahead;
        byte = byte == '\0' ? kEndOfInput : byte;
    }
    return got == 1;
}

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

int LineEditor::Impl::read_typed_ahead(EditLine* editor, wchar_t* character) {
    Impl* impl = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &impl);
    constexpr auto kInvalid = static_cast<std::size_t>(-1);
    std::mbstate_t state{};
    for (std::size_t length = kInvalid; length > 1;) {
        char byte = '\0';
        if (!impl->read_byte(byte)) {
            return 0;
        }
        const bool is_first = std::mbsinit(&state) != 0;
        const auto add = [&] {
            // NOLINTNEXTLINE(concurrency-mt-unsafe): only without a state of its own
            length = std::mbrtowc(character, &byte, 1, &state);
            state = length == kInvalid ? std::mbstate_t{} : state;
        };
        add();
        if (length == kInvalid && !is_first) {
            add();  // it may begin the next character
        }
    }
    impl->choose_reader();
    return 1;
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
    ::el_set(editor, EL_CLIENTDATA, impl_.get());
    ::el_set(editor, EL_PROMPT, Impl::prompt);
    ::el_set(editor, EL_SIGNAL, 1);
    ::el_set(editor, EL_EDITOR, "emacs");
    // Ctrl-Space. libedit has bound it to quoted-insert, as it does with each special character
    // that it disables (they are all NUL), and would insert what is typed next.
    ::el_set(editor, EL_BIND, "^@", "em-set-mark", nullptr);
    ::el_set(editor, EL_HIST, ::history, impl_->history.get());
}

LineEditor::~LineEditor() = default;

std::optional<std::string> LineEditor::read() {
    int size = 0;
    impl_->typed_ahead.reset();
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

}  // namespace portcullis::programs
