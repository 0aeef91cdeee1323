// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

#include <stile/app/problem.hpp>
#include <stile/app/usage.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <array>

namespace {

using namespace stile;

constexpr std::string_view version = "stile 0.1.0";
constexpr std::array<std::string_view, 6> commands{"login",   "share",  "get",
                                                   "gateway", "status", "contacts"};

constexpr const char* examples = R"(Examples:
  stile login 'https://203.0.113.7:8443/login#...'   once, with the link of your server's operator
  stile share ~/Music                                 until Ctrl-C
  stile get alice@example.org/feed.xml
  stile gateway                                       then open http://127.0.0.1:7447/
)";

int run_gateway(peer::GatewayOptions options, const std::string& listen) {
    const auto address = SocketAddress::parse(listen);
    if (!address) {
        return app::fail({app::ExitCode::Usage, fmt::format("'{}' is no address and port", listen),
                          "", "", "such as 127.0.0.1:7447"});
    }
    options.listen = *address;
    return peer::gateway(options);
}

}  // namespace

int main(int count, char** words) {
    CLI::App program{"Share folders and fetch from people, straight between your machines."};
    program.set_version_flag("-V,--version", std::string{version});
    program.footer(examples);
    program.require_subcommand(1);

    peer::CommonOptions common;
    bool quiet = false;
    const auto add_common = [&](CLI::App* command) {
        command->add_option("--account", common.account, "act as this address, of several here");
        command->add_flag("-q,--quiet", quiet, "say nothing but problems");
    };

    peer::LoginOptions login;
    auto* const login_command = program.add_subcommand("login", "become a user of a server");
    login_command->add_option("link", login.link, "the link from 'stiled user add'")->required();

    peer::ShareOptions share;
    auto* const share_command = program.add_subcommand("share", "share a folder until Ctrl-C");
    share_command->add_option("folder", share.folder)->required();
    share_command->add_option("--title", share.title, "what pages and the feed are called");
    add_common(share_command);

    peer::GetOptions get;
    bool force = false;
    auto* const get_command = program.add_subcommand("get", "fetch an object from a peer");
    get_command->add_option("object", get.target, "such as alice@example.org/feed.xml")->required();
    get_command->add_option("-o,--output", get.output, "file to write; - is standard output");
    get_command->add_flag("-f,--force", force, "replace a file that is there");
    add_common(get_command);

    peer::GatewayOptions gateway;
    std::string listen = gateway.listen.to_string();
    auto* const gateway_command =
        program.add_subcommand("gateway", "serve peers to this machine's programs by HTTP");
    gateway_command->add_option("--listen", listen, "loopback address and port")
        ->capture_default_str();
    add_common(gateway_command);

    peer::StatusOptions status;
    bool offline = false;
    auto* const status_command = program.add_subcommand("status", "who is logged in, and where");
    status_command->add_flag("--offline", offline, "do not ask the server");
    add_common(status_command);

    auto* const contacts = program.add_subcommand("contacts", "whom you have met");
    std::string forgotten;
    auto* const forget = contacts->add_subcommand("rm", "forget the pinned key of an address");
    forget->add_option("address", forgotten)->required();

    try {
        program.parse(count, words);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return program.exit(error);
        return app::fail(app::usage_problem("stile", error.what(),
                                            {words, static_cast<std::size_t>(count)}, commands));
    }

    if (quiet) common.verbosity = peer::CommonOptions::Verbosity::Quiet;
    share.common = get.common = gateway.common = status.common = common;
    if (force) get.existing = peer::GetOptions::Existing::Replace;
    if (offline) status.network = peer::StatusOptions::Network::NotAsked;
    if (login_command->parsed()) return peer::login(login);
    if (share_command->parsed()) return peer::share(share);
    if (get_command->parsed()) return peer::get(get);
    if (status_command->parsed()) return peer::status(status);
    if (contacts->parsed()) {
        return forget->parsed() ? peer::contacts_remove(forgotten) : peer::contacts_list();
    }
    return run_gateway(gateway, listen);
}
