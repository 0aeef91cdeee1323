// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/drain.hpp>
#include <stile/session/http_session.hpp>

#include <doctest/doctest.h>
#include <string>

namespace stile::session {
namespace {

TEST_CASE(
    "http session: a port that a router keeps open is in the offer, one that is lost is not") {
    const auto offer_of = [](bool lost) {
        HttpSessionConfig config;
        config.path.hosts = {SocketAddress{IpAddress::v4({192, 168, 1, 2}), Port{5000}}};
        // Silent: the offer waits for it, and the router is faster.
        config.path.stun_servers = {SocketAddress{IpAddress::v4({198, 51, 100, 1}), Port{3478}}};
        config.fingerprint = {.hash = identity::HashFunction::Sha256,
                              .octets = crypto::Digest{BytesView{Bytes(32)}}};
        HttpSession session{Instant{}, config, crypto::RandomStream{crypto::seed_from_number(1)}};
        const connect::MappedPort mapped{.host = config.path.hosts.front(),
                                         .external = {IpAddress::v4({203, 0, 113, 1}), Port{7000}},
                                         .gateway = IpAddress::v4({192, 168, 1, 1})};
        session.handle_port_mapped(Instant{}, mapped);
        if (lost) session.handle_port_unmapped(Instant{}, mapped);
        std::string sdp;
        for (;;) {
            const auto next = drain(
                session, [](const Transmit&) {},
                [&](const HttpSessionEvent& event) {
                    if (const auto* const ready = std::get_if<DescriptionReady>(&event)) {
                        sdp = ready->sdp;
                    }
                });
            if (!sdp.empty() || !next) return sdp;
            session.handle_timeout(*next);
        }
    };
    CHECK(offer_of(false).find("203.0.113.1 7000 typ srflx") != std::string::npos);
    const std::string without = offer_of(true);
    CHECK(without.find("192.168.1.2 5000 typ host") != std::string::npos);
    CHECK(without.find("203.0.113.1") == std::string::npos);
}

}  // namespace
}  // namespace stile::session
