// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/drain.hpp>
#include <stile/session/http_session.hpp>

#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace stile::session {
namespace {

using namespace std::chrono_literals;

SocketAddress at(std::string_view text) {
    const auto parsed = SocketAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

identity::Fingerprint fingerprint(std::uint8_t octet) {
    return {.hash = identity::HashFunction::Sha256,
            .octets = crypto::Digest{BytesView{Bytes(32, std::byte{octet})}}};
}

HttpSessionConfig config_of(Part part, std::string_view host) {
    HttpSessionConfig config;
    config.part = part;
    config.path.hosts = {at(host)};
    config.fingerprint = fingerprint(part == Part::Offerer ? 1 : 2);
    return config;
}

struct Side {
    HttpSession session;
    std::vector<HttpSessionEvent> events = {};
    std::vector<std::pair<Path, Bytes>> sent = {};

    Side(HttpSessionConfig config, std::uint64_t seed)
        : session(Instant{}, std::move(config),
                  crypto::RandomStream{crypto::seed_from_number(seed)}) {}
    std::optional<Instant> settle() {
        return drain(
            session,
            [&](const Transmit& out) { sent.emplace_back(out.path, to_bytes(out.payload)); },
            [&](HttpSessionEvent event) { events.push_back(std::move(event)); });
    }
    // Nothing arrives until then.
    void pass_to(Instant end) {
        for (auto next = settle(); next && *next <= end; next = settle()) {
            session.handle_timeout(*next);
        }
    }
    template <class Kind>
    const Kind* find() const {
        for (const HttpSessionEvent& event : events) {
            if (const auto* const found = std::get_if<Kind>(&event)) return found;
        }
        return nullptr;
    }
    std::string description() {
        settle();
        const auto* const ready = find<DescriptionReady>();
        REQUIRE(ready != nullptr);
        return ready->sdp;
    }
};

struct Two {
    Side offerer{config_of(Part::Offerer, "192.0.2.1:5000"), 1};
    Side answerer{config_of(Part::Answerer, "203.0.113.1:6000"), 2};

    void connect() {
        REQUIRE(answerer.session.handle_offer({}, offerer.description()));
        REQUIRE(offerer.session.handle_answer({}, answerer.description()));
        Instant now{};
        while (!offerer.find<RouteReady>() || !answerer.find<RouteReady>()) {
            now = earlier(offerer.settle(), answerer.settle()).value();
            REQUIRE(now < Instant{} + 10s);
            offerer.session.handle_timeout(now);
            answerer.session.handle_timeout(now);
            carry(now);
        }
    }
    void carry(Instant now) {
        offerer.settle();
        answerer.settle();
        while (!offerer.sent.empty() || !answerer.sent.empty()) {
            for (auto& [path, octets] : std::exchange(offerer.sent, {})) {
                (void)answerer.session.handle_datagram(now, {path.remote, path.local}, octets);
            }
            for (auto& [path, octets] : std::exchange(answerer.sent, {})) {
                (void)offerer.session.handle_datagram(now, {path.remote, path.local}, octets);
            }
            offerer.settle();
            answerer.settle();
        }
    }
};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t found = text.find(from);
    REQUIRE(found != std::string::npos);
    return text.replace(found, from.size(), to);
}

std::string without_line(const std::string& text, std::string_view start) {
    std::string result;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = text.find('\n', begin) + 1;
        if (!text.substr(begin).starts_with(start)) result += text.substr(begin, end - begin);
        begin = end;
    }
    REQUIRE(result != text);
    return result;
}

TEST_CASE("http session: offer, answer, route, and each knows the other's fingerprint") {
    Two two;
    two.connect();
    CHECK(two.offerer.session.expected_fingerprints() == std::vector{fingerprint(2)});
    CHECK(two.answerer.session.expected_fingerprints() == std::vector{fingerprint(1)});
    CHECK(two.offerer.find<RouteReady>()->route.kind == connect::RouteKind::Direct);
    CHECK(two.offerer.session.path().role() == ice::Role::Controlling);
    CHECK(two.answerer.session.path().role() == ice::Role::Controlled);
}

TEST_CASE("http session: the offer is as the profile wants it") {
    Two two;
    const std::string offer = two.offerer.description();
    CAPTURE(offer);
    for (const std::string_view line :
         {"m=application 9 UDP/QUIC h3\r\n", "a=setup:active\r\n",
          "a=ice-options:trickle ice2 renomination\r\n", "a=end-of-candidates\r\n",
          "a=fingerprint:sha-256 01:01:"}) {
        CAPTURE(line);
        CHECK(offer.find(line) != std::string::npos);
    }
}

TEST_CASE("http session: an answerer says nothing before the offer, and then once") {
    Two two;
    two.answerer.pass_to(Instant{} + 10s);
    CHECK(two.answerer.events.empty());
    REQUIRE(two.answerer.session.handle_offer(Instant{} + 10s, two.offerer.description()));
    two.answerer.settle();
    two.answerer.pass_to(Instant{} + 11s);
    CHECK(two.answerer.events.size() == 1);
    CHECK(two.answerer.description().find("a=setup:passive\r\n") != std::string::npos);
}

