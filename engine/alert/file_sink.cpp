#include "engine/alert/file_sink.hpp"

namespace portcullis::alert {
namespace {

DatedFile dated_file(const FileNames& names, const std::string& logs_folder) {
    const std::size_t slash = names.current.find('/');
    return {logs_folder + "/" + std::string(names.current.substr(0, slash)),
            std::string(names.prefix), std::string(names.extension),
            std::string(names.current.substr(slash + 1))};
}

}  // namespace

FileSink::FileSink(const FileNames& names, Format format, const SinkContext& context)
    : file_(dated_file(names, context.logs_folder)),
      format_(format),
      options_(context.options),
      log_(context.log),
      clock_(context.clock) {
    report(file_.open(clock_.now()));
}

void FileSink::write(const StreamItem& item) {
    report(file_.append(format_(item, options_), item.time()));
}

void FileSink::retry() {
    if (file_.has_held_back()) {
        report(file_.retry(clock_.now()));
    }
}

void FileSink::report(const base::Result<void>& result) {
    if (!result && !is_failing_) {
        log_.error(result.error().place.file + ": " + result.error().message +
                   "; records are held back until it works again");
        lost_before_ = file_.lost_records();
    } else if (result && is_failing_) {
        const std::uint64_t lost = file_.lost_records() - lost_before_;
        log_.warning(file_.current_path() + ": can be written again, " +
                     (lost == 0 ? std::string("nothing was lost")
                                : std::to_string(lost) + " records were lost"));
    }
    is_failing_ = !result;
}

}  // namespace portcullis::alert
