#include "engine/pattern/pattern.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/utf8.hpp"
#include "engine/pattern/literal.hpp"
#include "engine/pattern/os_match.hpp"
#include "engine/pattern/os_regex.hpp"
#include "engine/pattern/translate.hpp"

namespace portcullis::pattern {
namespace {

// Steps of one match, PCRE2's own default: a lower limit would lose matches that OSSEC has. A match
// that reaches it counts as no match.
constexpr std::uint32_t kMatchLimit = 10'000'000;
// The limit for the rest of an event that reached it once: hundreds of similar patterns must not
// each cost the full limit.
constexpr std::uint32_t kLimitOfSuspect = 100'000;
// Backtracking memory of the interpreter in KiB, and of JIT code in bytes (taken as needed).
constexpr std::uint32_t kHeapLimitKib = 20'000;
constexpr std::size_t kJitStackStart = std::size_t{32} * 1024;
constexpr std::size_t kJitStackMax = std::size_t{1024} * 1024;
// Number of groups that are read; only kMaxCaptures of them are kept.
constexpr std::uint32_t kOvectorPairs = 256;

template <class T, void (*Free)(T*)>
struct Deleter {
    void operator()(T* object) const { Free(object); }
};
template <class T, void (*Free)(T*)>
using Handle = std::unique_ptr<T, Deleter<T, Free>>;

using Code = Handle<pcre2_code, pcre2_code_free>;

// One compiled form of a pattern.
struct Regex {
    Code code;
    bool has_jit = false;
    bool is_utf = false;
    int groups = 0;
};

struct CompileError {
    int number = 0;
    std::size_t offset = 0;
};

tl::expected<Regex, CompileError> compile_regex(std::string_view text, std::uint32_t options) {
    CompileError error;
    Regex regex;
    regex.code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), options,
                                   &error.number, &error.offset, nullptr));
    if (regex.code == nullptr) {
        return tl::make_unexpected(error);
    }
    // The interpreter is used if a pattern is too large for JIT, or the system forbids it.
    regex.has_jit = pcre2_jit_compile(regex.code.get(), PCRE2_JIT_COMPLETE) == 0;
    std::uint32_t all_options = 0;
    pcre2_pattern_info(regex.code.get(), PCRE2_INFO_ALLOPTIONS, &all_options);
    regex.is_utf = (all_options & PCRE2_UTF) != 0;
    std::uint32_t groups = 0;
    pcre2_pattern_info(regex.code.get(), PCRE2_INFO_CAPTURECOUNT, &groups);
    regex.groups = static_cast<int>(groups);
    return regex;
}

base::Diagnostic diagnostic_of(const CompileError& error, const Translation& translation,
                               std::size_t pattern_size) {
    std::array<PCRE2_UCHAR, 256> message{};
    pcre2_get_error_message(error.number, message.data(), message.size());
    const std::size_t offset = error.offset < translation.origins.size()
                                   ? translation.origins[error.offset]
                                   : (pattern_size > 0 ? pattern_size - 1 : 0);
    return bad_pattern(reinterpret_cast<const char*>(message.data()), offset);
}

// "(*UTF)" at its start makes a PCRE2 element a UTF pattern. \C could then cut a character in two,
// which PCRE2 calls undefined.
std::uint32_t options_of_pcre2(std::string_view text) {
    const bool has_verbs = text.substr(0, 2) == "(*";
    return PCRE2_CASELESS | (has_verbs ? PCRE2_NEVER_BACKSLASH_C : 0U);
}

}  // namespace

struct MatchScratch::Impl {
    Impl()
        : match_data(pcre2_match_data_create(kOvectorPairs, nullptr)),
          jit_stack(pcre2_jit_stack_create(kJitStackStart, kJitStackMax, nullptr)),
          context(pcre2_match_context_create(nullptr)) {
        if (match_data == nullptr || jit_stack == nullptr || context == nullptr) {
            throw std::bad_alloc();
        }
        pcre2_set_match_limit(context.get(), kMatchLimit);
        pcre2_set_heap_limit(context.get(), kHeapLimitKib);
        pcre2_jit_stack_assign(context.get(), nullptr, jit_stack.get());
    }

    Handle<pcre2_match_data, pcre2_match_data_free> match_data;
    Handle<pcre2_jit_stack, pcre2_jit_stack_free> jit_stack;
    Handle<pcre2_match_context, pcre2_match_context_free> context;
    std::uint64_t limit_hits = 0;
    bool is_suspect = false;  // the event drove a pattern to its limit
    bool uses_jit = true;
};

MatchScratch::MatchScratch() : impl_(std::make_unique<Impl>()) {}
MatchScratch::~MatchScratch() = default;
MatchScratch::MatchScratch(MatchScratch&&) noexcept = default;
MatchScratch& MatchScratch::operator=(MatchScratch&&) noexcept = default;

void MatchScratch::begin_event() {
    if (impl_->is_suspect) {
        impl_->is_suspect = false;
        pcre2_set_match_limit(impl_->context.get(), kMatchLimit);
    }
}

std::uint64_t MatchScratch::limit_hits() const { return impl_->limit_hits; }
void MatchScratch::set_jit(bool on) { impl_->uses_jit = on; }

