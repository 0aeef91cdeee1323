// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "daemon.hpp"

#include <stile/app/suggestion.hpp>
#include <stile/relay/admin_commands.hpp>
#include <stile/relay/import_command.hpp>

#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace {

using namespace stile;

constexpr std::string_view default_config_file = "/etc/stiled/stiled.toml";
constexpr std::array<std::string_view, 13> commands{
    "run",  "check",  "user",   "add",      "link",  "list",  "rm",
    "turn", "reload", "status", "sessions", "trace", "import"};

constexpr const char* examples = R"(Examples:
  stiled                       serves; nothing need be configured
  stiled user add alice        makes an account and prints its login link
  stiled check                 validates /etc/stiled/stiled.toml
)";

int explain(const CLI::ParseError& error, int count, char** words) {
    std::string fix = "see 'stiled --help'";
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

// The commands about the relay.
class RelayCommands {
public:
    explicit RelayCommands(CLI::App& program) {
        auto* const turn = program.add_subcommand("turn", "the relay of the running server");
        turn->require_subcommand(1);
        turn->fallthrough();
        status_ = turn->add_subcommand("status", "its figures");
        status_->add_flag("--json", json_, "as JSON");
        sessions_ = turn->add_subcommand("sessions", "who relays now");
        sessions_->add_flag("--json", json_, "as JSON");
        trace_ = turn->add_subcommand("trace", "what a session does, until it ends");
        trace_->add_option("session", session_)->required();
        trace_->add_flag("--once", once_, "show what it is and stop");
        reload_ = program.add_subcommand("reload",
                                         "take over [turn], certificates, secrets and accounts");
        import_ = program.add_subcommand("import", "take over the settings and users of a coturn");
        import_->add_option("file", options_.file, "its configuration");
        import_->add_option("-o,--output", options_.output, "where to (default: standard output)");
        import_->add_option("--userdb", options_.userdb, "its SQLite database of users");
        for (auto* const command : {status_, sessions_, trace_, reload_, import_}) {
            command->fallthrough();
        }
    }

    // The exit code, where one of these commands was given.
    std::optional<int> import_if_asked() const {
        if (!import_->parsed()) return std::nullopt;
        return relay::run_import(options_);
    }
    std::optional<int> ask_if_asked(const std::string& socket) const {
        const auto output = json_ ? relay::Output::Json : relay::Output::Table;
        const auto follow = once_ ? relay::Follow::No : relay::Follow::Yes;
        if (status_->parsed()) return relay::show_status(socket, output);
        if (sessions_->parsed()) return relay::show_sessions(socket, output);
        if (trace_->parsed()) return relay::trace_session(socket, session_, follow);
        if (reload_->parsed()) return relay::reload(socket);
        return std::nullopt;
    }

private:
    CLI::App* status_ = nullptr;
    CLI::App* sessions_ = nullptr;
    CLI::App* trace_ = nullptr;
    CLI::App* reload_ = nullptr;
    CLI::App* import_ = nullptr;
    relay::ImportOptions options_{.target = relay::ImportTarget::Stiled};
    bool json_ = false;
    bool once_ = false;
    std::string session_;
};

}  // namespace

std::expected<stiled::Config, std::string> stile::stiled::load_config(const std::string& named) {
    const std::string name = named.empty() ? std::string{default_config_file} : named;
    if (named.empty() && ::access(name.c_str(), F_OK) != 0) {
        return *stiled::parse_config("", "defaults");
    }
    std::ifstream file{name, std::ios::binary};
    if (!file) {
        return std::unexpected(
            app::to_text({app::ExitCode::BadConfiguration, "The configuration cannot be read",
                          std::strerror(errno), name, "name another file with --config"}));
    }
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    auto config = stiled::parse_config(text, name);
    if (!config) return std::unexpected(config.error().text);
    return *std::move(config);
}

int main(int count, char** words) {
    CLI::App program{"SIP registrar and proxy, STUN and TURN for a domain, in one process."};
    program.set_version_flag("-V,--version", std::string{"stiled 0.1.0"});
    program.footer(examples);
    std::string file;
    program.add_option(
        "-c,--config", file,
        fmt::format("configuration file (default {}, if there)", default_config_file));
    program.fallthrough();

    program.add_subcommand("run", "serve in the foreground (what happens without a command, too)");
    auto* const check = program.add_subcommand("check", "validate the configuration");
    check->add_option("file", file);

    stiled::AccountOptions options;
    bool compatible = false;
    bool link_only = false;
    auto* const user = program.add_subcommand("user", "accounts");
    user->require_subcommand(1);
    user->fallthrough();
    auto* const add = user->add_subcommand("add", "make an account and print its login link");
    add->add_option("name", options.user)->required();
    auto* const for_phones = add->add_flag(
        "--compatible", compatible, "for stock phones too: one MD5 challenge; prints a password");
    add->add_flag("--link-only", link_only, "print nothing but the link")->excludes(for_phones);
    auto* const link = user->add_subcommand("link", "print a new login link");
    link->add_option("name", options.user)->required();
    link->add_flag("--link-only", link_only, "print nothing but the link");
    auto* const list = user->add_subcommand("list", "all accounts of the domain");
    auto* const remove = user->add_subcommand("rm", "remove an account");
    remove->add_option("name", options.user)->required();
    for (auto* const command : {add, link, list, remove}) command->fallthrough();

    RelayCommands relay_commands{program};

    try {
        program.parse(count, words);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return program.exit(error);
        return explain(error, count, words);
    }
    if (const auto code = relay_commands.import_if_asked()) return *code;
    const auto config = stiled::load_config(file);
    if (!config) {
        fmt::print(stderr, "{}", config.error());
        return static_cast<int>(app::ExitCode::BadConfiguration);
    }
    if (check->parsed()) {
        fmt::print("The configuration is good: {}\n", file.empty() ? default_config_file : file);
        return 0;
    }
    if (compatible) options.kind = stiled::AccountOptions::Kind::Compatible;
    if (link_only) options.output = stiled::AccountOptions::Output::LinkOnly;
    if (add->parsed()) return stiled::add_user(*config, options);
    if (link->parsed()) return stiled::new_link(*config, options);
    if (list->parsed()) return stiled::list_users(*config);
    if (remove->parsed()) return stiled::remove_user(*config, options.user);
    if (const auto code = relay_commands.ask_if_asked(stiled::admin_socket(*config))) return *code;
    return stiled::run(*config, file);
}
