#include "engine/execd/persistent_responder.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "base/ban_target.hpp"

namespace portcullis::execd {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

// The argument of an executable that has to stay and read requests.
constexpr const char* kPersistentArgument = "persistent";
constexpr std::size_t kMaxReply = 4096;
constexpr std::size_t kMaxError = 300;
constexpr std::uint64_t kMostMore = 1'000'000;
// A responder that answers other requests may have many of them: then the limit is this many times
// longer.
constexpr int kPatience = 6;
constexpr std::chrono::milliseconds kFirstPause{50};
constexpr std::chrono::milliseconds kLongestPause{10'000};

// `age`: time since the request for the job. It is subtracted, so that a late ban does not end
// later.
std::string request_line(std::uint64_t id, const Job& job, steady_clock::duration age) {
    auto timeout = job.timeout;
    if (timeout > std::chrono::seconds(0)) {
        timeout -= std::chrono::ceil<std::chrono::seconds>(age);
        timeout = std::max(timeout, std::chrono::seconds(1));
    }
    const json object = {
        {"id", id},
        {"action", word_of(job.action)},
        {"address", job.address},
        {"user", job.user},
        {"timeout", timeout.count()},
        {"asked_at", std::chrono::duration_cast<std::chrono::milliseconds>(
                         steady_clock::now().time_since_epoch())
                         .count()},
        {"alert_id", job.alert_id},
        {"rule_id", job.rule_id},
        {"location", job.location},
        {"filename", job.filename},
        {"block", base::word_of(job.block)},
    };
    return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

json texts_of(const std::vector<base::Cidr>& networks) {
    json texts = json::array();
    for (const auto& network : networks) {
        texts.push_back(network.is_one_address() ? network.address.to_string()
                                                 : network.to_string());
    }
    return texts;
}

std::string_view word_of(base::HoldMode mode) {
    switch (mode) {
        case base::HoldMode::No:
            return "no";
        case base::HoldMode::Yes:
            return "yes";
        case base::HoldMode::Refused:
            break;
    }
    return "refused";
}

std::string hold_line(std::uint64_t id, const HoldRequest& request) {
    const json object = {
        {"id", id},
        {"action", "hold"},
        {"mode", word_of(request.config.mode)},
        {"ports", request.config.ports},
        {"connect_ports", request.config.connect_ports},
        {"seconds", request.config.seconds.count()},
        {"ipv6_prefix", request.config.ipv6_prefix},
        {"dry_run", request.is_dry},
        {"spared", texts_of(request.spared)},
        {"on_link", texts_of(request.on_link)},
    };
    return object.dump() + "\n";
}

// Returns the error text of an answer, cut to the length that fits into replies of execd.
std::string error_of(const json& answer) {
    const auto error = answer.find("error");
    return error != answer.end() && error->is_string()
               ? error->get<std::string>().substr(0, kMaxError)
               : std::string();
}

// Returns the kind of block in the answer; Hard if there is none.
base::BlockKind block_of(const json& held) {
    const auto block = held.find("block");
    return block == held.end() || !block->is_string()
               ? base::BlockKind::Hard
               : base::block_kind_of(block->get_ref<const std::string&>())
                     .value_or(base::BlockKind::Hard);
}

// Returns the time that a block has left; nullopt = no end.
std::optional<std::chrono::seconds> left_of(const json& held) {
    const auto left = held.find("left");
    if (left == held.end() || !left->is_number_integer()) {
        return std::nullopt;
    }
    constexpr std::chrono::seconds kLongest{std::numeric_limits<std::int64_t>::max()};
    if (left->is_number_unsigned()) {
        const auto count = left->get<std::uint64_t>();
        return count > static_cast<std::uint64_t>(kLongest.count())
                   ? kLongest
                   : std::chrono::seconds(static_cast<std::int64_t>(count));
    }
    return std::chrono::seconds(std::max<std::int64_t>(left->get<std::int64_t>(), 0));
}

}  // namespace

bool HoldRequest::operator==(const HoldRequest& other) const {
    const auto is_same = [](const std::vector<base::Cidr>& a, const std::vector<base::Cidr>& b) {
        return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                          [](const base::Cidr& x, const base::Cidr& y) {
                              return x.address == y.address && x.prefix_length == y.prefix_length;
                          });
    };
    return config == other.config && is_dry == other.is_dry && is_same(spared, other.spared) &&
           is_same(on_link, other.on_link);
}

PersistentResponder::PersistentResponder(base::EventLoop& loop, base::Log& log, std::string folder,
                                         std::string executable,
                                         std::chrono::nanoseconds reply_limit)
    : loop_(loop),
      log_(log),
      folder_(std::move(folder)),
      executable_(std::move(executable)),
      reply_limit_(reply_limit) {
    start();
}

PersistentResponder::~PersistentResponder() = default;

void PersistentResponder::run(const Job& job, std::function<void(const JobResult&)> on_done) {
    const auto id = ++last_id_;
    Pending& pending = pending_[id];
    pending.job = job;
    pending.on_done = std::move(on_done);
    pending.asked = steady_clock::now();
    pending.deadline = pending.asked + reply_limit_;
    if (is_running_) {
        pending.attempts = 1;
        write_soon(request_line(id, job, {}));
    }
    if (!deadline_) {
        deadline_ = loop_.call_after(reply_limit_, [this] { check_deadlines(); });
    }
}

void PersistentResponder::write_soon(const std::string& line) {
    out_ += line;
    if (!on_writable_) {
        write_out();
    }
}

void PersistentResponder::list(const std::string& address, std::function<void(const Held&)> on_held,
                               std::function<void(const HeldResult&)> on_done) {
    if (is_running_ && lists_ == Support::No) {
        on_done({HeldAnswer::CannotSay, {}});
        return;
    }
    Question& question = questions_[++last_id_];
    question.address = address;
    question.on_held = std::move(on_held);
    question.on_done = std::move(on_done);
    question.deadline = steady_clock::now() + kSupportsLimit;
    ask_questions();
    if (!question_deadline_) {
        question_deadline_ = loop_.call_after(kSupportsLimit, [this] { check_questions(); });
    }
}

void PersistentResponder::set_support(Support support) {
    if (lists_ != Support::Unknown) {
        return;
    }
    lists_ = support;
    ask_questions();
    ask_to_hold();
}

void PersistentResponder::hold(const HoldRequest& request,
                               std::function<void(const JobResult&)> on_done) {
    hold_ = PendingHold{0, request, std::move(on_done)};
    ask_to_hold();
}

void PersistentResponder::ask_to_hold() {
    if (!hold_ || hold_->id != 0 || !is_running_ || lists_ == Support::Unknown) {
        return;
    }
    if (!holds_) {
        const auto on_done = std::move(hold_->on_done);
        hold_.reset();
        on_done({false, "the responder " + executable_ + " cannot hold", false});
        return;
    }
    hold_->id = ++last_id_;
    write_soon(hold_line(hold_->id, hold_->request));
}

// Handles a reply about holds or a message that answers no request. Returns false if it is neither.
bool PersistentResponder::take_hold_reply(const json& answer) {
    const auto id = answer.find("id");
    const auto ok = answer.find("ok");
    if (!hold_ || hold_->id == 0 || id == answer.end() || *id != hold_->id || ok == answer.end() ||
        !ok->is_boolean()) {
        return false;
    }
    const auto on_done = std::move(hold_->on_done);
    hold_.reset();
    on_done({ok->get<bool>(), error_of(answer), false});
    return true;
}

// Asks the questions that wait, or ends them with CannotSay.
void PersistentResponder::ask_questions() {
    if (!is_running_ || lists_ == Support::Unknown) {
        return;
    }
    std::vector<std::uint64_t> refused;
    for (auto& [id, question] : questions_) {
        if (question.is_asked) {
            continue;
        }
        if (lists_ == Support::No) {
            refused.push_back(id);
            continue;
        }
        question.is_asked = true;
        ++question.attempts;
        question.deadline = steady_clock::now() + reply_limit_;
        write_soon(json{{"id", id}, {"action", "list"}, {"address", question.address}}.dump() +
                   "\n");
    }
    for (const auto id : refused) {
        end_question(id, {HeldAnswer::CannotSay, {}});
    }
}

void PersistentResponder::end_question(std::uint64_t id, const HeldResult& result) {
    const auto it = questions_.find(id);
    if (it == questions_.end()) {
        return;
    }
    const auto on_done = std::move(it->second.on_done);
    questions_.erase(it);
    on_done(result);
}

void PersistentResponder::give_up_questions(const std::string& reason, bool all) {
    std::vector<std::uint64_t> failed;
    for (auto& [id, question] : questions_) {
        if (all || question.has_begun || question.attempts >= kMaxAttempts) {
            failed.push_back(id);
        }
        question.is_asked = false;
        question.deadline = steady_clock::now() + reply_limit_;
    }
    for (const auto id : failed) {
        end_question(id, {HeldAnswer::Failed, reason});
    }
}

void PersistentResponder::check_questions() {
    question_deadline_ = base::EventLoop::no_source();
    const auto now = steady_clock::now();
    if (is_running_ && lists_ == Support::Unknown &&
        std::any_of(questions_.begin(), questions_.end(),
                    [&](const auto& each) { return each.second.deadline <= now; })) {
        set_support(Support::No);
    }
    std::vector<std::uint64_t> late;
    for (const auto& [id, question] : questions_) {
        if (question.deadline <= now) {
            late.push_back(id);
        }
    }
    for (const auto id : late) {
        end_question(
            id, {HeldAnswer::Failed, fmt::format("the responder {} does not answer", executable_)});
    }
    if (!questions_.empty() && !question_deadline_) {
        question_deadline_ =
            loop_.call_after(std::chrono::seconds(1), [this] { check_questions(); });
    }
}

// Handles a line about the abilities of the responder, its blocks or its holds. Returns false if it
// is another line.
bool PersistentResponder::handle_answer(const json& answer) {
    if (!answer.is_object()) {
        return false;
    }
    const auto supports = answer.find("supports");
    if (supports != answer.end() && !answer.contains("id")) {
        const auto has = [&](const char* word) {
            return supports->is_array() &&
                   std::find(supports->begin(), supports->end(), word) != supports->end();
        };
        blocks_softly_ = has("soft");
        holds_ = has("hold");
        set_support(has("list") ? Support::Yes : Support::No);
        return true;
    }
    if (const auto event = answer.find("event"); event != answer.end() && !answer.contains("id")) {
        take_event(event->is_string() ? event->get<std::string>() : "", answer);
        return true;
    }
    if (take_hold_reply(answer)) {
        return true;
    }
    const auto id = answer.find("id");
    const auto it = id != answer.end() && id->is_number_unsigned()
                        ? questions_.find(id->get<std::uint64_t>())
                        : questions_.end();
    if (it == questions_.end()) {
        return answer.contains("held");  // too late
    }
    last_reply_ = steady_clock::now();
    it->second.deadline = last_reply_ + reply_limit_;
    it->second.has_begun = true;
    if (const auto held = answer.find("held"); held != answer.end() && held->is_array()) {
        for (const auto& one : *held) {
            const auto address = one.is_object() ? one.find("address") : one.end();
            const auto target = address != one.end() && address->is_string()
                                    ? base::parse_ban_target(address->get<std::string>())
                                    : std::nullopt;
            if (!target) {
                continue;
            }
            const auto hold = one.find("hold");
            it->second.on_held({base::ban_target_text(*target), left_of(one), block_of(one),
                                hold != one.end() && *hold == true});
        }
    }
    if (const auto ok = answer.find("ok"); ok != answer.end() && ok->is_boolean()) {
        end_question(it->first, {ok->get<bool>() ? HeldAnswer::Complete : HeldAnswer::Failed,
                                 error_of(answer)});
    }
    return true;
}

void PersistentResponder::take_event(std::string_view event, const json& line) {
    const auto text = line.find("text");
    if (event == "restored" && text != line.end() && text->is_string()) {
        log_.warning(
            fmt::format("{}: {}", executable_, text->get<std::string>().substr(0, kMaxError)));
    } else if (event == "held" && on_event_) {
        HoldEvent held;
        const auto address = line.find("address");
        const auto more = line.find("more");
        if (address != line.end() && address->is_string()) {
            held.target = base::parse_ban_target(address->get_ref<const std::string&>());
        }
        if (more != line.end() && more->is_number_unsigned()) {
            held.more = std::min<std::uint64_t>(more->get<std::uint64_t>(), kMostMore);
        }
        on_event_(held);
    }
}

void PersistentResponder::start() {
    restart_ = base::EventLoop::no_source();
    std::string reason;
    if (auto untrusted = reason_not_to_run(folder_, executable_)) {
        reason = *untrusted;
    } else {
        auto child = start_child({folder_ + "/" + executable_, kPersistentArgument},
                                 std::chrono::seconds(0), base::BlockKind::Hard, ChildInput::Pipe);
        if (child) {
            child_ = std::move(*child);
        } else {
            reason = child.error().message;
        }
    }
    if (!reason.empty()) {
        if (failures_in_a_row_ == 0 || !pending_.empty()) {
            log_.error(fmt::format("the responder {} cannot be started: {}", executable_, reason));
        }
        ++failures_in_a_row_;
        give_up(reason, true);
        give_up_questions(reason, true);
        start_later();
        return;
    }
    is_running_ = true;
    lists_ = Support::Unknown;
    blocks_softly_ = false;
    holds_ = false;
    if (hold_) {
        hold_->id = 0;
    }
    on_output_ =
        loop_.watch_fd(child_.output.get(), EPOLLIN, [this](std::uint32_t) { read_replies(); });
    on_errors_ =
        loop_.watch_fd(child_.errors.get(), EPOLLIN, [this](std::uint32_t) { read_errors(); });
    on_child_end_ =
        loop_.watch_fd(child_.pid_fd.get(), EPOLLIN, [this](std::uint32_t) { on_end(); });
    out_.clear();
    written_ = 0;
    for (auto& [id, pending] : pending_) {
        ++pending.attempts;
        pending.deadline = steady_clock::now() + reply_limit_;
        out_ += request_line(id, pending.job, steady_clock::now() - pending.asked);
    }
    write_out();
    if (std::exchange(has_run_, true) && on_restarted_) {
        on_restarted_();
    }
}

void PersistentResponder::start_later() {
    const auto pause =
        failures_in_a_row_ <= 1
            ? std::chrono::milliseconds(0)
            : std::min(kLongestPause, kFirstPause * (1 << std::min(failures_in_a_row_ - 2, 8)));
    restart_ = loop_.call_after(pause, [this] { start(); });
}

void PersistentResponder::write_out() {
    while (is_running_ && written_ < out_.size()) {
        const ssize_t written =
            ::write(child_.input.get(), out_.data() + written_, out_.size() - written_);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (errno == EAGAIN && !on_writable_) {
                on_writable_ = loop_.watch_fd(child_.input.get(), EPOLLOUT,
                                              [this](std::uint32_t) { write_out(); });
            }
            return;  // EPIPE: on_end() notices the end
        }
        written_ += static_cast<std::size_t>(written);
    }
    out_.clear();
    written_ = 0;
    on_writable_ = base::EventLoop::no_source();
}

