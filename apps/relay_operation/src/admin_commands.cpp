// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/admin_commands.hpp>

#include <stile/app/json_field.hpp>
#include <stile/app/problem.hpp>
#include <stile/base/time.hpp>
#include <stile/relay/admin.hpp>
#include <stile/relay/report.hpp>
#include <stile/relay/trace.hpp>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

namespace stile::relay {
namespace {

using nlohmann::json;

WallTime wall_now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

}  // namespace

int show_status(const std::string& socket, Output output) {
    const auto answer = ask_admin(socket, {{"command", "status"}});
    if (!answer) return app::fail(answer.error());
    if (output == Output::Json) {
        fmt::print("{}\n", answer->dump(2));
        return 0;
    }
    for (const auto& [name, value] : answer->items()) {
        fmt::print("{:<20} {}\n", name,
                   value.is_string() ? value.get<std::string>() : value.dump());
    }
    return 0;
}

int show_sessions(const std::string& socket, Output output) {
    const auto answer = ask_admin(socket, {{"command", "sessions"}});
    if (!answer) return app::fail(answer.error());
    const json sessions = answer->value("sessions", json::array());
    if (output == Output::Json) {
        fmt::print("{}\n", sessions.dump(2));
    } else {
        fmt::print("{}", sessions_table(sessions));
    }
    return 0;
}

int trace_session(const std::string& socket, const std::string& session, Follow follow) {
    json before;
    if (follow == Follow::Yes) {
        fmt::print(stderr,
                   "Looks once a second: of what comes and goes in between only the packets are "
                   "counted. Ctrl-C ends it.\n");
    }
    for (;;) {
        const auto answer = ask_admin(socket, {{"command", "session"}, {"session", session}});
        if (!answer) {
            if (before.is_null()) return app::fail(answer.error());
            fmt::print("{:%H:%M:%S} the session has ended\n", wall_now());
            return 0;
        }
        const json after = answer->value("session", json::object());
        for (const std::string& line : trace_lines(before, after)) {
            fmt::print("{:%H:%M:%S} {}\n", wall_now(), line);
        }
        std::fflush(stdout);
        if (follow == Follow::No) return 0;
        before = after;
        std::this_thread::sleep_for(std::chrono::seconds{1});
    }
}

int drain(const std::string& socket, std::optional<std::uint64_t> deadline_seconds) {
    json request{{"command", "drain"}};
    if (deadline_seconds) request["deadline"] = *deadline_seconds;
    const auto answer = ask_admin(socket, request);
    if (!answer) return app::fail(answer.error());
    fmt::print("Draining: {} allocations left. {}\n",
               app::number_of(*answer, "allocations", UINT64_MAX).value_or(0),
               answer->value("ends", json{}) == true
                   ? "The server ends with the last one."
                   : "The server goes on for everything else; 'turn status' shows how many stay.");
    return 0;
}

int reload(const std::string& socket) {
    auto answer = ask_admin(socket, {{"command", "reload"}});
    if (!answer) return app::fail(answer.error());
    fmt::print("Reloaded\n");
    return 0;
}

int restart(const std::string& socket) {
    const auto answer = ask_admin(socket, {{"command", "restart"}});
    if (!answer) return app::fail(answer.error());
    fmt::print("Restarted: process {} serves\n",
               app::number_of(*answer, "pid", UINT32_MAX).value_or(0));
    return 0;
}

}  // namespace stile::relay
