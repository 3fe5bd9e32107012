#include "sensor/capture/frame_source.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio_ext.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

namespace portcullis::sensor_capture {
namespace {

// Two frames of kLongSnapshot to a page: 4096 frames, 80 ms of a scan at 50 000 packets per second.
constexpr int kBufferBytes = 8 * 1024 * 1024;

base::Diagnostic diagnostic_of(std::string code, std::string message, const std::string& source) {
    return base::make_error(std::move(code), std::move(message), {source});
}

struct PcapCloser {
    void operator()(pcap_t* pcap) const { pcap_close(pcap); }
};
using Pcap = std::unique_ptr<pcap_t, PcapCloser>;

struct LinkRow {
    int dlt;
    LinkType link;
};
constexpr LinkRow kLinks[] = {
    {DLT_EN10MB, LinkType::Ethernet},
    {DLT_RAW, LinkType::RawIp},
    {DLT_IPV4, LinkType::RawIp},
    {DLT_IPV6, LinkType::RawIp},
    {DLT_LINUX_SLL, LinkType::LinuxCooked},
    {DLT_LINUX_SLL2, LinkType::LinuxCooked2},
    {DLT_NULL, LinkType::Null},
    {DLT_LOOP, LinkType::Loop},
    {DLT_PPP, LinkType::Ppp},
    {DLT_PPP_SERIAL, LinkType::Ppp},
    {DLT_PPP_ETHER, LinkType::PppoeSession},
    {DLT_C_HDLC, LinkType::CiscoHdlc},
};

base::Result<LinkType> link_of(pcap_t* pcap, const std::string& source) {
    const int dlt = pcap_datalink(pcap);
    for (const LinkRow& row : kLinks) {
        if (row.dlt == dlt) {
            return row.link;
        }
    }
    const char* name = pcap_datalink_val_to_name(dlt);
    return base::fail(diagnostic_of(
        "unknown-link-type",
        fmt::format("frames of type {} are not understood", name != nullptr ? name : "unknown"),
        source));
}

base::Timestamp time_of(const pcap_pkthdr& header) {
    // With nanosecond precision tv_usec holds nanoseconds. A file may hold any time. Detectors know
    // no time after 2096, and the time that follows the last frame must be before that.
    constexpr std::int64_t kLatest = 3'999'000'000;
    // Seconds are unsigned in pcap files; libpcap takes those after 2038 for negative ones.
    const std::int64_t said = header.ts.tv_sec;
    const auto seconds =
        std::min<std::int64_t>(said < 0 ? static_cast<std::uint32_t>(said) : said, kLatest);
    const auto nanoseconds = std::clamp<std::int64_t>(header.ts.tv_usec, 0, 999'999'999);
    return base::Timestamp(std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanoseconds));
}

class PcapSource final : public FrameSource {
  public:
    // `interface_index`: 0 for files.
    PcapSource(Pcap pcap, std::string name, LinkType link, int fd, std::uint32_t interface_index,
               std::vector<char> file_buffer = {})
        : file_buffer_(std::move(file_buffer)),
          pcap_(std::move(pcap)),
          name_(std::move(name)),
          link_(link),
          fd_(fd),
          interface_index_(interface_index) {}

    base::Result<int> read(int limit, FrameSink& sink) override {
        Delivery delivery{&sink, link_, interface_index_};
        const int count =
            pcap_dispatch(pcap_.get(), limit, deliver, reinterpret_cast<unsigned char*>(&delivery));
        if (count < 0) {
            return base::fail(diagnostic_of("capture-failed", pcap_geterr(pcap_.get()), name_));
        }
        return count;
    }

    int fd() const override { return fd_; }

    bool set_filter(const FilterSettings& settings) override {
        if (fd_ < 0) {
            return true;
        }
        // Not by pcap_setfilter(): it also applies a new filter to the waiting frames, in user
        // space. There it takes every frame for an inbound one and ignores the snapshot length of
        // the filter.
        std::vector<sock_filter> program = kernel_filter(link_, settings);
        const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
        return ::setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
    }

    CaptureCounters counters() override {
        pcap_stat stat{};
        if (fd_ < 0 || pcap_stats(pcap_.get(), &stat) != 0) {
            return {};
        }
        return {stat.ps_recv, stat.ps_drop, stat.ps_ifdrop};
    }

  private:
    struct Delivery {
        FrameSink* sink;
        LinkType link;
        std::uint32_t interface_index;
    };

