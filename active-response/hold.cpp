#include "active-response/hold.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <functional>
#include <iterator>
#include <limits>
#include <system_error>
#include <utility>

#include "active-response/complain.hpp"
#include "active-response/hold_trial.hpp"
#include "active-response/local_ports.hpp"
#include "active-response/request.hpp"
#include "active-response/run_nft.hpp"
#include "base/ban_target.hpp"

namespace portcullis::active_response {
namespace {

using base::Cidr;
using base::HoldMode;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::size_t kMaxSpared = 131072;
constexpr int kMostPorts = 1000;
constexpr seconds kLongestHold{3600};
// Another program listens to our NFLOG group, perhaps the responder before this one, which ends.
constexpr milliseconds kBindPause{500};
constexpr seconds kBindPatience{5};
constexpr seconds kLongBindPause{10};
constexpr seconds kWorkLimit{60};
constexpr int kMakeAttempts = 5;
constexpr const char* kPutBack = "somebody changed the table inet portcullis_hold: putting it back";
constexpr int kReadAttempts = 3;
// A table that somebody else changes again and again is not put back more often than this.
constexpr seconds kRepairPause{1};

base::Diagnostic problem(const char* code, std::string message) {
    base::Diagnostic diagnostic;
    diagnostic.code = code;
    diagnostic.message = std::move(message);
    return diagnostic;
}

bool is_same(const Cidr& a, const Cidr& b) { return !is_before(a, b) && !is_before(b, a); }

// The networks of a member that is a list of texts, sorted; nullopt = it is something else.
std::optional<std::vector<Cidr>> networks_of(const json& request, const char* member) {
    std::vector<Cidr> networks;
    const auto list = request.find(member);
    if (list == request.end()) {
        return networks;
    }
    if (!list->is_array() || list->size() > kMaxSpared) {
        return std::nullopt;
    }
    for (const auto& one : *list) {
        const auto network = one.is_string() ? Cidr::parse(one.get_ref<const std::string&>())
                                             : std::optional<Cidr>();
        if (!network) {
            return std::nullopt;
        }
        networks.push_back(*network);
    }
    std::sort(networks.begin(), networks.end(), is_before);
    networks.erase(std::unique(networks.begin(), networks.end(), is_same), networks.end());
    return networks;
}

std::optional<int> number_of(const json& request, const char* member, int least, int most,
                             int otherwise) {
    const auto it = request.find(member);
    if (it == request.end()) {
        return otherwise;
    }
    if (!it->is_number_integer()) {
        return std::nullopt;
    }
    const auto value = it->get<std::int64_t>();
    return value >= least && value <= most ? std::optional(static_cast<int>(value)) : std::nullopt;
}

std::optional<HoldMode> mode_of(const json& request) {
    const auto it = request.find("mode");
    const std::string word = it != request.end() && it->is_string() ? it->get<std::string>() : "";
    if (word == "yes") {
        return HoldMode::Yes;
    }
    if (word == "refused") {
        return HoldMode::Refused;
    }
    return word == "no" ? std::optional(HoldMode::No) : std::nullopt;
}

std::string form_name(const HoldForm& form) {
    return fmt::format("{}{}", form.sees_sockets ? "counting probes" : "counting refusals only",
                       form.logs ? "" : ", without reports");
}

}  // namespace

base::Result<HoldSettings> read_hold_settings(const json& request) {
    HoldSettings settings;
    auto& config = settings.config;
    const auto mode = mode_of(request);
    const auto ports = number_of(request, "ports", 2, kMostPorts, config.ports);
    const auto connects = number_of(request, "connect_ports", 2, kMostPorts, config.connect_ports);
    const auto length = number_of(request, "seconds", 1, static_cast<int>(kLongestHold.count()), 2);
    const auto prefix = number_of(request, "ipv6_prefix", 48, 128, config.ipv6_prefix);
    const auto group = number_of(request, "group", 0, 65535, settings.log_group);
    const bool is_prefix =
        prefix && (*prefix == 48 || *prefix == 56 || *prefix == 64 || *prefix == 128);
    const auto dry_run = request.find("dry_run");
    const bool is_dry = dry_run != request.end() && *dry_run == true;
    const bool has_dry_run = dry_run == request.end() || dry_run->is_boolean();
    if (!has_dry_run || !mode || !ports || !connects || !length || !is_prefix || !group) {
        return base::fail(problem("bad-request", "a setting of the hold is out of range"));
    }
    auto spared = networks_of(request, "spared");
    auto on_link = networks_of(request, "on_link");
    if (!spared || !on_link) {
        return base::fail(problem("bad-request", "a list of the hold is too long or wrong"));
    }
    config = {*mode, *ports, *connects, seconds(*length), *prefix};
    settings.log_group = *group;
    settings.spared = std::move(*spared);
    settings.on_link6 = std::move(*on_link);
    settings.on_link6.erase(std::remove_if(settings.on_link6.begin(), settings.on_link6.end(),
                                           [](const Cidr& each) { return each.address.is_v4(); }),
                            settings.on_link6.end());
    settings.is_dry = is_dry;
    settings.first_local_port = first_local_port();
    return settings;
}

Hold::Hold() {
    if (auto table = HoldTable::open()) {
        table_ = std::move(*table);
    }
}

Hold::~Hold() { stop_worker(); }

void Hold::stop_worker() {
    if (worker_ > 0) {
        ::kill(worker_, SIGKILL);
        wait_for_worker();
    }
}

// When a worker is killed, its nft(8) is killed too, but first finishes the system call that it is
// in. So it is waited for as well: else it could put back the table that is removed next.
// This process has no other children.
void Hold::wait_for_worker() {
    ::waitpid(std::exchange(worker_, 0), nullptr, 0);
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
}

std::string Hold::take_request(const json& request) {
    auto settings = read_hold_settings(request);
    const json id = request.value("id", json(0));
    if (!settings) {
        return reply_line(id, settings.error().message);
    }
    if (!table_) {
        return reply_line(id, "no netlink socket");
    }
    wanted_ = std::move(*settings);
    waiting_.push_back(id);
    bind_limit_ = steady_clock::now() + kBindPatience;
    return begin_work();
}

std::string Hold::answer_all(std::vector<json>& ids, const std::string& error) {
    std::string lines;
    for (const auto& id : ids) {
        lines += reply_line(id, error);
    }
    ids.clear();
    return lines;
}

bool Hold::ensure_log() {
    if (log_ && installed_ && installed_->log_group != wanted_->log_group) {
        log_.reset();
    }
    next_bind_.reset();
    if (log_) {
        return true;
    }
    auto log = HoldLog::open(wanted_->log_group);
    if (log) {
        log_ = std::move(*log);
        return true;
    }
    if (log.error().code == "group-in-use") {
        const auto now = steady_clock::now();
        next_bind_ = now + (now < bind_limit_ ? milliseconds(kBindPause) : kLongBindPause);
        return false;
    }
    complain("the hold works without reports: " + log.error().message);
    return true;
}

// Begins what is still to be done. The result is the replies to what needs no work.
std::string Hold::begin_work() {
    if (work_out_ || !wanted_) {
        return {};
    }
    if (wanted_->config.mode == HoldMode::No) {
        next_bind_.reset();
        was_interrupted_ = false;  // a hold that could not be put back is not wanted any more
        if (!installed_) {
            const auto form = table_->form();
            if (!form) {
                return answer_all(waiting_, form.error().message);
            }
            // Left by a responder that was killed, unless that of another home listens.
            const auto is_used_by_others = [&] {
                const auto log = HoldLog::open(wanted_->log_group);
                return !log && log.error().code == "group-in-use";
            };
            if (form->empty() || (!may_be_there_ && !log_ && is_used_by_others())) {
                return answer_all(waiting_, "");
            }
        }
        return start(Work::Remove);
    }
    if (!ensure_log()) {
        if (steady_clock::now() < bind_limit_) {
            return {};
        }
        return answer_all(waiting_,
                          fmt::format("NFLOG group {} is used by another program: there is no "
                                      "hold (another home of Portcullis on this host has it)",
                                      wanted_->log_group));
    }
    if (!watch_) {
        if (auto watch = HoldWatch::open()) {
            watch_ = std::move(*watch);
        }
    }
    if (installed_ && form_ && installed_->has_rules_of(*wanted_)) {
        return *installed_ == *wanted_ ? answer_all(waiting_, "") : start(Work::ChangeLists);
    }
    if (form_mode_ != wanted_->config.mode) {
        form_.reset();
    }
    return start(Work::Install);
}

std::string Hold::start(Work work) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        return answer_all(waiting_, std::generic_category().message(errno));
    }
    base::UniqueFd from(pipe[0]);
    base::UniqueFd to(pipe[1]);
    work_ = work;
    work_settings_ = *wanted_;
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // for wait_for_worker()
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) {
        return answer_all(waiting_, std::generic_category().message(errno));
    }
    if (child == 0) {
        end_with(parent);
        const auto result = do_work(work, work_settings_, known_form());
        json answer = {{"error", result.error},
                       {"warning", result.warning},
                       {"form_hash", result.form_hash},
                       {"lists_hash", result.lists_hash}};
        if (result.form) {
            answer["sees_sockets"] = result.form->sees_sockets;
            answer["logs"] = result.form->logs;
        }
        base::write_all(to.get(), answer.dump(-1, ' ', false, json::error_handler_t::replace));
        ::_exit(0);
    }
    worker_ = child;
    work_out_ = std::move(from);
    may_be_there_ = true;
    work_text_.clear();
    work_deadline_ = steady_clock::now() + kWorkLimit;
    in_work_.insert(in_work_.end(), waiting_.begin(), waiting_.end());
    waiting_.clear();
    return {};
}

