// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "probing.hpp"

#include <stile/drivers/random.hpp>
#include <stile/stun/lifetime_discovery.hpp>

#include <fmt/format.h>

namespace stile::probe {
namespace {

using Discovery = stun::LifetimeDiscovery;
using End = Discovery::Findings::End;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// Empty where there is something to tell.
std::optional<app::Problem> problem_of(const Discovery::Findings& found, const Place& place,
                                       Duration waited) {
    switch (found.end) {
        case End::NoServer:
            return no_answer(place.server, Transport::Udp, waited);
        case End::NotOffered:
            return app::Problem{
                app::ExitCode::Declined,
                fmt::format("{} does not offer this test", place.server.to_string()),
                "it does not answer to another port (RESPONSE-PORT of RFC 5780)", "",
                "ask another server, such as stile-turnd"};
        case End::NotComparable:
            return app::Problem{
                app::ExitCode::NoPath, "The lifetime cannot be measured here",
                "a mapping that was just made could not be reached by the server",
                "an answer to the first port, asked for from the second, did not come",
                "the NAT may use several addresses, or a firewall is stricter than a NAT"};
        case End::Found:
        case End::LongestAlive:
        case End::BudgetSpent:
            return std::nullopt;
    }
    return std::nullopt;
}

std::string sentence(const Discovery::Findings& found) {
    const Duration alive = found.longest_alive.value_or(Duration::zero());
    if (!found.shortest_expired) {
        return fmt::format("at least {:.0f} s without traffic", seconds(alive));
    }
    return fmt::format("between {:.0f} and {:.0f} s without traffic", seconds(alive),
                       seconds(*found.shortest_expired));
}

void tell(Report& report, const Place& place, const SocketAddress& local,
          const Discovery::Findings& found) {
    const bool translated = found.mapped != local;
    report.line("Server", place.server.to_string());
    report.line("Mapping", fmt::format("{}{}", found.mapped->to_string(),
                                       translated ? "" : ": no NAT, but maybe a firewall"));
    report.line("Lives", sentence(found));
    auto& json = report.json();
    json["server"] = place.server.to_string();
    json["mapped"] = found.mapped->to_string();
    json["nat"] = translated;
    json["alive_s"] = seconds(found.longest_alive.value_or(Duration::zero()));
    json["expired_s"] = found.shortest_expired
                            ? nlohmann::ordered_json(seconds(*found.shortest_expired))
                            : nlohmann::ordered_json();
    json["complete"] = found.end == End::Found;
    if (found.end == End::BudgetSpent) {
        report.line("", "the time for the whole was over: --budget gives more");
    }
    if (found.shortest_expired) {
        const Duration keep = found.longest_alive.value_or(Duration::zero()) / 2;
        report.line("Keep alive", fmt::format("every {:.0f} s is safe: what NATs do changes under "
                                              "load",
                                              seconds(keep)));
    }
}

}  // namespace

int lifetime(const LifetimeOptions& options) {
    const CommonOptions& common = options.common;
    if (options.first > options.longest) {
        return fail(common.format,
                    {app::ExitCode::Usage, "The first wait is longer than the longest", "", "",
                     "--first must be at most --longest"});
    }
    drivers::Loop loop;
    crypto::RandomStream random{drivers::random_seed()};
    auto place = find_place(loop, random, common, 2);
    if (!place) return fail(common.format, place.error());
    const SocketAddress local = place->local();
    const Instant begun = loop.now();
    Discovery machine{begun,
                      {.kept = local,
                       .asker = place->sockets[1]->local_address(),
                       .server = place->server,
                       .first_wait = options.first,
                       .longest_wait = options.longest,
                       .resolution = options.resolution,
                       .budget = options.budget},
                      random.fork()};
    Report report{common.format};
    std::optional<Discovery::Findings> found;
    const auto notify = [&](const Discovery::Event& event) {
        if (const auto* probed = std::get_if<Discovery::Probed>(&event)) {
            report.progress(fmt::format(
                "after {:.1f} s: {}", seconds(probed->wait),
                probed->outcome == Discovery::Probed::Outcome::Alive ? "still there" : "gone"));
        } else {
            found = std::get<Discovery::Findings>(event);
        }
    };
    // A wait begins only where it ends within the budget; the last question takes seconds.
    const Duration at_most = options.budget + std::chrono::seconds{30};
    run_machine(loop, place->sockets, machine, notify, [&] { return found.has_value(); }, at_most);
    if (!found) found.emplace();
    if (const auto problem = problem_of(*found, *place, loop.now() - begun)) {
        return fail(common.format, *problem);
    }
    tell(report, *place, local, *found);
    report.print();
    return 0;
}

}  // namespace stile::probe
