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
constexpr std::array<std::string_view, 8> commands{"login",  "share",    "get",    "gateway",
                                                   "status", "contacts", "doctor", "why"};

constexpr const char* examples = R"(Examples:
  stile login 'https://203.0.113.7:8443/login#...'   once, with the link of your server's operator
  stile share ~/Music                                 until Ctrl-C
  stile get alice@example.org/feed.xml
  stile gateway                                       then open http://127.0.0.1:7447/
  stile doctor                                        what this network does, and the fixes
  stile why alice@example.org                         why it is relayed, or not reached at all
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

// What was written, and where it goes.
class CommandLine {
public:
    CommandLine() {
        program_.set_version_flag("-V,--version", std::string{version});
        program_.footer(examples);
        program_.require_subcommand(1);
        add_files();
        add_diagnosis();
        add_contacts();
    }

    int run(int count, char** words) {
        try {
            program_.parse(count, words);
        } catch (const CLI::ParseError& error) {
            if (error.get_exit_code() == 0) return program_.exit(error);
            return app::fail(app::usage_problem(
                "stile", error.what(), {words, static_cast<std::size_t>(count)}, commands));
        }
        if (quiet_) common_.verbosity = peer::CommonOptions::Verbosity::Quiet;
        share_.common = get_.common = gateway_.common = status_.common = common_;
        doctor_.common = why_.common = common_;
        if (udp_port_) share_.udp_port = gateway_.udp_port = Port{*udp_port_};
        if (json_) doctor_.format = why_.format = peer::OutputFormat::Json;
        if (force_) get_.existing = peer::GetOptions::Existing::Replace;
        if (offline_) status_.network = peer::StatusOptions::Network::NotAsked;
        return dispatch(program_.get_subcommands().front()->get_name());
    }

private:
    CLI::App* add(const char* name, const char* what) {
        CLI::App* const command = program_.add_subcommand(name, what);
        command->add_option("--account", common_.account, "act as this address, of several here");
        command->add_flag("-q,--quiet", quiet_, "say nothing but problems");
        return command;
    }

    CLI::App* add_node(const char* name, const char* what) {
        CLI::App* const command = add(name, what);
        command->add_option("--event-log", common_.event_log,
                            "append what sessions meet to this file, a JSON object a line");
        return command;
    }

    void add_files() {
        auto* const login = program_.add_subcommand("login", "become a user of a server");
        login->add_option("link", login_.link, "the link from 'stiled user add'")->required();

        auto* const share = add_node("share", "share a folder until Ctrl-C");
        share->add_option("folder", share_.folder)->required();
        share->add_option("--title", share_.title, "what pages and the feed are called");
        add_udp_port(share);

        auto* const get = add_node("get", "fetch an object from a peer");
        get->add_option("object", get_.target, "such as alice@example.org/feed.xml")->required();
        get->add_option("-o,--output", get_.output, "file to write; - is standard output");
        get->add_flag("-f,--force", force_, "replace a file that is there");

        auto* const gateway = add_node("gateway", "serve peers to this machine's programs by HTTP");
        gateway->add_option("--listen", listen_, "loopback address and port")
            ->capture_default_str();
        add_udp_port(gateway);
    }

    void add_udp_port(CLI::App* command) {
        command->add_option("--udp-port", udp_port_, "for all sessions, for a firewall's rule")
            ->check(CLI::Range(1, 65535));
    }

    void add_diagnosis() {
        auto* const status = add("status", "who is logged in, and where");
        status->add_flag("--offline", offline_, "do not ask the server");

        auto* const doctor = add("doctor", "examine this network: NAT, server, relay, clock");
        doctor->add_option("--stun", doctor_.stun, "ask this server too, ADDRESS[:PORT]");
        doctor->add_flag("--json", json_, "one JSON object on standard output");

        auto* const why = add("why", "try to reach a peer, and tell what came of it and why");
        why->add_option("peer", why_.peer, "such as alice@example.org; else whom you met last");
        why->add_flag("--json", json_, "one JSON object on standard output");
    }

    void add_contacts() {
        auto* const contacts = program_.add_subcommand("contacts", "whom you have met");
        forget_ = contacts->add_subcommand("rm", "forget the pinned key of an address");
        forget_->add_option("address", forgotten_)->required();
    }

    int dispatch(const std::string& command) {
        if (command == "login") return peer::login(login_);
        if (command == "share") return peer::share(share_);
        if (command == "get") return peer::get(get_);
        if (command == "status") return peer::status(status_);
        if (command == "doctor") return peer::doctor(doctor_);
        if (command == "why") return peer::why(why_);
        if (command == "contacts") {
            return forget_->parsed() ? peer::contacts_remove(forgotten_) : peer::contacts_list();
        }
        return run_gateway(gateway_, listen_);
    }

    CLI::App program_{"Share folders and fetch from people, straight between your machines."};
    peer::CommonOptions common_;
    peer::LoginOptions login_;
    peer::ShareOptions share_;
    peer::GetOptions get_;
    peer::GatewayOptions gateway_;
    peer::StatusOptions status_;
    peer::DoctorOptions doctor_;
    peer::WhyOptions why_;
    std::string listen_ = gateway_.listen.to_string();
    CLI::App* forget_ = nullptr;
    std::string forgotten_;
    std::optional<std::uint16_t> udp_port_;
    bool quiet_ = false;
    bool force_ = false;
    bool offline_ = false;
    bool json_ = false;
};

}  // namespace

int main(int count, char** words) { return CommandLine{}.run(count, words); }
