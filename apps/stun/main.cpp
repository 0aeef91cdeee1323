// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"
#include "output.hpp"
#include "relay_command.hpp"

#include <stile/app/problem.hpp>
#include <stile/app/usage.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>
#include <array>

namespace {

using namespace stile;

constexpr std::string_view version = "stile-stun 0.1.0";
constexpr std::array<std::string_view, 5> commands{"binding", "nat", "lifetime", "hairpin",
                                                   "relay"};

constexpr const char* examples = R"(Examples:
  stile-stun binding stun:stun.example.org
  stile-stun binding 'stuns:stun.example.org?transport=tcp'
  stile-stun nat stun.example.org             needs a server with two addresses (RFC 5780)
  stile-stun lifetime stun.example.org --longest 10m
  stile-stun relay 'turns:turn.example.org?transport=tcp' --user alice --password-file secret
)";

// Word mistyped: CLI11 knows that something is wrong, not what was meant.
int explain(const CLI::ParseError& error, int count, char** words) {
    if (error.get_exit_code() == 0) return -1;
    const bool json =
        std::ranges::find(words, words + count, std::string_view{"--json"}) != words + count;
    return probe::fail(
        json ? probe::CommonOptions::Format::Json : probe::CommonOptions::Format::Text,
        app::usage_problem("stile-stun", error.what(), {words, static_cast<std::size_t>(count)},
                           commands));
}

const std::map<std::string, double> units{{"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}};

// A duration such as "90s" or "1.5m"; CLI11 has made seconds of it.
struct Seconds {
    explicit Seconds(Duration initial) : value(std::chrono::duration<double>(initial).count()) {}
    void add_to(CLI::App* command, const std::string& name, const std::string& help) {
        command->add_option(name, value, help)
            ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::UNIT_OPTIONAL, "TIME"))
            ->check(CLI::Range(0.001, 86'400.0))
            ->default_str(fmt::format("{}s", value));
    }
    Duration duration() const {
        return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
    }
    double value;
};

struct Common {
    probe::CommonOptions options;
    Seconds patience{options.patience};
    bool json = false;
    bool only_v4 = false;
    bool only_v6 = false;

    void add_to(CLI::App* command) {
        command->add_option("server", options.server, "stun:HOST, stuns:HOST or HOST[:PORT]")
            ->required();
        command->add_option("--local", options.local, "the IP address to send from");
        patience.add_to(command, "--timeout", "how long to wait for an answer");
        command->add_flag("--json", json, "one JSON object on standard output");
        auto* const v4 = command->add_flag("-4", only_v4, "IPv4 only");
        command->add_flag("-6", only_v6, "IPv6 only")->excludes(v4);
    }
    void add_transport_to(CLI::App* command) {
        command->add_option("--transport", options.transport, "udp, tcp, tls or dtls")
            ->check(CLI::IsMember({"udp", "tcp", "tls", "dtls"}));
        command->add_option("--name", options.name, "whom the server's certificate must be for");
        command->add_option("--ca", options.ca_file, "PEM file of the authorities to trust");
    }
    probe::CommonOptions finished() const {
        probe::CommonOptions result = options;
        result.patience = patience.duration();
        if (json) result.format = probe::CommonOptions::Format::Json;
        if (only_v4) result.family = probe::CommonOptions::Family::V4;
        if (only_v6) result.family = probe::CommonOptions::Family::V6;
        return result;
    }
};

}  // namespace

int main(int count, char** words) {
    CLI::App program{
        "Ask STUN and TURN servers who you are, what the NATs on the way do, and to relay."};
    program.set_version_flag("-V,--version", std::string{version});
    program.footer(examples);
    program.require_subcommand(1);
    Common common;

    auto* const binding = program.add_subcommand("binding", "your address as the server sees it");
    common.add_to(binding);
    common.add_transport_to(binding);

    probe::NatOptions nat_options;
    bool only_udp = false;
    auto* const nat = program.add_subcommand("nat", "how the NATs on the way map and filter");
    common.add_to(nat);
    nat->add_flag("--udp-only", only_udp, "do not test TCP");
    nat->add_option("--padding", nat_options.padding, "octets that test fragments; 0 does not")
        ->check(CLI::Range(0, 60'000))
        ->capture_default_str();

    probe::LifetimeOptions lifetime_options;
    Seconds first{lifetime_options.first};
    Seconds longest{lifetime_options.longest};
    Seconds resolution{lifetime_options.resolution};
    Seconds budget{lifetime_options.budget};
    auto* const lifetime = program.add_subcommand("lifetime", "how long an idle mapping lives");
    common.add_to(lifetime);
    first.add_to(lifetime, "--first", "the first wait; doubles until one is too long");
    longest.add_to(lifetime, "--longest", "the longest wait");
    resolution.add_to(lifetime, "--resolution", "how exact the answer must be");
    budget.add_to(lifetime, "--budget", "how long the whole may take");

    auto* const hairpin =
        program.add_subcommand("hairpin", "whether your mapped address works from inside");
    common.add_to(hairpin);

    probe::RelayCommand relay_command;
    auto* const relay = program.add_subcommand("relay", "whether a TURN server relays, and how");
    relay_command.add_to(relay);

    try {
        program.parse(count, words);
    } catch (const CLI::ParseError& error) {
        const int explained = explain(error, count, words);
        return explained < 0 ? program.exit(error) : explained;
    }

    if (binding->parsed()) return probe::binding({common.finished()});
    if (nat->parsed()) {
        nat_options.common = common.finished();
        if (only_udp) nat_options.tcp = probe::NatOptions::Tcp::Skipped;
        return probe::nat(nat_options);
    }
    if (lifetime->parsed()) {
        lifetime_options = {.common = common.finished(),
                            .first = first.duration(),
                            .longest = longest.duration(),
                            .resolution = resolution.duration(),
                            .budget = budget.duration()};
        return probe::lifetime(lifetime_options);
    }
    if (relay->parsed()) return relay_command.run();
    return probe::hairpin({common.finished()});
}
