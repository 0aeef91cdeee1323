// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange.hpp"
#include "output.hpp"

#include <stile/drivers/random.hpp>
#include <stile/stun/binding_answer.hpp>
#include <stile/stun/redirect.hpp>

#include <fmt/format.h>

namespace stile::probe {
namespace {

app::Problem cannot_follow(const SocketAddress& server, stun::RedirectRefusal refusal) {
    std::string cause;
    switch (refusal) {
        case stun::RedirectRefusal::NotOne:
        case stun::RedirectRefusal::NoServer:
            cause = "it does not say where";
            break;
        case stun::RedirectRefusal::BeenThere:
            cause = "that server has been asked already";
            break;
        case stun::RedirectRefusal::TooManySteps:
            cause = fmt::format("more than {} times", stun::most_redirects);
            break;
    }
    return {app::ExitCode::Declined,
            fmt::format("{} sends us elsewhere, in vain", server.to_string()), cause,
            "STUN error 300 Try Alternate", "tell the server's operator; try another server"};
}

// Asks, and goes where a server sends us. RFC 8489 Section 10.
std::expected<Exchanged, app::Problem> ask(drivers::Loop& loop, const CommonOptions& options,
                                           Target& target, SocketAddress server, Report& report) {
    crypto::RandomStream random{drivers::random_seed()};
    stun::RedirectMemory memory;
    for (;;) {
        memory.sent(loop.now(), server);
        auto exchanged = exchange(loop, random, options, target, server);
        if (!exchanged) return exchanged;
        const auto response = stun::MessageView::parse(exchanged->response);
        const auto redirect = memory.follow(loop.now(), *response, server);
        if (!redirect) {
            if (redirect.error() == stun::RedirectRefusal::NotOne) return exchanged;
            return std::unexpected(cannot_follow(server, redirect.error()));
        }
        report.line("Sent on",
                    fmt::format("by {} to {}", server.to_string(), redirect->server.to_string()));
        report.json()["redirects"].push_back(redirect->server.to_string());
        server = redirect->server;
        if (!redirect->domain.empty()) target.name = redirect->domain;
    }
}

std::string translation(const SocketAddress& local, const SocketAddress& mapped) {
    if (local == mapped) return "no NAT";
    if (local.ip == mapped.ip) return "something changes the port";
    return local.port == mapped.port ? "behind a NAT that kept the port"
                                     : "behind a NAT that changed the port";
}

void tell(Report& report, const Target& target, const Exchanged& exchanged,
          const stun::BindingAnswer& answer) {
    report.line("Your address", answer.mapped.to_string());
    report.line("Here", fmt::format("{}: {}", exchanged.local.to_string(),
                                    translation(exchanged.local, answer.mapped)));
    auto& json = report.json();
    json["mapped"] = answer.mapped.to_string();
    json["local"] = exchanged.local.to_string();
    json["server"] = exchanged.server.to_string();
    json["transport"] = to_string(target.transport);
    report.line("Server", fmt::format("{} over {}", exchanged.server.to_string(),
                                      to_string(target.transport)));
    if (exchanged.round_trip) {
        report.line("Round trip", milliseconds(*exchanged.round_trip));
        json["round_trip_ms"] = in_milliseconds(*exchanged.round_trip);
    }
    if (!exchanged.security.empty()) {
        report.line("Secured by", exchanged.security);
        json["security"] = exchanged.security;
    }
    if (!answer.software.empty()) {
        report.line("Software", answer.software);
        json["software"] = answer.software;
    }
    if (answer.origin) json["origin"] = answer.origin->to_string();
    if (answer.other) {
        report.line("Other address",
                    fmt::format("{}: 'stile-stun nat' works here", answer.other->to_string()));
        json["other"] = answer.other->to_string();
    }
    if (answer.mapped_in_clear && answer.mapped_in_clear != answer.mapped) {
        report.line("Warning", fmt::format("something on the way rewrites addresses in packets "
                                           "({}): an application level gateway",
                                           answer.mapped_in_clear->to_string()));
        json["rewritten"] = answer.mapped_in_clear->to_string();
    }
}

}  // namespace

int binding(const BindingOptions& options) {
    const CommonOptions& common = options.common;
    auto target = parse_target(common);
    if (!target) return fail(common.format, target.error());
    drivers::Loop loop;
    const auto addresses = resolve(loop, common, *target, "stun");
    if (!addresses) return fail(common.format, addresses.error());
    Report report{common.format};
    std::optional<app::Problem> problem;
    for (const SocketAddress& server : *addresses) {
        const auto exchanged = ask(loop, common, *target, server, report);
        if (!exchanged) {
            // The next address, but the first one's problem: it is the most likely to be meant.
            if (!problem) problem = exchanged.error();
            continue;
        }
        const auto response = stun::MessageView::parse(exchanged->response);
        const auto answer = stun::read_binding_answer(*response);
        if (!answer) {
            return fail(common.format,
                        refused(exchanged->server, answer.error().code, answer.error().reason));
        }
        tell(report, *target, *exchanged, *answer);
        report.print();
        return 0;
    }
    return fail(common.format, *problem);
}

}  // namespace stile::probe