void PersistentResponder::read_replies() {
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(child_.output.get(), buffer.data(), buffer.size());
    if (got == 0) {
        // The responder closed its standard output, so it cannot answer any more.
        on_output_ = base::EventLoop::no_source();
        kill_group(child_);
    }
    if (got <= 0) {
        return;
    }
    in_.append(buffer.data(), static_cast<std::size_t>(got));
    for (auto end = in_.find('\n'); end != std::string::npos; end = in_.find('\n')) {
        const std::string line = in_.substr(0, end);
        in_.erase(0, end + 1);
        const json message = json::parse(line, nullptr, false);
        if (!handle_answer(message)) {
            set_support(Support::No);  // its first line would have said so
            handle_reply(message, line);
        }
    }
    if (in_.size() > kMaxReply) {
        log_.error(fmt::format("the responder {} answers with endless lines: killed", executable_));
        in_.clear();
        kill_group(child_);
    }
}

void PersistentResponder::handle_reply(const json& reply, std::string_view line) {
    const auto member = [&](const char* name) -> const json* {
        const auto it = reply.is_object() ? reply.find(name) : reply.end();
        return reply.is_object() && it != reply.end() ? &*it : nullptr;
    };
    const json* id = member("id");
    const json* ok = member("ok");
    const auto it = id != nullptr && id->is_number_unsigned()
                        ? pending_.find(id->get<std::uint64_t>())
                        : pending_.end();
    if (it == pending_.end() || ok == nullptr || !ok->is_boolean()) {
        log_.warning(fmt::format("the responder {} answers what was not asked: {}", executable_,
                                 line.substr(0, 200)));
        return;
    }
    failures_in_a_row_ = 0;
    last_reply_ = steady_clock::now();
    JobResult result;
    result.ok = ok->get<bool>();
    result.may_have_happened = !result.ok && it->second.attempts > 1;
    result.reason = error_of(reply);
    if (!result.ok && result.reason.empty()) {
        result.reason = "the responder gives no reason";
    }
    const Job& job = it->second.job;
    if (result.ok && job.action == Action::Add && job.block == base::BlockKind::Soft &&
        !blocks_softly_) {
        result.block = base::BlockKind::Hard;
    }
    const auto on_done = std::move(it->second.on_done);
    pending_.erase(it);
    on_done(result);
}

