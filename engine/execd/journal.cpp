#include "engine/execd/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

namespace portcullis::execd {
namespace {

using nlohmann::json;

constexpr std::size_t kChecksumDigits = 8;
constexpr std::size_t kSlackRecords = 4096;  // history that is not worth a compaction

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
    return object;
}

json to_json(const Offender& offender) {
    json object = to_json(offender.key);
    object["offences"] = offender.offences;
    object["last"] = unix_nanoseconds(offender.last);
    return object;
}

// Typed reading that fails as a whole: a record with one wrong member is damaged.
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
    BanKey key() { return {text("executable"), text("address"), text("user")}; }
    bool ok() const { return ok_; }

  private:
    const json& object_;
    bool ok_ = true;
};

bool read_ban(const json& object, JournalState& state) {
    Members in(object);
    Ban ban;
    ban.key = in.key();
    ban.command = in.text("command");
    ban.is_persistent = in.boolean("persistent");
    ban.is_dry = in.boolean("dry");
    ban.alert_id = in.text("alert_id");
    ban.rule_id = static_cast<int>(in.number("rule_id"));
    ban.location = in.text("location");
    ban.filename = in.text("filename");
    ban.timeout = std::chrono::seconds(in.number("timeout"));
    ban.since = timestamp(in.number("since"));
    ban.until = timestamp(in.number("until"));
    if (in.ok()) {
        state.bans[ban.key] = ban;
    }
    return in.ok();
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
    offender.offences = static_cast<int>(in.number("offences"));
    offender.last = timestamp(in.number("last"));
    if (in.ok() && offender.offences >= 0) {
        state.offenders[offender.key] = offender;
    }
    return in.ok() && offender.offences >= 0;
}

// Every kind of record, by its only member.
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
    base::Diagnostic diagnostic;
    diagnostic.code = code;
    diagnostic.message = fmt::format("{}: {}", what, std::generic_category().message(errno));
    diagnostic.place.file = path;
    return base::fail(std::move(diagnostic));
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
        // A full disk may have taken half of the line: take it back, or else begin the next record
        // on a line of its own.
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
bool Journal::undone(const BanKey& key) { return append(line_of({{"undone", to_json(key)}})); }

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
        // The old descriptor leads to a file without a name: better to stop than to lose bans.
        return file_error("unwritable-file", "cannot reopen the journal of bans", path_);
    }
    fd_ = std::move(fd);
    records_ = state.bans.size() + state.offenders.size();
    needs_sync_ = false;
    starts_torn_ = false;
    return {};
}

}  // namespace portcullis::execd