std::optional<Hold::KnownForm> Hold::known_form() const {
    if (!form_) {
        return std::nullopt;
    }
    const bool is_hashed = hashed_ && hashed_->has_rules_of(work_settings_);
    return KnownForm{*form_, is_hashed ? std::optional(form_hash_) : std::nullopt};
}

base::Result<void> Hold::make(const std::string& script, const HoldSettings& settings,
                              std::optional<std::size_t> form_hash, WorkResult& result) {
    auto table = HoldTable::open();
    if (!table) {
        return base::fail(table.error());
    }
    bool is_right = false;
    std::optional<std::size_t> lists_before;  // that may have been changed by another process
    for (int attempt = 0; attempt < kMakeAttempts; ++attempt) {
        const auto before = table->generation();
        // While bans come and go, another process is always at work. Then only the lists are filled
        // again, since a new table would end all holds.
        if (auto made = run_nft(is_right ? hold_lists_script(settings) : script); !made) {
            return made;
        }
        const auto form = table->form();
        const auto lists = table->lists();
        const auto after = table->generation();
        if (!form || !lists) {
            return base::fail(form ? lists.error() : form.error());
        }
        result.form_hash = std::hash<std::string>()(*form);
        result.lists_hash = std::hash<std::string>()(*lists);
        is_right = form_hash ? result.form_hash == *form_hash : !form->empty();
        const bool had_other_lists = lists_before && *lists_before != result.lists_hash;
        if ((!is_right || had_other_lists) && result.warning.empty()) {
            result.warning = kPutBack;
        }
        lists_before = is_right ? std::optional(result.lists_hash) : std::nullopt;
        if (is_right && before && after && *after == *before + 1) {
            return {};
        }
    }
    return is_right ? base::Result<void>()
                    : base::fail(problem("changed",
                                         "somebody changed the table inet portcullis_hold while "
                                         "it was made"));
}