void PersistentResponder::read_errors() {
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(child_.errors.get(), buffer.data(), buffer.size());
    if (got <= 0) {
        if (got == 0) {
            on_errors_ = base::EventLoop::no_source();
        }
        return;
    }
    errors_in_.append(buffer.data(), static_cast<std::size_t>(got));
    if (errors_in_.size() > kMaxReply) {
        errors_in_ += '\n';
    }
    for (auto end = errors_in_.find('\n'); end != std::string::npos; end = errors_in_.find('\n')) {
        last_error_ = errors_in_.substr(0, std::min<std::size_t>(end, 300));
        errors_in_.erase(0, end + 1);
        log_.warning(fmt::format("{}: {}", executable_, last_error_));
    }
}

void PersistentResponder::check_deadlines() {
    deadline_ = base::EventLoop::no_source();
    if (pending_.empty()) {
        return;
    }
    const auto earliest = std::min_element(
        pending_.begin(), pending_.end(),
        [](const auto& a, const auto& b) { return a.second.deadline < b.second.deadline; });
    const auto now = steady_clock::now();
    auto left = earliest->second.deadline - now;
    if (-left < (kPatience - 1) * reply_limit_) {
        left = std::max(left, last_reply_ + reply_limit_ - now);
    }
    if (left <= std::chrono::nanoseconds(0) && is_running_) {
        log_.error(fmt::format("the responder {} does not answer: killed, it is started again",
                               executable_));
        kill_group(child_);
    }
    deadline_ = loop_.call_after(left > std::chrono::nanoseconds(0) ? left : reply_limit_,
                                 [this] { check_deadlines(); });
}

