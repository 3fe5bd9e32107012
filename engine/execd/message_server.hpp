// MessageServer: execd's socket (docs/execd-protocol.md).
//
// SO_PEERCRED shows the uid of a client when it connects. The engine's uid may request responses,
// uid 0 everything, other users nothing. Nothing here waits for a client: if a reply does not fit
// into the socket buffer, the connection is closed. Single-threaded on the event loop.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/event_loop.hpp"
#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "engine/execd/executor.hpp"
#include "engine/execd/protection.hpp"
#include "engine/execd/records.hpp"

namespace portcullis::execd {

class MessageServer {
  public:
    static constexpr std::size_t kMaxClients = 32;
    // The others are kept for root, so that the engine's user cannot lock the administrator out.
    static constexpr std::size_t kMaxClientsOfOthers = 16;

    struct Parts {
        base::EventLoop& loop;
        const base::Clock& clock;
        base::Log& log;
        RecordSink& records;
        Executor& executor;
        Protection& protection;
        std::function<bool()> is_dry_run;
        // Called before messages are handled, to notice steps of the clock, and after that, to set
        // timers again.
        std::function<void()> before_handling;
        std::function<void()> on_handled;
    };

    // Listens on `path`, where it replaces an old socket. REQUIRES: the lock on the home's pid
    // file. Error "cannot-listen".
    static base::Result<std::unique_ptr<MessageServer>> listen(const std::string& path,
                                                               uid_t engine_uid, Parts parts);
    ~MessageServer();
    MessageServer(const MessageServer&) = delete;
    MessageServer& operator=(const MessageServer&) = delete;

  private:
    struct Client {
        base::UniqueFd fd;
        uid_t uid = 0;
        base::EventLoop::Source source = base::EventLoop::no_source();
    };

    MessageServer(Parts parts, uid_t engine_uid, std::string path, base::UniqueFd fd);
    void accept_clients();
    void read_messages(std::uint64_t id);
    void handle(std::uint64_t id, std::string_view packet);
    void reply(std::uint64_t id, const base::Reply& reply);
    void refuse(uid_t uid, std::string reason);
    base::Reply answer(const base::ProtectedRequest& request);

    Parts parts_;
    uid_t engine_uid_;
    std::string path_;
    base::UniqueFd fd_;
    base::EventLoop::Source source_ = base::EventLoop::no_source();
    std::map<std::uint64_t, Client> clients_;
    std::uint64_t last_id_ = 0;
    std::shared_ptr<const bool> life_ = std::make_shared<bool>(true);
    std::vector<ProtectedEntry> protected_;  // the list whose pages a client is reading
};

}  // namespace portcullis::execd