Hold::WorkResult Hold::do_work(Work work, const HoldSettings& settings,
                               const std::optional<KnownForm>& known) {
    if (work == Work::Install) {
        return install(settings, known);
    }
    WorkResult result;
    base::Result<void> done;
    if (work == Work::Remove) {
        done = run_nft(hold_removal_script());
    } else {
        done = make(hold_lists_script(settings), settings, known->hash, result);
        result.form = known->form;
    }
    if (!done) {
        result.error = done.error().message;
    }
    return result;
}

Hold::WorkResult Hold::install(const HoldSettings& settings,
                               const std::optional<KnownForm>& known) {
    WorkResult result;
    auto forms = hold_forms(settings.config.mode);
    std::optional<std::size_t> expected;
    if (known) {
        forms = {known->form};
        expected = known->hash;
    } else {
        const Trial trial = try_hold(settings, forms);
        if (trial.was_possible && !trial.form) {
            run_nft(hold_removal_script());
            result.error =
                "this kernel cannot hold scans (" + trial.problem + "): there is no hold";
            return result;
        }
        if (trial.form) {
            forms = {forms[*trial.form]};
            expected = std::hash<std::string>()(trial.form_text);
        }
        if (!trial.problem.empty()) {
            result.warning =
                trial.was_possible
                    ? fmt::format("the hold works in a lesser form here ({}): {}",
                                  form_name(forms.front()), trial.problem)
                    : "the hold could not be tried out before it was installed: " + trial.problem;
        }
    }
    std::string first_problem;
    for (const auto& form : forms) {
        const auto made = make(hold_script(settings, form), settings, expected, result);
        if (!made && (made.error().code == "nft-failed" || made.error().code == "no-nft")) {
            first_problem = first_problem.empty() ? made.error().message : first_problem;
            continue;
        }
        result.form = form;
        result.error = made ? "" : made.error().message;
        return result;
    }
    result.error = "nft cannot make the table inet portcullis_hold: " + first_problem;
    return result;
}

