// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/drain.hpp>
#include <stile/session/http_session.hpp>

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

namespace stile::session {
namespace {

using namespace std::chrono_literals;

// One side of a session on a network where TCP passes and UDP does not.
struct Side {
    HttpSession session;
    std::optional<std::string> description = {};
    std::vector<connect::StreamWanted> wanted = {};
    std::vector<connect::StreamUnwanted> unwanted = {};
    std::map<connect::StreamId, connect::StreamId> joined = {};  // to the other side's
    std::string got = {};

    void settle() {
        drain(
            session, [](const Transmit&) {},
            [&](HttpSessionEvent event) {
                if (auto* const ready = std::get_if<DescriptionReady>(&event)) {
                    description = std::move(ready->sdp);
                } else if (const auto* const open = std::get_if<connect::StreamWanted>(&event)) {
                    wanted.push_back(*open);
                } else if (const auto* const end = std::get_if<connect::StreamUnwanted>(&event)) {
                    unwanted.push_back(*end);
                }
            });
    }
};

HttpSession make(Part part, const char* address, std::uint8_t key) {
    HttpSessionConfig config;
    config.part = part;
    config.path.hosts = {*SocketAddress::parse(address)};
    config.path.listeners = {{*SocketAddress::parse(address), ice::TcpType::Passive}};
    config.fingerprint.octets = crypto::Digest{BytesView{Bytes(32, std::byte{key})}};
    return {Instant{}, config, crypto::RandomStream{crypto::seed_from_number(key)}};
}

void open_wanted(Instant now, Side& from, Side& to) {
    for (const connect::StreamWanted& event : std::exchange(from.wanted, {})) {
        Path path = event.path;
        if (path.local.port == ice::discard_port) path.local.port = Port{40'000};
        const auto accepted = to.session.handle_stream_accepted(now, {path.remote, path.local});
        if (!accepted) {
            from.session.handle_stream_failed(now, event.stream, ice::ConnectFailure::Refused);
            continue;
        }
        from.joined[event.stream] = *accepted;
        to.joined[*accepted] = event.stream;
        from.session.handle_stream_opened(now, event.stream, path);
    }
}

void carry(Instant now, Side& from, Side& to) {
    while (const auto transmit = from.session.poll_stream_transmit()) {
        const auto there = from.joined.find(transmit->stream);
        if (there == from.joined.end()) continue;
        to.session.handle_stream_bytes(now, there->second, to_bytes(transmit->octets));
        while (const auto received = to.session.poll_received()) {
            to.got += as_text(received->payload);
        }
    }
}

TEST_CASE(
    "http session: without UDP it runs over a TCP connection that the two descriptions name") {
    Side fetching{make(Part::Offerer, "192.0.2.1:4000", 1)};
    Side serving{make(Part::Answerer, "203.0.113.1:5000", 2)};
    Instant now{};
    fetching.settle();
    REQUIRE(fetching.description);
    CHECK(fetching.description->contains(" 192.0.2.1 4000 typ host tcptype passive"));
    CHECK(fetching.description->contains(" 192.0.2.1 9 typ host tcptype active"));
    REQUIRE(serving.session.handle_offer(now, *fetching.description));
    serving.settle();
    REQUIRE(serving.description);
    REQUIRE(fetching.session.handle_answer(now, *serving.description));
    while (now < Instant{} + 10s && !(fetching.session.route() && serving.session.route())) {
        for (int round = 0; round < 8; ++round) {
            fetching.settle();
            serving.settle();
            open_wanted(now, fetching, serving);
            open_wanted(now, serving, fetching);
            fetching.settle();
            serving.settle();
            carry(now, fetching, serving);
            carry(now, serving, fetching);
        }
        const auto wake = earlier(fetching.session.poll_timeout(), serving.session.poll_timeout());
        REQUIRE(wake);
        now = std::max(now, *wake);
        fetching.session.handle_timeout(now);
        serving.session.handle_timeout(now);
    }
    REQUIRE(fetching.session.route());
    CHECK(fetching.session.route()->stream);
    CHECK(fetching.session.route()->kind == connect::RouteKind::Direct);
    fetching.session.send(now, as_bytes("request"));
    fetching.settle();
    carry(now, fetching, serving);
    CHECK(serving.got == "request");
    // Its end is the end of the route.
    const auto stream = *fetching.session.route()->stream;
    fetching.session.handle_stream_closed(now, stream);
    CHECK_FALSE(fetching.session.route());
}

}  // namespace
}  // namespace stile::session
