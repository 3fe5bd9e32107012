#include "engine/execd/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "base/ban_target.hpp"
#include "base/response_message.hpp"
#include "engine/execd/request_texts.hpp"

namespace portcullis::execd {
namespace {

using nlohmann::json;

constexpr std::size_t kChecksumDigits = 8;
constexpr std::size_t kSlackRecords = 4096;  // obsolete records that are not worth a compaction

constexpr std::array<std::uint32_t, 256> make_crc_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t value = i;
        for (int bit = 0; bit < 8; ++bit) {
            value = (value & 1U) != 0 ? 0xedb88320U ^ (value >> 1) : value >> 1;
        }
        table[i] = value;
    }
    return table;
}
constexpr auto kCrcTable = make_crc_table();

// CRC-32 of IEEE 802.3.
std::uint32_t crc32_of(std::string_view bytes) {
    std::uint32_t crc = 0xffffffffU;
    for (const char c : bytes) {
        crc = kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xffU] ^ (crc >> 8);
    }
    return crc ^ 0xffffffffU;
}

std::string line_of(const json& record) {
    const std::string text = record.dump(-1, ' ', false, json::error_handler_t::replace);
    return fmt::format("{:08x} {}\n", crc32_of(text), text);
}

std::int64_t unix_nanoseconds(base::Timestamp time) { return time.time_since_epoch().count(); }
base::Timestamp timestamp(std::int64_t count) {
    return base::Timestamp(std::chrono::nanoseconds(count));
}

json to_json(const BanKey& key) {
    return {{"executable", key.executable}, {"address", key.address}, {"user", key.user}};
}

json to_json(const Ban& ban) {
    json object = to_json(ban.key);
    object["command"] = ban.command;
    object["persistent"] = ban.is_persistent;
    object["dry"] = ban.is_dry;
    object["alert_id"] = ban.alert_id;
    object["rule_id"] = ban.rule_id;
    object["location"] = ban.location;
    object["filename"] = ban.filename;
    object["timeout"] = ban.timeout.count();
    object["since"] = unix_nanoseconds(ban.since);
    object["until"] = unix_nanoseconds(ban.until);
    object["evidence"] = base::word_of(ban.evidence);
    object["block"] = base::word_of(ban.block);
    if (ban.soft_until) {
        object["soft_until"] = unix_nanoseconds(*ban.soft_until);
    }
    return object;
}

json to_json(const Offender& offender) {
    json object = to_json(offender.key);
    object["offences"] = offender.offences;
    object["last"] = unix_nanoseconds(offender.last);
    return object;
}

// Reads typed members. If one member is wrong, the whole record counts as damaged.
class Members {
  public:
    explicit Members(const json& object) : object_(object) {}
    std::string text(const char* name) {
        const auto it = object_.find(name);
        if (it == object_.end() || !it->is_string()) {
            ok_ = false;
            return {};
        }
        return it->get<std::string>();
    }
    std::int64_t number(const char* name) {
        const auto it = object_.find(name);
        if (it == object_.end() || !it->is_number_integer()) {
            ok_ = false;
            return 0;
        }
        return it->get<std::int64_t>();
    }
    bool boolean(const char* name) {
        const auto it = object_.find(name);
        if (it == object_.end() || !it->is_boolean()) {
            ok_ = false;
            return false;
        }
        return it->get<bool>();
    }
    // Journals of earlier versions lack these members.
    bool has(const char* name) const { return object_.contains(name); }
    template <typename Value>
    Value word(const char* name, std::optional<Value> (*value_of)(std::string_view),
               Value otherwise) {
        if (!has(name)) {
            return otherwise;
        }
        const auto value = value_of(text(name));
        ok_ = ok_ && value.has_value();
        return value.value_or(otherwise);
    }
    BanKey key() { return {text("executable"), text("address"), text("user")}; }
    bool ok() const { return ok_; }

  private:
    const json& object_;
    bool ok_ = true;
};

