// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "probing.hpp"

#include <stile/drivers/random.hpp>
#include <stile/stun/hairpin_discovery.hpp>

#include <fmt/format.h>

namespace stile::probe {
namespace {

using Discovery = stun::HairpinDiscovery;

// Four tests of 5.5 s at most.
constexpr Duration bound = std::chrono::seconds{30};

struct Words {
    std::string_view word;
    std::string text;
};

Words words_of(stun::HairpinBehavior behavior) {
    switch (behavior) {
        case stun::HairpinBehavior::Always:
            return {"always", "yes: peers behind the same NAT reach each other by it"};
        case stun::HairpinBehavior::AfterSending:
            return {"after-sending",
                    "yes, once both sides have sent, as peers of a call do behind the same NAT"};
        case stun::HairpinBehavior::Never:
            return {"never",
                    "no: peers behind the same NAT need each other's inner address, or a relay"};
    }
    return {};
}

}  // namespace

int hairpin(const HairpinOptions& options) {
    const CommonOptions& common = options.common;
    drivers::Loop loop;
    crypto::RandomStream random{drivers::random_seed()};
    auto place = find_place(loop, random, common, 2);
    if (!place) return fail(common.format, place.error());
    const SocketAddress local = place->local();
    const Instant begun = loop.now();
    Discovery machine{
        begun,
        {.first = local, .second = place->sockets[1]->local_address(), .server = place->server},
        random.fork()};
    std::optional<Discovery::Findings> found;
    run_machine(
        loop, place->sockets, machine, [&](const Discovery::Findings& event) { found = event; },
        [&] { return found.has_value(); }, bound);
    if (!found || !found->mapped_first || !found->behavior) {
        return fail(common.format, no_answer(place->server, Transport::Udp, loop.now() - begun));
    }

    Report report{common.format};
    const bool translated = *found->mapped_first != local;
    const Words words = words_of(*found->behavior);
    report.line("Server", place->server.to_string());
    report.line("Mapping", fmt::format("{}{}", found->mapped_first->to_string(),
                                       translated ? "" : ": no NAT, so this says nothing of one"));
    report.line("From inside", words.text);
    auto& json = report.json();
    json["server"] = place->server.to_string();
    json["mapped"] = found->mapped_first->to_string();
    json["nat"] = translated;
    json["hairpin"] = words.word;
    if (found->seen_source) {
        const bool outer = found->seen_source->ip == found->mapped_second->ip;
        json["source"] = found->seen_source->to_string();
        if (translated) {
            report.line("Source", outer ? "the mapped address, as RFC 4787 demands"
                                        : "the inner address: some peers will not accept it");
        }
    }
    report.print();
    return 0;
}

}  // namespace stile::probe
