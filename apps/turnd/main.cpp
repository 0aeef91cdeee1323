// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "turnd.hpp"

#include <stile/app/usage.hpp>
#include <stile/relay/admin_commands.hpp>
#include <stile/relay/command_line.hpp>

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
        add("restart", "start the installed program and hand all clients over to it");
    }

    int run(int count, char** words) {
        try {
            program_.parse(count, words);
        } catch (const CLI::ParseError& error) {
            if (error.get_exit_code() == 0) return program_.exit(error);
            return app::fail(app::usage_problem(
                "stile-turnd", error.what(), {words, static_cast<std::size_t>(count)}, commands));
        }
        if (const auto code = relay_commands_.import_if_asked()) return *code;
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
        const std::string socket =
            config ? turnd::socket_of(config->file) : turnd::socket_of_broken(file_);
        if (const auto code = relay_commands_.ask_if_asked(socket)) return *code;
        return relay::restart(socket);
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

    CLI::App program_{"STUN and TURN server: relays for those who cannot reach each other."};
    const relay::RelayCommands relay_commands_{program_, program_, relay::ImportTarget::Turnd};
    std::string file_;
    turnd::CredentialOptions credential_;
    bool json_ = false;
    bool rotate_ = false;
};

}  // namespace

int main(int count, char** words) { return CommandLine{}.run(count, words); }
