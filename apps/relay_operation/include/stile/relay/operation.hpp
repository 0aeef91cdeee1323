// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/relay/handover.hpp>
#include <stile/relay/relay.hpp>
#include <stile/relay/settings_file.hpp>
#include <stile/relay/state_folder.hpp>

#include <expected>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace stile::relay {

// A configuration that was read and filled in.
struct Prepared {
    SettingsFile file;
    Settings settings;
};

// What an operation asks of its program.
struct OperationHooks {
    // Reads the configuration again. The error is for a person: file, line, reason.
    std::function<std::expected<Prepared, std::string>()> load;
    // No session is left after drain(), or its deadline has passed.
    std::function<void()> on_drained;
    // Commands of the admin socket that this knows nothing of; absent: none.
    std::function<std::optional<nlohmann::json>(const nlohmann::json& request)> on_command;
    // How an operator restarts the program and keeps the sessions, "'stile-turnd restart'"; empty:
    // it cannot.
    std::string graceful_restart;
    // One line for the log.
    std::function<void(std::string_view)> log;
};

struct OperationStart {
    Prepared prepared;
    std::string version;
    Relay::OnHttps on_https;
    std::optional<Handover> handover;  // of the process that this one continues
    // Asked when all is in place and before anything of the handover is touched: whether the other
    // process has left it. False: the start fails.
    std::function<bool()> may_serve;
};

// A running relay with what its operator needs: reload, drain, the admin socket, metrics, usage
// records, and an eye on the files of certificates and secrets. Lives on the program's loop.
class Operation {
public:
    static std::expected<std::unique_ptr<Operation>, app::Problem> start(drivers::Loop& loop,
                                                                         const StateFolder& state,
                                                                         OperationStart start,
                                                                         OperationHooks hooks);
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    ~Operation();

    Relay& relay();
    // All or nothing; no session ends by it.
    std::expected<void, std::string> reload();
    // Absent: the deadline of the configuration.
    void drain(std::optional<std::chrono::seconds> deadline = std::nullopt);
    // Gives up the metrics address and the admin socket, for a successor; and takes them again
    // where there is none.
    void give_up_addresses();
    void take_addresses();
    // What is left of usage is written.
    void flush();

    struct Impl;

private:
    explicit Operation(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace stile::relay
