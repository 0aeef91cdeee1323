// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "relay_command.hpp"

#include "output.hpp"
#include "relay_problem.hpp"
#include "target.hpp"

#include <stile/app/text_file.hpp>
#include <stile/turn/time_limited.hpp>
#include <stile/turn_link/relay_check.hpp>

#include <fmt/format.h>
#include <algorithm>
#include <expected>

namespace stile::probe {
namespace {

using app::ExitCode;
using app::Problem;
using turn_link::RelayCheckOptions;
using turn_link::RelayReport;

Problem usage(std::string what, std::string cause) {
    return {ExitCode::Usage, std::move(what), std::move(cause), "",
            "see 'stile-stun relay --help'"};
}

// The first line, which people end with a line break.
std::expected<std::string, Problem> read_secret(const std::string& path) {
    auto text = app::read_file(path, "The password or secret");
    if (text) text->erase(std::min(text->find_first_of("\r\n"), text->size()));
    return text;
}

const char* name_of(turn::ClientTransport transport) {
    switch (transport) {
        case turn::ClientTransport::Udp:
            return "UDP";
        case turn::ClientTransport::Dtls:
            return "DTLS";
        case turn::ClientTransport::Tcp:
            return "TCP";
        case turn::ClientTransport::Tls:
            return "TLS";
    }
    return "";
}

const char* name_of(AddressFamily family) { return family == AddressFamily::V4 ? "IPv4" : "IPv6"; }

void describe_allocation(const RelayReport& done, Report& report) {
    const auto& allocated = *done.allocated;
    const auto lifetime = std::chrono::duration_cast<std::chrono::seconds>(allocated.lifetime);
    report.line("Server", fmt::format("{} over {}{}{}", done.server->address.to_string(),
                                      name_of(done.server->transport),
                                      done.security.empty() ? "" : ", ", done.security));
    report.line(
        "You", fmt::format("{}, seen as {}", done.local.to_string(), allocated.mapped.to_string()));
    for (const SocketAddress& relayed : allocated.relayed) {
        report.line("Relayed", relayed.to_string());
        report.json()["relayed"].push_back(relayed.to_string());
    }
    if (allocated.missing_family) {
        report.line("Missing", fmt::format("the other address family: {}",
                                           turn::to_string(*allocated.missing_family)));
    }
    report.line("Allocated",
                fmt::format("in {}, for {} s", milliseconds(done.setup), lifetime.count()));
    auto& json = report.json();
    json["server"] = done.server->address.to_string();
    json["transport"] = name_of(done.server->transport);
    json["security"] = done.security;
    json["local"] = done.local.to_string();
    json["mapped"] = allocated.mapped.to_string();
    json["lifetime_s"] = lifetime.count();
    json["setup_ms"] = in_milliseconds(done.setup);
}

void describe_series(const RelayReport& done, Report& report) {
    for (const turn_link::Series& each : done.series) {
        const std::string lost = each.returned == each.sent
                                     ? "all back"
                                     : fmt::format("{} lost", each.sent - each.returned);
        std::string text = fmt::format("{} of {} octets over {}: {}", each.sent, each.octets,
                                       name_of(each.family), lost);
        if (each.damaged != 0) text += fmt::format(", {} damaged", each.damaged);
        if (each.returned != 0) {
            text += fmt::format(", {} (least {}, most {})", milliseconds(each.mean),
                                milliseconds(each.least), milliseconds(each.most));
        }
        report.line("Relayed by", fmt::format("{}: {}", turn_link::to_string(each.way), text));
        report.json()["series"].push_back({{"way", turn_link::to_string(each.way)},
                                           {"family", name_of(each.family)},
                                           {"octets", each.octets},
                                           {"sent", each.sent},
                                           {"returned", each.returned},
                                           {"damaged", each.damaged},
                                           {"round_trip_ms", in_milliseconds(each.mean)},
                                           {"least_ms", in_milliseconds(each.least)},
                                           {"most_ms", in_milliseconds(each.most)}});
    }
    for (const std::string& note : done.notes) {
        report.line("Not tried", note);
        report.json()["notes"].push_back(note);
    }
    const bool released = done.released == RelayReport::Released::Yes;
    report.json()["released"] = released;
    if (done.allocated) report.line("Released", released ? "yes" : "no answer");
}

Problem loss_problem(const RelayReport& done) {
    const bool nothing_back =
        !done.series.empty() && std::ranges::all_of(done.series, [](const turn_link::Series& each) {
            return each.returned == 0;
        });
    if (nothing_back) {
        return {
            ExitCode::NoPath, "The relay works, and nothing comes back from the peer",
            "a firewall keeps the relay's ports closed, its external address is wrong, or the "
            "peer sends nothing back",
            "see the lines above",
            "let UDP in to the relay ports of the server, 49152 to 65535 unless configured; see "
            "'stile-turnd check' there"};
    }
    return {ExitCode::Damaged, "Not all that was sent came back",
            "packets were lost or changed on the way, or nothing could be tried",
            "see the lines above", "try smaller --sizes and a longer --interval"};
}

int conclude(const RelayReport& done, Report& report, CommonOptions::Format format,
             const std::string& uri, const Asker& asker) {
    if (done.allocated) describe_allocation(done, report);
    describe_series(done, report);
    std::vector<Problem> problems;
    if (done.failure) problems.push_back(problem_of(*done.failure, uri, asker));
    for (const auto& refusal : done.refusals) {
        problems.push_back(problem_of(refusal.step, refusal.failure));
    }
    if (problems.empty() && !done.lossless()) problems.push_back(loss_problem(done));
    if (problems.empty()) {
        report.print();
        return static_cast<int>(ExitCode::Done);
    }
    if (format == CommonOptions::Format::Text) {
        report.print();
        for (std::size_t i = 1; i < problems.size(); ++i) app::fail(problems[i]);
        return app::fail(problems.front());
    }
    // The first one decides how the program ends.
    report.json()["error"] = to_json(problems.front());
    for (const Problem& problem : problems) report.json()["problems"].push_back(to_json(problem));
    report.print();
    return app::fail(problems.front());
}

}  // namespace

void RelayCommand::add_to(CLI::App* command) {
    command->add_option("uri", uri_, "turn:HOST[:PORT][?transport=tcp], turns:...")->required();
    command->add_option("--user", user_, "user name");
    auto* const password = command->add_option("--password", password_, "others may see it");
    auto* const file = command->add_option("--password-file", password_file_, "its first line");
    auto* const secret = command->add_option(
        "--secret-file", secret_file_,
        "the server's shared secret: makes a name and a password that are good for an hour");
    password->excludes(file)->excludes(secret);
    file->excludes(secret);
    command->add_option("--family", family_, "of the relayed address")
        ->check(CLI::IsMember({"default", "v4", "v6", "both"}))
        ->capture_default_str();
    command->add_flag("--tcp", tcp_, "relay connections (RFC 6062), not datagrams");
    command->add_flag("--mobility", mobility_, "change the local port in between (RFC 8016)");
    command->add_flag("--dont-fragment", dont_fragment_, "also with DONT-FRAGMENT");
    command->add_option("--peer", peer_, "IP:PORT that sends back what comes; else a second relay");
    command->add_option("--sizes", sizes_, "octets")
        ->delimiter(',')
        ->check(CLI::Range(1, 65'000))
        ->capture_default_str();
    command->add_option("--count", count_, "of each size")
        ->check(CLI::Range(1, 256))
        ->capture_default_str();
    command->add_option("--interval", interval_, "seconds between two datagrams")
        ->check(CLI::Range(0.0, 10.0))
        ->capture_default_str();
    command->add_option("--local", local_, "the IP address to send from");
    command->add_option("--name", name_, "whom the server's certificate must be for");
    command->add_option("--ca", ca_file_, "PEM file of the authorities to trust");
    command->add_flag("--json", json_, "one JSON object on standard output");
}

int RelayCommand::run() const {
    const auto format = json_ ? CommonOptions::Format::Json : CommonOptions::Format::Text;
    const auto uri = turn::TurnUri::parse(uri_);
    if (!uri) {
        return fail(format, usage(fmt::format("'{}' is no TURN URI", uri_),
                                  std::string{turn::to_string(uri.error())}));
    }
    drivers::Loop loop;
    RelayCheckOptions options{.link = {.uri = *uri}, .sizes = sizes_, .count = count_};
    options.interval =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(interval_));
    auto& client = options.link.client;
    client.username = user_;
    client.password = password_;
    if (!password_file_.empty()) {
        const auto text = read_secret(password_file_);
        if (!text) return fail(format, text.error());
        client.password = *text;
    }
    if (!secret_file_.empty()) {
        const auto text = read_secret(secret_file_);
        if (!text) return fail(format, text.error());
        const auto made = turn::make_time_limited({.secret = *text},
                                                  loop.wall_now() + std::chrono::hours{1}, user_);
        client.username = made.username;
        client.password = made.password;
    }
    if (family_ == "v4") client.family = turn::FamilyWish::V4;
    if (family_ == "v6") client.family = turn::FamilyWish::V6;
    if (family_ == "both") client.family = turn::FamilyWish::Both;
    if (tcp_) {
        if (mobility_ || dont_fragment_) {
            return fail(format, usage("--tcp does not go with --mobility and --dont-fragment",
                                      "RFC 6062 has neither"));
        }
        client.protocol = turn::RelayProtocol::Tcp;
    }
    if (mobility_) {
        client.mobility = turn::ClientConfig::Mobility::Wanted;
        options.move = RelayCheckOptions::Move::Tested;
    }
    if (dont_fragment_) client.dont_fragment = turn::ClientConfig::DontFragment::Wanted;
    if (!peer_.empty()) {
        options.echo = SocketAddress::parse(peer_);
        if (!options.echo) return fail(format, usage("--peer wants IP:PORT", peer_));
    }
    if (!local_.empty()) {
        options.link.local = IpAddress::parse(local_);
        if (!options.link.local) return fail(format, usage("--local wants an address", local_));
    }
    options.link.server_name = name_;
    if (!ca_file_.empty()) {
        const auto text = app::read_file(ca_file_, authorities);
        if (!text) return fail(format, text.error());
        options.link.ca_pem = *text;
    }
    drivers::Resolver names{loop};
    Report report{format};
    const RelayReport done = turn_link::check_relay(loop, names, options);
    return conclude(done, report, format, uri_,
                    {.username = client.username, .now = loop.wall_now()});
}

}  // namespace stile::probe
