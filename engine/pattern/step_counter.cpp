#include "engine/pattern/step_counter.hpp"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <string>
#include <utility>

namespace portcullis::pattern {
namespace {

struct Count {
    std::uint32_t steps = 0;
    std::uint32_t limit = 0;
    std::size_t position = 0;  // in the subject, of the last step
    std::uint64_t bytes = 0;
};

int count_step(pcre2_callout_block* block, void* data) {
    auto& count = *static_cast<Count*>(data);
    if (block->current_position > count.position) {
        count.bytes += block->current_position - count.position;
    }
    count.position = block->current_position;
    return ++count.steps > count.limit ? PCRE2_ERROR_CALLOUT : 0;
}

}  // namespace

struct StepCounter::Impl {
    template <class T, void (*Free)(T*)>
    struct Deleter {
        void operator()(T* object) const { Free(object); }
    };

    std::unique_ptr<pcre2_code, Deleter<pcre2_code, pcre2_code_free>> code;
    std::unique_ptr<pcre2_match_data, Deleter<pcre2_match_data, pcre2_match_data_free>> match_data;
    std::unique_ptr<pcre2_match_context, Deleter<pcre2_match_context, pcre2_match_context_free>>
        context;
    Count count;
};

StepCounter::StepCounter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StepCounter::~StepCounter() = default;
StepCounter::StepCounter(StepCounter&&) noexcept = default;
StepCounter& StepCounter::operator=(StepCounter&&) noexcept = default;

std::optional<StepCounter> StepCounter::make(const Pattern& pattern) {
    const std::string& text = pattern.translated();
    if (!pattern.has_regex()) {
        return std::nullopt;
    }
    auto impl = std::make_unique<Impl>();
    int error = 0;
    std::size_t offset = 0;
    impl->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                   PCRE2_CASELESS | PCRE2_AUTO_CALLOUT, &error, &offset, nullptr));
    impl->match_data.reset(pcre2_match_data_create(1, nullptr));
    impl->context.reset(pcre2_match_context_create(nullptr));
    if (impl->code == nullptr || impl->match_data == nullptr || impl->context == nullptr) {
        return std::nullopt;
    }
    pcre2_set_callout(impl->context.get(), count_step, &impl->count);
    return StepCounter(std::move(impl));
}

std::uint32_t StepCounter::steps_of(std::string_view subject, std::uint32_t limit) {
    impl_->count = Count{};
    impl_->count.limit = limit;
    pcre2_match(impl_->code.get(), reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(), 0,
                PCRE2_NO_JIT, impl_->match_data.get(), impl_->context.get());
    return impl_->count.steps;
}

std::uint64_t StepCounter::work_of(std::string_view subject, std::uint32_t limit) {
    return steps_of(subject, limit) + impl_->count.bytes;
}

}  // namespace portcullis::pattern
