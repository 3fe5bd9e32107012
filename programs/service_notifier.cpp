#include "programs/service_notifier.hpp"

#include <systemd/sd-daemon.h>

#include <cinttypes>
#include <ctime>

namespace portcullis::programs {

void notify_ready() { ::sd_notify(0, "READY=1"); }

void notify_reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto microseconds = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000U +
                              static_cast<std::uint64_t>(now.tv_nsec) / 1000U;
    // Type=notify-reload needs the time to distinguish this reload from an earlier one.
    ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, microseconds);
}

void notify_stopping() { ::sd_notify(0, "STOPPING=1"); }

}  // namespace portcullis::programs