// The latest time that execd writes, 2200-01-01. All sums stay far from overflow.
constexpr base::Timestamp kLatest{std::chrono::seconds(7'258'118'400)};

bool is_sane(base::Timestamp time) { return time >= base::Timestamp() && time <= kLatest; }

void note_absurdity(JournalState& state, const BanKey& key, std::string_view what) {
    constexpr std::size_t kMostNoted = 5;
    if (state.absurdities.size() < kMostNoted) {
        state.absurdities.push_back(fmt::format("{} {}: {}", plain_argument(key.executable),
                                                plain_argument(key.address), what));
    }
}

// Returns why no undo is possible for this key; "" = it is possible.
std::string_view fault_of(const BanKey& key) {
    if (key.executable.empty() || key.executable.find('/') != std::string::npos) {
        return "not the name of an executable";
    }
    if (key.user != "-" && !is_user_name(key.user)) {
        return "not a user name";
    }
    const auto target = base::parse_ban_target(key.address);
    if (key.address != "-" && (!target || base::ban_target_text(*target) != key.address)) {
        return "not an address";
    }
    return {};
}

// Returns why execd cannot have written this ban; "" = it can have.
std::string_view fault_of(const Ban& ban) {
    constexpr std::chrono::seconds kSlack{1};
    if (const auto target = base::parse_ban_target(ban.key.address);
        target && !base::special_use_of(*target).empty()) {
        return "an address that no remote host can have";
    }
    if (ban.timeout < std::chrono::seconds(0) || ban.timeout > base::kMaxBanTime) {
        return "a time that no ban can have";
    }
    const bool is_endless = ban.until == kNever;
    if (!is_sane(ban.since) || (!is_endless && !is_sane(ban.until)) ||
        (ban.soft_until && *ban.soft_until != kNever && !is_sane(*ban.soft_until))) {
        return "a time before 1970 or after 2200";
    }
    if (is_endless && ban.timeout != std::chrono::seconds(0)) {
        return "a ban with a timeout that has no end";
    }
    if (ban.until < ban.since - kSlack) {
        return "an end before its beginning";
    }
    if (!is_endless && ban.until > ban.since + ban.timeout + kSlack) {
        return "an end that is later than its timeout says";
    }
    if (ban.soft_until && *ban.soft_until != kNever &&
        *ban.soft_until > ban.since + base::kMaxBanTime) {
        return "a soft block of more than ten years";
    }
    return {};
}

bool read_ban(const json& object, JournalState& state) {
    Members in(object);
    Ban ban;
    ban.key = in.key();
    ban.command = in.text("command");
    ban.is_persistent = in.boolean("persistent");
    ban.is_dry = in.boolean("dry");
    ban.alert_id = in.text("alert_id");
    const auto rule_id = in.number("rule_id");
    ban.rule_id =
        rule_id > 0 && rule_id <= std::numeric_limits<int>::max() ? static_cast<int>(rule_id) : 0;
    ban.location = in.text("location");
    ban.filename = in.text("filename");
    ban.timeout = std::chrono::seconds(in.number("timeout"));
    ban.since = timestamp(in.number("since"));
    ban.until = timestamp(in.number("until"));
    ban.evidence = in.word("evidence", base::evidence_of, ban.evidence);
    ban.block = in.word("block", base::block_kind_of, ban.block);
    if (in.has("soft_until")) {
        ban.soft_until = timestamp(in.number("soft_until"));
    }
    if (!in.ok()) {
        return false;
    }
    if (const auto fault = fault_of(ban.key); !fault.empty()) {
        note_absurdity(state, ban.key, fault);
        return true;
    }
    // These become arguments of the undo.
    ban.alert_id = plain_argument(ban.alert_id);
    ban.location = plain_argument(ban.location);
    ban.filename = is_plain_argument(ban.filename) ? ban.filename : "-";
    if (const auto fault = fault_of(ban); !fault.empty()) {
        note_absurdity(state, ban.key, fault);
        ban.timeout = std::chrono::seconds(0);
        ban.since = ban.until = base::Timestamp();
        ban.soft_until.reset();
    }
    state.bans[ban.key] = ban;
    return true;
}

bool read_undone(const json& object, JournalState& state) {
    Members in(object);
    const BanKey key = in.key();
    if (in.ok()) {
        state.bans.erase(key);
    }
    return in.ok();
}

bool read_offender(const json& object, JournalState& state) {
    Members in(object);
    Offender offender;
    offender.key = in.key();
    const auto offences = in.number("offences");
    offender.last = timestamp(in.number("last"));
    if (!in.ok() || offences < 0) {
        return false;
    }
    constexpr std::int64_t kMostOffences = 1000;
    offender.offences = static_cast<int>(std::min(offences, kMostOffences));
    const std::string_view fault =
        is_sane(offender.last) ? fault_of(offender.key) : "a time before 1970 or after 2200";
    if (!fault.empty()) {
        note_absurdity(state, offender.key, fault);
        return true;
    }
    state.offenders[offender.key] = offender;
    return true;
}

// The kinds of record, by the name of their only member.
struct RecordKind {
    const char* name;
    bool (*read)(const json&, JournalState&);
};
constexpr RecordKind kRecordKinds[] = {
    {"ban", read_ban}, {"undone", read_undone}, {"offender", read_offender}};

bool read_line(std::string_view line, JournalState& state) {
    if (line.size() < kChecksumDigits + 2 || line[kChecksumDigits] != ' ') {
        return false;
    }
    std::uint32_t checksum = 0;
    const auto [end, error] =
        std::from_chars(line.data(), line.data() + kChecksumDigits, checksum, 16);
    const auto text = line.substr(kChecksumDigits + 1);
    if (error != std::errc{} || end != line.data() + kChecksumDigits ||
        checksum != crc32_of(text)) {
        return false;
    }
    const json record = json::parse(text, nullptr, false);
    if (!record.is_object() || record.size() != 1 || !record.begin()->is_object()) {
        return false;
    }
    for (const auto& kind : kRecordKinds) {
        if (record.begin().key() == kind.name) {
            return kind.read(*record.begin(), state);
        }
    }
    return false;
}

tl::unexpected<base::Diagnostic> file_error(const char* code, const char* what,
                                            const std::string& path) {
    return base::fail(code, fmt::format("{}: {}", what, base::error_text(errno)), {path});
}

base::UniqueFd open_for_append(const std::string& path) {
    return base::UniqueFd(
        ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
}

}  // namespace

JournalState replay_journal(std::string_view bytes) {
    JournalState state;
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const auto line = bytes.substr(0, end);
        if (!line.empty()) {
            if (end != std::string_view::npos && read_line(line, state)) {
                ++state.records;
            } else {
                ++state.damaged;
            }
        }
        bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 1);
    }
    return state;
}