std::string Hold::take_work() {
    if (!work_out_) {
        return {};
    }
    std::array<char, 4096> buffer;
    const ssize_t got = ::read(work_out_.get(), buffer.data(), buffer.size());
    if (got > 0) {
        work_text_.append(buffer.data(), static_cast<std::size_t>(got));
        return {};
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return {};
    }
    work_out_.reset();
    wait_for_worker();
    const json answer = json::parse(work_text_, nullptr, false);
    std::string error = answer.is_object() ? answer.value("error", "")
                                           : std::string(
                                                 "the process that changes the table "
                                                 "ended without an answer");
    if (error.empty() && !answer.value("warning", "").empty()) {
        complain(answer.value("warning", ""));
    }
    if (!error.empty() && work_ == Work::ChangeLists) {
        installed_.reset();  // it is not as it should be: make it anew
        waiting_.insert(waiting_.begin(), in_work_.begin(), in_work_.end());
        in_work_.clear();
        return begin_work();
    }
    const bool was_there = installed_.has_value();
    installed_.reset();
    if (error.empty() && work_ == Work::Remove) {
        may_be_there_ = false;
        log_.reset();
        watch_.reset();
        form_.reset();
        was_interrupted_ = false;
    } else if (error.empty()) {
        installed_ = work_settings_;
        form_mode_ = work_settings_.config.mode;
        form_ = HoldForm{answer.value("sees_sockets", true), answer.value("logs", true)};
        form_hash_ = answer.value("form_hash", std::size_t{0});
        hashed_ = work_settings_;
        lists_hash_ = answer.value("lists_hash", std::size_t{0});
        generation_.reset();
        has_news_ = true;  // look once more: somebody may have changed it meanwhile
        next_look_ = steady_clock::now();
        was_interrupted_ = false;
        release_spared();
    } else if (in_work_.empty() && !was_interrupted_ && was_there) {
        was_interrupted_ = true;
        complain("the hold cannot be put back: " + error);
    }
    std::string lines = answer_all(in_work_, error);
    if (!waiting_.empty()) {
        lines += begin_work();
    }
    return lines;
}

// What has become spared leaves the set of held sources. (The rules spare it anyway.)
void Hold::release_spared() {
    const auto all = held();
    for (const auto& one : all) {
        const bool is_spared = std::any_of(
            installed_->spared.begin(), installed_->spared.end(), [&](const Cidr& spared) {
                return spared.address.is_v4() == one.target.address.is_v4() &&
                       spared.overlaps(one.target);
            });
        if (is_spared) {
            table_->release(one.target);
        }
    }
}

