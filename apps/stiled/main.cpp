// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "daemon.hpp"

#include <stile/app/usage.hpp>
#include <stile/relay/command_line.hpp>

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
constexpr std::array<std::string_view, 14> commands{
    "run",  "check",  "user",     "add",   "link",  "list",   "rm",
    "turn", "status", "sessions", "trace", "drain", "reload", "import"};

constexpr const char* examples = R"(Examples:
  stiled                       serves; nothing need be configured
  stiled user add alice        makes an account and prints its login link
  stiled check                 validates /etc/stiled/stiled.toml
)";

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

    auto* const turn = program.add_subcommand("turn", "the relay of the running server");
    turn->require_subcommand(1);
    turn->fallthrough();
    const relay::RelayCommands relay_commands{program, *turn, relay::ImportTarget::Stiled};

    try {
        program.parse(count, words);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return program.exit(error);
        return app::fail(app::usage_problem("stiled", error.what(),
                                            {words, static_cast<std::size_t>(count)}, commands));
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