base::Result<Journal> Journal::open(const std::string& folder, JournalState& state) {
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return file_error("unwritable-file", "cannot make the folder of bans", folder);
    }
    const std::string path = folder + "/bans.journal";
    Journal journal(path, open_for_append(path));
    if (!journal.fd_) {
        return file_error("unwritable-file", "cannot open the journal of bans", path);
    }
    auto bytes = base::read_file(path);
    if (!bytes) {
        return base::fail(std::move(bytes.error()));
    }
    state = replay_journal(*bytes);
    journal.records_ = static_cast<std::size_t>(state.records);
    journal.starts_torn_ = !bytes->empty() && bytes->back() != '\n';
    return journal;
}

bool Journal::append(const std::string& line) {
    struct stat before {};
    const std::string bytes = starts_torn_ ? "\n" + line : line;
    if (::fstat(fd_.get(), &before) != 0) {
        return false;
    }
    if (!base::write_all(fd_.get(), bytes)) {
        // A full disk may have taken a part of the line. Remove that part; if that fails, the next
        // record begins on a line of its own.
        starts_torn_ = ::ftruncate(fd_.get(), before.st_size) != 0 || starts_torn_;
        return false;
    }
    starts_torn_ = false;
    needs_sync_ = true;
    ++records_;
    return true;
}

bool Journal::put(const Ban& ban) { return append(line_of({{"ban", to_json(ban)}})); }
bool Journal::put(const Offender& offender) {
    return append(line_of({{"offender", to_json(offender)}}));
}
bool Journal::put_undone(const BanKey& key) { return append(line_of({{"undone", to_json(key)}})); }

void Journal::sync() {
    if (needs_sync_) {
        ::fdatasync(fd_.get());
        needs_sync_ = false;
    }
}

bool Journal::wants_compaction(std::size_t live_records) const {
    return records_ > 2 * live_records + kSlackRecords;
}

base::Result<void> Journal::compact(const JournalState& state) {
    std::string content;
    for (const auto& [key, ban] : state.bans) {
        content += line_of({{"ban", to_json(ban)}});
    }
    for (const auto& [key, offender] : state.offenders) {
        content += line_of({{"offender", to_json(offender)}});
    }
    if (auto written = base::write_file_atomically(path_, content, 0600); !written) {
        return written;
    }
    auto fd = open_for_append(path_);
    if (!fd) {
        // The old descriptor leads to a file without a name. execd stops, since it would lose bans.
        return file_error("unwritable-file", "cannot reopen the journal of bans", path_);
    }
    fd_ = std::move(fd);
    records_ = state.bans.size() + state.offenders.size();
    needs_sync_ = false;
    starts_torn_ = false;
    return {};
}

}  // namespace portcullis::execd
