// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "turnd.hpp"

#include <stile/app/suggestion.hpp>
#include <stile/relay/admin_commands.hpp>
#include <stile/relay/import_command.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

namespace {

using namespace stile;

constexpr std::array<std::string_view, 11> commands{"serve",  "check",    "secret", "credential",
                                                    "status", "sessions", "trace",  "drain",
                                                    "reload", "restart",  "import"};

constexpr const char* examples = R"(Examples:
  stile-turnd                          serves; nothing need be configured
  stile-turnd credential alice         a name and password for alice, good for a day
  stile-turnd check                    is the configuration good, and this machine ready?
  stile-turnd import turnserver.conf   takes over a coturn installation
)";

int explain(const CLI::ParseError& error, int count, char** words) {
    std::string fix = "see 'stile-turnd --help'";
    for (int i = 1; i < count; ++i) {
        const std::string_view word = words[i];
        if (word.starts_with('-') || std::ranges::find(commands, word) != commands.end()) continue;
        if (const auto guess = app::suggest(word, commands)) {
            fix = fmt::format("did you mean '{}'?", *guess);
        }
        break;
    }
    return app::fail(
        {app::ExitCode::Usage, "This command is not understood", error.what(), "", fix});
}

// The command line, and what to do about it.
class CommandLine {
public:
    CommandLine() {
        program_.set_version_flag("-V,--version", fmt::format("stile-turnd {}", turnd::version));
        program_.footer(examples);
        program_.add_option(
            "-c,--config", file_,
            fmt::format("configuration file (default {}, if there)", turnd::default_config_file));
        program_.fallthrough();
        add("serve", "serve in the foreground (what happens without a command, too)");
        add("check", "validate the configuration and look at this machine")
            ->add_option("file", file_);
        add("secret", "the secret that this server made, for programs that hand out credentials")
            ->add_flag("--rotate", rotate_, "make a new one first; the old one stays good beside");
        auto* const credential = add("credential", "make a name and password that expire");
        credential->add_option("user", credential_.user)->required();
        credential->add_option("--lifetime", credential_.lifetime_seconds, "in seconds");
        credential->add_option("--realm", credential_.realm, "of another tenant");
        credential->add_flag("--json", json_, "as the REST API of browsers' applications has it");
        add("status", "figures of the running server")->add_flag("--json", json_, "as JSON");
        add("sessions", "who relays now")->add_flag("--json", json_, "as JSON");
        auto* const trace = add("trace", "what a session does, until it ends");
        trace->add_option("session", session_)->required();
        trace->add_flag("--once", once_, "show what it is and stop");
        add("drain", "no new sessions; the server ends with the last one, or at the deadline")
            ->add_option("--deadline", deadline_, "in seconds (default: the configuration's)");
        add("reload", "take over the configuration, certificates and secrets");
        add("restart", "start the installed program and hand all clients over to it");
        auto* const import = add("import", "take over the settings and users of a coturn");
        import->add_option("file", import_.file, "its configuration");
        import->add_option("-o,--output", import_.output, "where to (default: standard output)");
        import->add_option("--userdb", import_.userdb, "its SQLite database of users");
    }

    int run(int count, char** words) {
        try {
            program_.parse(count, words);
        } catch (const CLI::ParseError& error) {
            if (error.get_exit_code() == 0) return program_.exit(error);
            return explain(error, count, words);
        }
        if (chosen("import")) return relay::run_import(import_);
        if (chosen("check")) return turnd::check(file_);
        if (chosen("serve") || program_.get_subcommands().empty()) return turnd::serve(file_);
        const auto config = turnd::load_config(file_);
        const bool makes_secrets = chosen("secret") || chosen("credential");
        if (!config && makes_secrets) {
            fmt::print(stderr, "{}", config.error());
            return static_cast<int>(app::ExitCode::BadConfiguration);
        }
        if (makes_secrets) return act(*config);
        // The running server has a good configuration, whatever the file says by now.
        return command(config ? turnd::socket_of(config->file) : turnd::socket_of_broken(file_));
    }

private:
    CLI::App* add(const char* name, const char* what) {
        auto* const command = program_.add_subcommand(name, what);
        command->fallthrough();
        return command;
    }
    bool chosen(const char* name) const { return program_.got_subcommand(name); }

    int act(const turnd::Config& config) {
        if (chosen("secret")) {
            using Action = turnd::SecretOptions::Action;
            return turnd::show_secret(config, {rotate_ ? Action::Rotate : Action::Show});
        }
        if (json_) credential_.output = turnd::CredentialOptions::Output::Json;
        return turnd::make_credential(config, credential_);
    }

    int command(const std::string& socket) const {
        const auto output = json_ ? relay::Output::Json : relay::Output::Table;
        if (chosen("status")) return relay::show_status(socket, output);
        if (chosen("sessions")) return relay::show_sessions(socket, output);
        if (chosen("trace")) {
            return relay::trace_session(socket, session_,
                                        once_ ? relay::Follow::No : relay::Follow::Yes);
        }
        if (chosen("drain")) return relay::drain(socket, deadline_);
        if (chosen("reload")) return relay::reload(socket);
        return relay::restart(socket);
    }

    CLI::App program_{"STUN and TURN server: relays for those who cannot reach each other."};
    std::string file_;
    turnd::CredentialOptions credential_;
    relay::ImportOptions import_;
    std::string session_;
    std::optional<std::uint64_t> deadline_;
    bool json_ = false;
    bool rotate_ = false;
    bool once_ = false;
};

}  // namespace

int main(int count, char** words) { return CommandLine{}.run(count, words); }