void PersistentResponder::stop_watching() {
    on_output_ = base::EventLoop::no_source();
    on_errors_ = base::EventLoop::no_source();
    on_writable_ = base::EventLoop::no_source();
    on_child_end_ = base::EventLoop::no_source();
    is_running_ = false;
}

void PersistentResponder::on_end() {
    ++failures_in_a_row_;  // a reply among the last words resets it
    if (on_output_) {
        read_replies();
    }
    if (on_errors_) {
        read_errors();
    }
    stop_watching();
    std::string end = reap(child_);
    end =
        fmt::format("the responder {} ended ({})", executable_, end.empty() ? "exit code 0" : end);
    if (!last_error_.empty()) {
        end += ": " + last_error_;
    }
    child_ = ChildProcess();
    in_.clear();
    errors_in_.clear();
    last_error_.clear();
    log_.error(end);
    give_up(end, false);
    give_up_questions(end, false);
    start_later();
}

void PersistentResponder::give_up(const std::string& reason, bool all) {
    std::vector<std::pair<std::function<void(const JobResult&)>, JobResult>> failed;
    for (auto it = pending_.begin(); it != pending_.end();) {
        if (all || it->second.attempts >= kMaxAttempts) {
            const bool was_asked = it->second.attempts > 0;
            failed.emplace_back(std::move(it->second.on_done), JobResult{false, reason, was_asked});
            it = pending_.erase(it);
        } else {
            ++it;
        }
    }
    for (const auto& [on_done, result] : failed) {
        on_done(result);
    }
}

}  // namespace portcullis::execd