    // NOLINTNEXTLINE(readability-non-const-parameter): the signature is libpcap's
    static void deliver(unsigned char* user, const pcap_pkthdr* header,
                        const unsigned char* bytes) {
        const auto* delivery = reinterpret_cast<const Delivery*>(user);
        delivery->sink->on_frame({time_of(*header), std::span(bytes, header->caplen),
                                  delivery->link, delivery->interface_index});
    }

    std::vector<char> file_buffer_;  // of the file behind pcap_
    Pcap pcap_;
    std::string name_;
    LinkType link_;
    int fd_;
    std::uint32_t interface_index_;
};

// libpcap reads each packet with two calls of fread(3). With the 4 KB buffer of stdio and a lock in
// each call they would cost as much as the rest of the work on the packet. `buffer` must outlive
// the result.
pcap_t* open_with_large_buffer(const std::string& path, std::vector<char>& buffer,
                               std::array<char, PCAP_ERRBUF_SIZE>& error) {
    constexpr std::size_t kFileBuffer = 256 * 1024;
    if (path == "-") {
        return pcap_fopen_offline_with_tstamp_precision(stdin, PCAP_TSTAMP_PRECISION_NANO,
                                                        error.data());
    }
    std::FILE* file = std::fopen(path.c_str(), "rbe");
    if (file == nullptr) {
        fmt::format_to_n(error.data(), error.size() - 1, "{}", base::error_text(errno));
        return nullptr;
    }
    buffer.resize(kFileBuffer);
    std::setvbuf(file, buffer.data(), _IOFBF, buffer.size());
    __fsetlocking(file, FSETLOCKING_BYCALLER);
    pcap_t* pcap =
        pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, error.data());
    if (pcap == nullptr) {
        std::fclose(file);  // libpcap closes it only if it took it
    }
    return pcap;
}

}  // namespace

base::Result<std::unique_ptr<FrameSource>> open_capture_file(const std::string& path) {
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    std::vector<char> buffer;
    Pcap pcap(open_with_large_buffer(path, buffer, error));
    if (!pcap) {
        std::string_view reason = error.data();  // it begins with the path, now and then
        if (reason.starts_with(path + ": ")) {
            reason.remove_prefix(path.size() + 2);
        }
        return base::fail(diagnostic_of("unreadable-capture",
                                        fmt::format("cannot read the capture: {}", reason), path));
    }
    const auto link = link_of(pcap.get(), path);
    if (!link) {
        return base::fail(link.error());
    }
    return std::make_unique<PcapSource>(std::move(pcap), path, *link, -1, 0, std::move(buffer));
}

base::Result<std::unique_ptr<FrameSource>> open_interface(const std::string& name,
                                                          bool promiscuous) {
    const auto unusable = [&](std::string_view why) {
        return base::fail(diagnostic_of("unusable-interface",
                                        fmt::format("cannot listen on {}: {}", name, why), name));
    };
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    Pcap pcap(pcap_create(name.c_str(), error.data()));
    if (!pcap) {
        return unusable(error.data());
    }
    pcap_set_snaplen(pcap.get(), static_cast<int>(kLongSnapshot));
    pcap_set_promisc(pcap.get(), promiscuous ? 1 : 0);
    // Each frame is delivered as it arrives. Even a block timer of 4 ms would let a fast scanner
    // learn dozens of ports more.
    pcap_set_immediate_mode(pcap.get(), 1);
    pcap_set_buffer_size(pcap.get(), kBufferBytes);
    pcap_set_tstamp_precision(pcap.get(), PCAP_TSTAMP_PRECISION_NANO);
    if (pcap_activate(pcap.get()) < 0) {
        return unusable(pcap_geterr(pcap.get()));
    }
    const auto link = link_of(pcap.get(), name);
    if (!link) {
        return base::fail(link.error());
    }
    if (pcap_setnonblock(pcap.get(), 1, error.data()) != 0) {
        return unusable(error.data());
    }
    const int fd = pcap_get_selectable_fd(pcap.get());
    if (fd < 0) {
        return unusable("it cannot be waited for");
    }
    auto source = std::make_unique<PcapSource>(std::move(pcap), name, *link, fd,
                                               ::if_nametoindex(name.c_str()));
    if (!source->set_filter({})) {
        return unusable("the kernel refuses the filter");
    }
    return source;
}

}  // namespace portcullis::sensor_capture