struct Pattern::Impl {
    Language language = Language::Pcre2;
    std::string text;
    std::string translated;
    bool is_always_true = false;
    std::optional<AnchoredLiteral> literal;
    // For subjects that are well-formed UTF-8; absent for PCRE2 elements, which match bytes.
    std::optional<Regex> utf;
    // For PCRE2 elements, and for subjects in another encoding (Latin-1) in the OS_ languages.
    std::optional<Regex> bytes;
    // ASCII subjects give the same result in both modes (only if the pattern is ASCII too).
    bool is_ascii_pattern = false;

    const Regex* regex_for(std::string_view subject) const;
};

const Regex* Pattern::Impl::regex_for(std::string_view subject) const {
    if (!utf) {
        return &*bytes;
    }
    if (base::is_ascii(subject)) {
        return is_ascii_pattern && bytes ? &*bytes : &*utf;
    }
    if (base::is_utf8(subject)) {
        return &*utf;
    }
    return bytes ? &*bytes : nullptr;
}

namespace {

// Number of pairs that are set in the ovector, or a negative error of PCRE2.
int execute(const Regex& regex, std::string_view subject, MatchScratch::Impl& scratch) {
    // An empty view may have no data; PCRE2 wants a pointer.
    const auto* text = reinterpret_cast<PCRE2_SPTR>(subject.empty() ? "" : subject.data());
    const int count = regex.has_jit && scratch.uses_jit
                          ? pcre2_jit_match(regex.code.get(), text, subject.size(), 0, 0,
                                            scratch.match_data.get(), scratch.context.get())
                          : pcre2_match(regex.code.get(), text, subject.size(), 0,
                                        PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, scratch.match_data.get(),
                                        scratch.context.get());
    if (count < 0 && count != PCRE2_ERROR_NOMATCH) {
        ++scratch.limit_hits;
        scratch.is_suspect = true;
        pcre2_set_match_limit(scratch.context.get(), kLimitOfSuspect);
    }
    return count == 0 ? static_cast<int>(kOvectorPairs) : count;
}

// Only the groups that took part: the n-th of them is the n-th value, whatever its number.
void squeeze(const PCRE2_SIZE* ovector, int pairs, std::string_view subject, Captures& captures) {
    for (int group = 1; group < pairs; ++group) {
        const PCRE2_SIZE from = ovector[2 * group];
        const PCRE2_SIZE to = ovector[2 * group + 1];
        if (from != PCRE2_UNSET && from <= to && to <= subject.size()) {
            captures.push_back(subject.substr(from, to - from));
        }
    }
}

}  // namespace

base::Result<Pattern> Pattern::compile(Language language, std::string_view text) {
    auto impl = std::make_shared<Impl>();
    impl->language = language;
    impl->text = text;
    impl->is_ascii_pattern = base::is_ascii(text);
    auto translation = translate(language, text);
    if (!translation) {
        return base::fail(std::move(translation.error()));
    }
    if (language == Language::OsMatch && os_match_is_always_true(text)) {
        impl->is_always_true = true;
        return Pattern(std::move(impl));
    }
    impl->literal = AnchoredLiteral::parse(language, text);
    if (impl->literal) {
        return Pattern(std::move(impl));
    }

    impl->translated = translation->text;
    const bool is_pcre2 = language == Language::Pcre2;
    auto bytes = compile_regex(translation->text,
                               is_pcre2 ? options_of_pcre2(text) : std::uint32_t{PCRE2_CASELESS});
    if (!bytes) {
        return base::fail(diagnostic_of(bytes.error(), *translation, text.size()));
    }
    if (bytes->is_utf) {
        impl->utf = std::move(*bytes);
        return Pattern(std::move(impl));
    }
    impl->bytes = std::move(*bytes);
    if (!is_pcre2 && base::is_utf8(text)) {
        auto utf =
            compile_regex(translation->text, PCRE2_CASELESS | PCRE2_UTF | PCRE2_NO_UTF_CHECK);
        if (!utf) {
            return base::fail(diagnostic_of(utf.error(), *translation, text.size()));
        }
        impl->utf = std::move(*utf);
    }
    return Pattern(std::move(impl));
}

std::optional<std::size_t> Pattern::match(std::string_view subject, MatchScratch& scratch,
                                          Captures* captures) const {
    if (captures != nullptr) {
        captures->clear();
    }
    if (impl_->is_always_true) {
        return 0;
    }
    if (impl_->literal) {
        return impl_->literal->match(subject);
    }
    const Regex* regex = impl_->regex_for(subject);
    if (regex == nullptr) {
        return std::nullopt;
    }
    auto& state = scratch.impl();
    const int pairs = execute(*regex, subject, state);
    if (pairs < 0) {
        return std::nullopt;
    }
    const PCRE2_SIZE* ovector = pcre2_get_ovector_pointer(state.match_data.get());
    if (captures != nullptr) {
        squeeze(ovector, pairs, subject, *captures);
    }
    return std::min<std::size_t>(ovector[1], subject.size());
}

bool Pattern::has_regex() const { return impl_->utf.has_value() || impl_->bytes.has_value(); }

int Pattern::group_count() const {
    const auto& regex = impl_->bytes ? impl_->bytes : impl_->utf;
    return regex ? regex->groups : 0;
}

Language Pattern::language() const { return impl_->language; }
const std::string& Pattern::text() const { return impl_->text; }
const std::string& Pattern::translated() const { return impl_->translated; }

}  // namespace portcullis::pattern
