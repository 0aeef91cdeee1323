// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/loop.hpp>

#include <sys/types.h>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace stile::turnd {

// The successor's side: the socket to the process that it continues, where there is one.
std::optional<drivers::FileDescriptor> predecessor();
// Says that this process is able to continue: its configuration is good. False: nobody is there.
bool say_ready(const drivers::FileDescriptor& predecessor);
// Says that all of the handover is in place, and waits until the old process has let go of it.
// False: it goes on itself. Where it has died meanwhile there is nobody else to serve.
bool may_serve(const drivers::FileDescriptor& predecessor);

// The old process's side: starts the installed program with this one's arguments and waits until it
// is ready to take over, or has failed.
class Successor {
public:
    using OnReady = std::function<void()>;
    using OnFailed = std::function<void(std::string why)>;

    static std::expected<std::unique_ptr<Successor>, std::string> start(drivers::Loop& loop,
                                                                        OnReady on_ready,
                                                                        OnFailed on_failed);
    ~Successor();

    pid_t pid() const { return pid_; }
    int socket() const { return socket_.get(); }
    // After the handover was sent: blocks until all of it is in place there, for a while. False: it
    // ended instead, or hangs.
    bool wait_until_in_place() const;
    // The sockets are its own now.
    void let_serve() const;
    // Ends it, where it has not ended, and waits for that.
    void end();

private:
    Successor() = default;
    void handle_readable();

    drivers::FileDescriptor socket_;
    pid_t pid_ = -1;
    OnReady on_ready_;
    OnFailed on_failed_;
    std::unique_ptr<drivers::Watch> watch_;
    std::unique_ptr<drivers::Timer> deadline_;
};

// Tells the service manager, where there is one: "READY=1", "MAINPID=42". See sd_notify(3).
void notify_manager(std::string_view state);

}  // namespace stile::turnd
