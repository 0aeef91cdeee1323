// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// STUN and TURN servers that become known while a session already looks for its path.
#include <stile/base/drain.hpp>
#include <stile/session/http_session.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace stile::session {
namespace {

using namespace std::chrono_literals;

struct Offerer {
    HttpSession session;
    Instant now{};
    std::vector<std::string> offers = {};
    std::vector<Path> asked = {};

    explicit Offerer(Trickling trickling)
        : session(Instant{}, config(trickling), crypto::RandomStream{crypto::seed_from_number(1)}) {
        settle();
    }
    static HttpSessionConfig config(Trickling trickling) {
        HttpSessionConfig config;
        config.trickling = trickling;
        config.path.hosts = {*SocketAddress::parse("192.168.1.2:5000")};
        config.path.servers = connect::Servers::ToCome;
        config.fingerprint.octets = crypto::Digest{BytesView{Bytes(32, std::byte{1})}};
        return config;
    }
    std::optional<Instant> settle() {
        return drain(
            session, [&](const Transmit& out) { asked.push_back(out.path); },
            [&](const HttpSessionEvent& event) {
                const auto* const ready = std::get_if<DescriptionReady>(&event);
                if (ready != nullptr) offers.push_back(ready->sdp);
            });
    }
    void pass_to(Duration time) {
        const Instant end = Instant{} + time;
        for (auto next = settle(); next && *next <= end; next = settle()) {
            session.handle_timeout(now = *next);
        }
        now = end;
    }
};

const std::vector<SocketAddress> stun_servers{*SocketAddress::parse("198.51.100.1:3478")};
const std::vector<connect::TurnServer> turn_servers{
    {*SocketAddress::parse("198.51.100.2:3478"), "user", "password"}};

TEST_CASE("session: an offer that trickles waits for no server, known or not") {
    Offerer offerer{Trickling::Full};
    CHECK(offerer.offers.size() == 1);
    offerer.pass_to(300ms);
    offerer.session.handle_servers(offerer.now, stun_servers, turn_servers);
    offerer.pass_to(310ms);
    CHECK(offerer.asked.size() == 2);
    CHECK(offerer.offers.size() == 1);
}

TEST_CASE("session: a whole offer waits for the relay of a server that is to come") {
    Offerer offerer{Trickling::Half};
    offerer.pass_to(limits::relay_patience - 1ms);
    CHECK(offerer.offers.empty());
    offerer.pass_to(limits::relay_patience);
    CHECK(offerer.offers.size() == 1);
}

TEST_CASE("session: a whole offer leaves as soon as there is nothing to wait for") {
    Offerer offerer{Trickling::Half};
    offerer.pass_to(300ms);
    CHECK(offerer.offers.empty());
    offerer.session.handle_servers(offerer.now, {}, {});
    offerer.settle();
    REQUIRE(offerer.offers.size() == 1);
    CHECK(offerer.offers.front().find("a=end-of-candidates") != std::string::npos);
}

TEST_CASE("session: without a relay among the servers the offer waits the shorter time") {
    Offerer offerer{Trickling::Half};
    offerer.pass_to(300ms);
    offerer.session.handle_servers(offerer.now, stun_servers, {});
    offerer.pass_to(limits::description_patience - 1ms);
    CHECK(offerer.offers.empty());
    offerer.pass_to(limits::description_patience);
    CHECK(offerer.offers.size() == 1);
}

}  // namespace
}  // namespace stile::session
