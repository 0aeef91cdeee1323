// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>
#include <stile/drivers/loop.hpp>

#include <expected>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace stile::relay {

// Where the operator's commands reach a running relay: a Unix socket (mode 0600) in its state
// folder. A request is one line of JSON, {"command": "sessions"}; its answer is one line, with
// "error" (and perhaps "fix") where it was refused.
class AdminServer {
public:
    using Handler = std::function<nlohmann::json(const nlohmann::json& request)>;

    // Replaces a socket that lies there already: its process is gone, or hands over to this one.
    static std::expected<std::unique_ptr<AdminServer>, app::Problem> open(drivers::Loop& loop,
                                                                          const std::string& path,
                                                                          Handler handler);
    AdminServer(const AdminServer&) = delete;
    AdminServer& operator=(const AdminServer&) = delete;
    // The file stays where another process has put its own there.
    ~AdminServer();

    // Sends no more answers, takes no more requests; the path is another process's.
    void give_up();

    struct Impl;

private:
    explicit AdminServer(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

// Asks the relay behind the socket. Blocks. A refusal is a problem, too.
std::expected<nlohmann::json, app::Problem> ask_admin(const std::string& path,
                                                      const nlohmann::json& request);

}  // namespace stile::relay