bool Hold::is_still_intact() {
    for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
        const auto generation = table_->generation();
        if (generation && generation_ == *generation) {
            return true;
        }
        generation_.reset();
        const auto form = table_->form();
        const auto lists = table_->lists();
        const auto after = table_->generation();
        // An answer that cannot be had does not justify a replacement.
        if (!form || !lists || !generation || !after) {
            return true;
        }
        if (std::hash<std::string>()(*form) == form_hash_ &&
            std::hash<std::string>()(*lists) == lists_hash_) {
            generation_ = *generation;
            return true;
        }
        if (*generation == *after) {
            return false;
        }
        // It was read while another process changed rulesets: a part may have been missed.
    }
    return false;
}

void Hold::put_back(const char* why) {
    const auto now = steady_clock::now();
    next_repair_ = now + kRepairPause;
    complain(why);
    start(Work::Install);
}

void Hold::follow_table() {
    has_news_ = (watch_ && watch_->read_news()) || has_news_;
    if (has_news_ && !work_out_) {
        next_look_ = std::max(steady_clock::now(), next_repair_);
    }
}

void Hold::check() {
    if (!next_look_) {
        next_look_ = std::max(steady_clock::now(), next_repair_);
    }
}

std::optional<steady_clock::time_point> Hold::next_due() const {
    auto next = steady_clock::time_point::max();
    if (work_out_) {
        next = std::min(next, work_deadline_);
    } else if ((installed_ || was_interrupted_) && next_look_) {
        next = std::min(next, *next_look_);
    }
    if (next_bind_ && !work_out_) {
        next = std::min(next, *next_bind_);
    }
    if (more_ > 0) {
        next = std::min(next, second_ + seconds(1));
    }
    return next == steady_clock::time_point::max() ? std::nullopt : std::optional(next);
}

std::string Hold::on_time() {
    const auto now = steady_clock::now();
    std::string lines;
    if (more_ > 0 && now >= second_ + seconds(1)) {
        lines += json{{"event", "held"}, {"more", std::exchange(more_, 0)}}.dump() + "\n";
    }
    if (work_out_) {
        if (now >= work_deadline_) {
            ::kill(worker_, SIGKILL);  // its pipe ends
            work_deadline_ = now + kWorkLimit;
        }
        return lines;
    }
    if (next_bind_ && now >= *next_bind_) {
        lines += begin_work();
    }
    if (!work_out_ && (installed_ || was_interrupted_) && next_look_ && now >= *next_look_) {
        next_look_.reset();
        has_news_ = false;
        if (was_interrupted_) {
            start(Work::Install);
        } else if (!is_still_intact()) {
            put_back(kPutBack);
        }
    }
    return lines;
}

std::string Hold::take_log() {
    if (!log_) {
        return {};
    }
    const auto news = log_->read_news();
    const auto now = steady_clock::now();
    std::string lines;
    if (now >= second_ + seconds(1)) {
        if (more_ > 0) {
            lines += json{{"event", "held"}, {"more", std::exchange(more_, 0)}}.dump() + "\n";
        }
        second_ = now;
        events_ = 0;
    }
    more_ += news.were_lost ? 1 : 0;
    for (const auto& source : news.sources) {
        if (events_ >= kMaxEventsPerSecond) {
            ++more_;
            continue;
        }
        ++events_;
        const auto target = installed_ ? hold_target_of(source, *installed_) : Cidr(source);
        lines += json{{"event", "held"}, {"address", base::ban_target_text(target)}}.dump() + "\n";
    }
    return lines;
}

std::vector<Held> Hold::held() {
    if (!table_ || is_dry()) {
        return {};
    }
    return table_
        ->held(installed_ ? installed_->config.ipv6_prefix : base::HoldConfig().ipv6_prefix)
        .value_or(std::vector<Held>());
}

base::Result<void> Hold::release(const Cidr& target) {
    if (!table_ || is_dry()) {
        return {};
    }
    auto released = table_->release(target);
    if (!target.address.is_v4() && target.is_one_address()) {
        HoldSettings settings = installed_.value_or(HoldSettings());
        settings.on_link6.clear();
        auto network = table_->release(hold_target_of(target.address, settings));
        if (released) {
            released = std::move(network);
        }
    }
    return released;
}

void Hold::end() {
    stop_worker();
    work_out_.reset();
    if (may_be_there_) {
        run_nft(hold_removal_script());
    }
}

}  // namespace portcullis::active_response
