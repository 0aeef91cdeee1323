// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "script.hpp"

#include <stile/ice/priority.hpp>

namespace stile::ice {
namespace {

using namespace testing;

TEST_CASE("ice agent: a relay whose datagrams are translated on their way is still a relay") {
    for (const bool direct_too : {false, true}) {
        CAPTURE(direct_too);
        Script script{{.role = Role::Controlling}};
        const SocketAddress relayed = at("198.51.100.7:49152");
        const SocketAddress reflexive = at("192.0.2.200:7000");
        REQUIRE(
            script.agent.add_local_candidate(script.now, {.type = CandidateType::ServerReflexive,
                                                          .address = reflexive,
                                                          .base = script.local,
                                                          .related = script.local}));
        REQUIRE(script.agent.add_local_candidate(
            script.now, {.type = CandidateType::Relayed, .address = relayed, .base = relayed}));
        REQUIRE(script.agent.set_remote_credentials(script.now, script.mine));
        script.add_remote("203.0.113.1:1",
                          candidate_priority(CandidateType::ServerReflexive, 65535, {}));

        // A NAT64 lies between the relay and the peer; the peer sees the host as the server did.
        for (const Instant end = script.now + 1s; script.now < end;) {
            const auto request = script.next_request();
            if (!request) break;
            const bool by_relay = request->path.local == relayed;
            if (!by_relay && !direct_too) continue;
            const auto message = stun::MessageView::parse(request->wire);
            const SocketAddress mapped = by_relay ? at("[64:ff9b::198.51.100.7]:49152") : reflexive;
            script.send(request->path, build_success(*message, mapped, script.my_key));
        }
        script.collect();
        std::optional<PairSelected> last;
        for (const Event& event : script.events) {
            CHECK_FALSE(std::holds_alternative<CandidateFound>(event));
            if (const auto* one = std::get_if<PairSelected>(&event)) last = *one;
        }
        REQUIRE(last);
        CHECK(last->path.local == (direct_too ? script.local : relayed));
        CHECK(last->local_type ==
              (direct_too ? CandidateType::ServerReflexive : CandidateType::Relayed));
    }
}

}  // namespace
}  // namespace stile::ice