TEST_CASE("http session: offers that cannot be used are refused with their fault") {
    Two two;
    const std::string good = two.offerer.description();
    const struct {
        const char* what;
        std::string offer;
        SessionFault fault;
    } cases[] = {
        {"no SDP", "hello", SessionFault::BadDescription},
        {"nothing", "", SessionFault::BadDescription},
        {"another carrier", replaced(good, "UDP/QUIC h3", "TCP/TLS http"), SessionFault::NoCarrier},
        {"rejected", replaced(good, "m=application 9", "m=application 0"), SessionFault::NoCarrier},
        {"no ufrag", without_line(good, "a=ice-ufrag"), SessionFault::BadPath},
        {"no password", without_line(good, "a=ice-pwd"), SessionFault::BadPath},
        {"no fingerprint", without_line(good, "a=fingerprint"), SessionFault::NoFingerprint},
        {"a weak one", replaced(good, "sha-256", "sha-999"), SessionFault::NoFingerprint},
        {"no setup", without_line(good, "a=setup"), SessionFault::BadDescription},
        {"hold", replaced(good, "setup:active", "setup:holdconn"), SessionFault::BadDescription},
    };
    for (const auto& each : cases) {
        CAPTURE(each.what);
        Side answerer{config_of(Part::Answerer, "203.0.113.1:6000"), 2};
        const auto taken = answerer.session.handle_offer({}, each.offer);
        REQUIRE_FALSE(taken);
        CHECK(taken.error() == each.fault);
        CHECK_FALSE(to_string(each.fault).empty());
    }
}

TEST_CASE("http session: answers that cannot follow the offer are refused with their fault") {
    const struct {
        const char* what;
        std::string from;
        std::string to;
        SessionFault fault;
    } cases[] = {
        {"no SDP", "v=0", "x=0", SessionFault::BadDescription},
        {"all rejected", "m=application 9", "m=application 0", SessionFault::NoCarrier},
        {"another carrier", "UDP/QUIC h3", "TCP/TLS http", SessionFault::BadDescription},
        {"the same part", "setup:passive", "setup:active", SessionFault::BadDescription},
        {"a weak fingerprint", "sha-256", "sha-999", SessionFault::NoFingerprint},
        {"a short password", "a=ice-pwd:", "a=ice-pwd:x\r\na=other:", SessionFault::BadPath},
    };
    for (const auto& each : cases) {
        CAPTURE(each.what);
        Two two;
        REQUIRE(two.answerer.session.handle_offer({}, two.offerer.description()));
        const auto taken = two.offerer.session.handle_answer(
            {}, replaced(two.answerer.description(), each.from, each.to));
        REQUIRE_FALSE(taken);
        CHECK(taken.error() == each.fault);
    }
}

TEST_CASE("http session: of several sections the first QUIC one that is open is accepted") {
    Two two;
    const std::string good = two.offerer.description();
    const std::size_t media = good.find("m=");
    const std::string section = good.substr(media);
    const std::string offer = good.substr(0, media) +
                              replaced(section, "UDP/QUIC h3", "TCP/TLS http") +
                              replaced(section, "application 9", "application 0") + section;
    REQUIRE(two.answerer.session.handle_offer({}, offer));
    const auto answer = sdp::Description::parse(two.answerer.description());
    REQUIRE(answer);
    REQUIRE(answer->media.size() == 3);
    CHECK(answer->media[0].rejected());
    CHECK(answer->media[1].rejected());
    CHECK_FALSE(answer->media[2].rejected());
}

TEST_CASE("http session: an offer waits for a silent STUN server, but not for long") {
    HttpSessionConfig config = config_of(Part::Offerer, "192.168.1.2:5000");
    config.path.stun_servers = {at("198.51.100.1:3478")};
    Side offerer{config, 1};
    offerer.pass_to(Instant{} + limits::description_patience - 1ms);
    CHECK_FALSE(offerer.find<DescriptionReady>());
    offerer.pass_to(Instant{} + limits::description_patience);
    CHECK(offerer.find<DescriptionReady>());
}

TEST_CASE("http session: for a relay an offer waits longer") {
    HttpSessionConfig config = config_of(Part::Offerer, "192.168.1.2:5000");
    config.path.turn_servers = {{at("198.51.100.1:3478"), "user", "password"}};
    Side offerer{config, 1};
    offerer.pass_to(Instant{} + limits::relay_patience - 1ms);
    CHECK_FALSE(offerer.find<DescriptionReady>());
    offerer.pass_to(Instant{} + limits::relay_patience);
    CHECK(offerer.find<DescriptionReady>());
}

TEST_CASE("http session: no way to the peer in time is a failure, said once and last") {
    Two two;
    REQUIRE(two.answerer.session.handle_offer({}, two.offerer.description()));
    REQUIRE(two.offerer.session.handle_answer({}, two.answerer.description()));
    two.offerer.pass_to(Instant{} + limits::path_patience - 1ms);
    CHECK_FALSE(two.offerer.find<Failed>());
    two.offerer.pass_to(Instant{} + 5min);
    REQUIRE(two.offerer.find<Failed>());
    CHECK(two.offerer.find<Failed>()->fault == SessionFault::PathTimedOut);
    CHECK(std::holds_alternative<Failed>(two.offerer.events.back()));
    CHECK(two.offerer.events.size() == 2);
}

TEST_CASE("http session: a peer that falls silent is a lost route, then the end") {
    Two two;
    two.connect();
    two.offerer.pass_to(Instant{} + 5min);
    CHECK(two.offerer.find<RouteLost>());
    REQUIRE(two.offerer.find<Failed>());
    CHECK(two.offerer.find<Failed>()->fault == SessionFault::PathLost);
}

}  // namespace
}  // namespace stile::session
