// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/command_line.hpp>

#include <stile/relay/admin_commands.hpp>

#include <CLI/CLI.hpp>

namespace stile::relay {

RelayCommands::RelayCommands(CLI::App& program, CLI::App& relay, ImportTarget target)
    : status_(relay.add_subcommand("status", "figures of the running server")),
      sessions_(relay.add_subcommand("sessions", "who relays now")),
      trace_(relay.add_subcommand("trace", "what a session does, until it ends")),
      drain_(relay.add_subcommand("drain", "no new sessions; those there are may end")),
      reload_(program.add_subcommand("reload", "take over configuration, certificates, secrets")),
      import_(program.add_subcommand("import", "take over the settings and users of a coturn")),
      import_options_{.target = target} {
    status_->add_flag("--json", json_, "as JSON");
    sessions_->add_flag("--json", json_, "as JSON");
    trace_->add_option("session", session_)->required();
    trace_->add_flag("--once", once_, "show what it is and stop");
    drain_->add_option("--deadline", deadline_, "in seconds (default: the configuration's)");
    import_->add_option("file", import_options_.file, "its configuration");
    import_->add_option("-o,--output", import_options_.output,
                        "where to (default: standard output)");
    import_->add_option("--userdb", import_options_.userdb, "its SQLite database of users");
    for (auto* const command : {status_, sessions_, trace_, drain_, reload_, import_}) {
        command->fallthrough();
    }
}

std::optional<int> RelayCommands::import_if_asked() const {
    if (!import_->parsed()) return std::nullopt;
    return run_import(import_options_);
}

std::optional<int> RelayCommands::ask_if_asked(const std::string& socket) const {
    const auto output = json_ ? Output::Json : Output::Table;
    if (status_->parsed()) return show_status(socket, output);
    if (sessions_->parsed()) return show_sessions(socket, output);
    if (trace_->parsed()) {
        return trace_session(socket, session_, once_ ? Follow::No : Follow::Yes);
    }
    if (drain_->parsed()) return relay::drain(socket, deadline_);
    if (reload_->parsed()) return relay::reload(socket);
    return std::nullopt;
}

}  // namespace stile::relay
