// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/relay/import_command.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace stile::relay {

// What a program's command line says about its running relay: status, sessions, trace, drain,
// reload and import.
class RelayCommands {
public:
    // The last two belong to `program`, the others to `relay`, which may be the same. Both outlive
    // this, and this outlives their parsing.
    RelayCommands(CLI::App& program, CLI::App& relay, ImportTarget target);
    RelayCommands(const RelayCommands&) = delete;
    RelayCommands& operator=(const RelayCommands&) = delete;

    // After parsing: the exit code where import was asked for, which needs no configuration.
    std::optional<int> import_if_asked() const;
    // After parsing: asks the running server; the exit code, where one of the commands was given.
    std::optional<int> ask_if_asked(const std::string& socket) const;

private:
    CLI::App* status_;
    CLI::App* sessions_;
    CLI::App* trace_;
    CLI::App* drain_;
    CLI::App* reload_;
    CLI::App* import_;
    ImportOptions import_options_;
    bool json_ = false;
    bool once_ = false;
    std::string session_;
    std::optional<std::uint64_t> deadline_;
};

}  // namespace stile::relay
