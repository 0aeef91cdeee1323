// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// ICE anew by later offers, without SIP. RFC 8445 Section 9, RFC 8839 Section 4.4.
#include <stile/base/drain.hpp>
#include <stile/session/http_session.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <utility>
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
    config.trickling = Trickling::Full;
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
    template <class Kind>
    std::size_t count() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            events, [](const auto& event) { return std::holds_alternative<Kind>(event); }));
    }
    template <class Kind>
    const Kind& last() const {
        const auto found = std::find_if(events.rbegin(), events.rend(), [](const auto& event) {
            return std::holds_alternative<Kind>(event);
        });
        REQUIRE(found != events.rend());
        return std::get<Kind>(*found);
    }
    std::string description() {
        settle();
        return last<DescriptionReady>().sdp;
    }
};

enum class Line : std::uint8_t { Open, Cut };

// Two sides on an open network.
struct Two {
    Fragments fragments;
    Side offerer;
    Side answerer;
    Instant now{};
    Line line = Line::Open;

    explicit Two(Fragments taken = Fragments::Taken, bool has_silent_server = false)
        : fragments(taken),
          offerer(with_server(config_of(Part::Offerer, "192.0.2.1:5000"), has_silent_server), 1),
          answerer(config_of(Part::Answerer, "203.0.113.1:6000"), 2) {}

    // Gathering goes on for seconds.
    static HttpSessionConfig with_server(HttpSessionConfig config, bool has_silent_server) {
        if (has_silent_server) config.path.stun_servers = {at("198.51.100.1:3478")};
        return config;
    }
    void connect() {
        REQUIRE(answerer.session.handle_offer(now, offerer.description(), fragments));
        run(limits::description_patience);
        REQUIRE(offerer.session.handle_answer(now, answerer.description(), fragments));
        run(12s);
        REQUIRE(offerer.session.path().state() == ice::State::Completed);
        REQUIRE(answerer.session.path().state() == ice::State::Completed);
    }
    void run(Duration time) {
        const Instant end = now + time;
        for (;;) {
            carry();
            const auto wake = earlier(offerer.settle(), answerer.settle());
            if (!wake || *wake > end) break;
            now = std::max(now, *wake);
            offerer.session.handle_timeout(now);
            answerer.session.handle_timeout(now);
        }
        now = end;
    }
    void carry() {
        offerer.settle();
        answerer.settle();
        while (!offerer.sent.empty() || !answerer.sent.empty()) {
            deliver(offerer, answerer);
            deliver(answerer, offerer);
        }
    }
    void deliver(Side& from, Side& to) {
        for (auto& [path, octets] : std::exchange(from.sent, {})) {
            const auto& hosts = to.session.path().hosts();
            if (line == Line::Cut) continue;
            if (std::ranges::find(hosts, path.remote) == hosts.end()) continue;
            (void)to.session.handle_datagram(now, {path.remote, path.local}, octets);
            to.settle();
        }
    }
    // The whole of a restart that `from` begins.
    void restart(Side& from, Side& to) {
        REQUIRE(from.session.restart_due());
        from.session.restart(now);
        run(0s);
        REQUIRE(from.last<DescriptionReady>().kind == DescriptionKind::Offer);
        REQUIRE(to.session.handle_offer(now, from.description(), fragments));
        run(0s);
        REQUIRE(to.last<DescriptionReady>().kind == DescriptionKind::Answer);
        REQUIRE(from.session.handle_answer(now, to.description(), fragments));
    }
};

sdp::CarrierParameters carrier_of(const std::string& description) {
    const auto parsed = sdp::Description::parse(description);
    REQUIRE(parsed);
    const auto carrier = sdp::read_carrier(*parsed, 0);
    REQUIRE(carrier);
    return *carrier;
}

sdp::Origin origin_of(const std::string& description) {
    return sdp::Description::parse(description).value().origin;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t found = text.find(from);
    REQUIRE(found != std::string::npos);
    return text.replace(found, from.size(), to);
}

TEST_CASE("restart: while all works nothing asks for one") {
    Two two;
    CHECK_FALSE(two.offerer.session.restart_due());
    two.connect();
    two.run(5min);
    for (Side* const side : {&two.offerer, &two.answerer}) {
        CHECK_FALSE(side->session.restart_due());
        CHECK(side->count<RouteLost>() == 0);
    }
}

TEST_CASE("restart: a socket more, either side's, moves the path there without a gap") {
    for (const Part part : {Part::Offerer, Part::Answerer}) {
        CAPTURE(static_cast<int>(part));
        Two two;
        two.connect();
        Side& mover = part == Part::Offerer ? two.offerer : two.answerer;
        Side& other = part == Part::Offerer ? two.answerer : two.offerer;
        const std::string before = mover.description();
        mover.session.handle_host_added(two.now, at("192.0.2.77:7000"));
        // Those that come together are one restart.
        CHECK(mover.session.restart_due() == two.now + limits::network_settling);
        two.run(limits::network_settling);
        two.restart(mover, other);
        const std::string after = mover.description();
        CHECK(carrier_of(after).ufrag != carrier_of(before).ufrag);
        CHECK(carrier_of(after).pwd != carrier_of(before).pwd);
        CHECK(carrier_of(after).tls_id == carrier_of(before).tls_id);
        CHECK(carrier_of(after).setup == carrier_of(before).setup);
        CHECK(carrier_of(after).fingerprints == carrier_of(before).fingerprints);
        CHECK(origin_of(after).session_id == origin_of(before).session_id);
        CHECK(origin_of(after).session_version == origin_of(before).session_version + 1);
        CHECK(after.find("192.0.2.77 7000 typ host") != std::string::npos);
        CHECK(mover.session.route());
        CHECK(other.session.route());
        two.run(12s);
        const SocketAddress old = at(part == Part::Offerer ? "192.0.2.1:5000" : "203.0.113.1:6000");
        mover.session.handle_host_removed(two.now, old);
        two.run(0s);
        CHECK(two.offerer.session.generation() == 1);
        CHECK(two.answerer.session.generation() == 1);
        // Roles stay. RFC 8445 Section 9.
        CHECK(two.offerer.session.path().role() == ice::Role::Controlling);
        CHECK(two.answerer.session.path().role() == ice::Role::Controlled);
    }
}

TEST_CASE("restart: a socket that is gone is a lost route, and the next one's restart heals it") {
    for (const Part part : {Part::Offerer, Part::Answerer}) {
        CAPTURE(static_cast<int>(part));
        Two two;
        two.connect();
        Side& mover = part == Part::Offerer ? two.offerer : two.answerer;
        Side& other = part == Part::Offerer ? two.answerer : two.offerer;
        const SocketAddress old = at(part == Part::Offerer ? "192.0.2.1:5000" : "203.0.113.1:6000");
        mover.session.handle_host_removed(two.now, old);
        two.run(0s);
        CHECK(mover.count<RouteLost>() == 1);
        CHECK_FALSE(mover.session.route());
        // With no socket there is nothing to tell.
        CHECK_FALSE(mover.session.restart_due());
        two.run(3s);
        mover.session.handle_host_added(two.now, at("192.0.2.77:7000"));
        CHECK(mover.session.restart_due().value() <= two.now);
        two.restart(mover, other);
        two.run(1s);
        REQUIRE(mover.session.route());
        REQUIRE(other.session.route());
        CHECK(mover.session.route()->pair.local == at("192.0.2.77:7000"));
        CHECK(other.session.route()->pair.remote == at("192.0.2.77:7000"));
        // The other side has not even noticed.
        CHECK(other.count<RouteLost>() == 0);
        two.run(5min);
        CHECK(mover.count<Failed>() == 0);
        CHECK(other.count<Failed>() == 0);
        CHECK_FALSE(mover.session.restart_due());
    }
}

TEST_CASE("restart: expired consent asks for one, and silence beyond patience is the end") {
    Two two;
    two.connect();
    two.line = Line::Cut;
    const Instant cut = two.now;
    two.run(36s);
    for (Side* const side : {&two.offerer, &two.answerer}) {
        REQUIRE(side->count<RouteLost>() == 1);
        CHECK(side->count<Failed>() == 0);
        const auto due = side->session.restart_due();
        REQUIRE(due);
        CHECK(*due > cut + 24s);
        CHECK(*due <= two.now);
    }
    SUBCASE("the line comes back") {
        two.line = Line::Open;
        two.restart(two.answerer, two.offerer);
        two.run(1s);
        CHECK(two.offerer.session.route());
        CHECK(two.answerer.session.route());
        two.run(5min);
        CHECK(two.offerer.count<Failed>() == 0);
    }
    SUBCASE("it does not") {
        const Instant end = *two.offerer.session.restart_due() + limits::lost_patience;
        two.run(end - two.now - 1ms);
        CHECK(two.offerer.count<Failed>() == 0);
        two.run(1ms);
        REQUIRE(two.offerer.count<Failed>() == 1);
        CHECK(two.offerer.last<Failed>().fault == SessionFault::PathLost);
        CHECK_FALSE(two.offerer.session.restart_due());
    }
    SUBCASE("it does not, whatever is tried") {
        two.restart(two.offerer, two.answerer);
        two.run(limits::lost_patience);
        REQUIRE(two.offerer.count<Failed>() == 1);
        CHECK(two.offerer.last<Failed>().fault == SessionFault::PathLost);
    }
}

TEST_CASE("restart: an offer that is refused leaves the session as it was") {
    Two two;
    two.connect();
    const connect::Route before = two.offerer.session.route().value();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    for (int i = 0; i < 3; ++i) {
        two.run(1s);
        REQUIRE(two.offerer.session.restart_due());
        two.offerer.session.restart(two.now);
        two.run(0s);
        CHECK(two.offerer.session.has_offer());
        CHECK_FALSE(two.offerer.session.restart_due());
        two.offerer.session.handle_offer_refused(two.now);
        CHECK_FALSE(two.offerer.session.has_offer());
    }
    CHECK(two.offerer.count<DescriptionReady>() == 4);
    // For as long as they want, with consent both ways.
    two.run(10min);
    CHECK(two.offerer.session.route()->pair == before.pair);
    CHECK(two.answerer.session.route());
    CHECK(two.offerer.count<RouteLost>() == 0);
    CHECK(two.answerer.count<RouteLost>() == 0);
    // It may be tried again, by either side.
    two.restart(two.offerer, two.answerer);
    two.run(12s);
    CHECK(two.offerer.session.path().state() == ice::State::Completed);
    CHECK(two.answerer.session.path().state() == ice::State::Completed);
}

TEST_CASE("restart: after a refusal the peer's own offer is taken") {
    Two two;
    two.connect();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.answerer.session.handle_host_added(two.now, at("203.0.113.77:7000"));
    two.run(1s);
    two.offerer.session.restart(two.now);
    two.run(0s);
    two.offerer.session.handle_offer_refused(two.now);
    two.restart(two.answerer, two.offerer);
    two.run(12s);
    CHECK(two.offerer.session.path().state() == ice::State::Completed);
    CHECK(two.answerer.session.path().state() == ice::State::Completed);
    CHECK_FALSE(two.offerer.session.restart_due());
    CHECK_FALSE(two.answerer.session.restart_due());
}

TEST_CASE("restart: an offer that cannot be taken changes nothing") {
    Two two;
    two.connect();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.run(1s);
    two.offerer.session.restart(two.now);
    const std::string good = two.offerer.description();
    const auto now_carrier = carrier_of(good);
    const Side& told = two.offerer;
    std::string first;
    for (const HttpSessionEvent& event : told.events) {
        const auto* const ready = std::get_if<DescriptionReady>(&event);
        if (ready != nullptr && first.empty()) first = ready->sdp;
    }
    const auto old_carrier = carrier_of(first);
    const struct {
        const char* what;
        std::string sdp;
        SessionFault fault;
    } cases[] = {
        {"no SDP", "hello", SessionFault::BadDescription},
        {"the section is refused", replaced(good, "m=application 9 ", "m=application 0 "),
         SessionFault::NoCarrier},
        {"another carrier", replaced(good, "UDP/QUIC h3", "TCP/TLS http"), SessionFault::NoCarrier},
        {"the user fragment alone is new", replaced(good, now_carrier.pwd, old_carrier.pwd),
         SessionFault::BadPath},
        {"the password alone is new", replaced(good, now_carrier.ufrag, old_carrier.ufrag),
         SessionFault::BadPath},
        {"a short password", replaced(good, now_carrier.pwd, "short"), SessionFault::BadPath},
        // A middle that would like to be the other end from now on.
        {"another certificate", replaced(good, "sha-256 01:01", "sha-256 02:01"),
         SessionFault::BadDescription},
        {"another connection", replaced(good, *now_carrier.tls_id, "aaaaaaaaaaaaaaaaaaaaaaaa"),
         SessionFault::BadDescription},
    };
    const connect::Description before = two.answerer.session.path().local_description();
    for (const auto& each : cases) {
        CAPTURE(each.what);
        const auto taken = two.answerer.session.handle_offer(two.now, each.sdp, two.fragments);
        REQUIRE_FALSE(taken);
        CHECK(taken.error() == each.fault);
        two.answerer.settle();
        CHECK(two.answerer.session.path().local_description() == before);
        CHECK(two.answerer.count<DescriptionReady>() == 1);
        CHECK(two.answerer.session.route());
    }
    CHECK(two.answerer.session.generation() == 0);
    CHECK(two.answerer.session.handle_offer(two.now, good, two.fragments));
    CHECK(two.answerer.session.generation() == 1);
}

TEST_CASE("restart: an answer that cannot be taken is a refusal") {
    for (int variant = 0; variant < 4; ++variant) {
        CAPTURE(variant);
        Two two;
        two.connect();
        const auto old = carrier_of(two.answerer.description());
        two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
        two.run(1s);
        two.offerer.session.restart(two.now);
        REQUIRE(
            two.answerer.session.handle_offer(two.now, two.offerer.description(), two.fragments));
        const std::string good = two.answerer.description();
        const auto renewed = carrier_of(good);
        const std::string bad[] = {
            "hello",
            replaced(good, renewed.ufrag, old.ufrag),  // no restart
            replaced(good, "m=application 9 ", "m=application 0 "),
            replaced(good, "sha-256 02:02", "sha-256 01:02"),
        };
        CHECK_FALSE(two.offerer.session.handle_answer(two.now, bad[variant], two.fragments));
        CHECK_FALSE(two.offerer.session.has_offer());
        two.run(2min);
        CHECK(two.offerer.session.route());
        CHECK(two.answerer.session.route());
    }
}

TEST_CASE("restart: the same offer again is answered with the same, and restarts nothing") {
    Two two;
    two.connect();
    const std::string answer = two.answerer.description();
    REQUIRE(two.answerer.session.handle_offer(two.now, two.offerer.description(), two.fragments));
    two.run(0s);
    CHECK(two.answerer.count<DescriptionReady>() == 2);
    CHECK(carrier_of(two.answerer.description()).ufrag == carrier_of(answer).ufrag);
    CHECK(two.answerer.session.generation() == 0);
    CHECK(two.answerer.session.path().state() == ice::State::Completed);
}

TEST_CASE("restart: candidates trickle in the new generation, old fragments are ignored") {
    Two two{Fragments::Taken, true};
    two.connect();
    const auto last_of = [&](Side& side) {
        side.session.handle_fragment_lost();
        return side.session.poll_fragment();
    };
    const std::string old = last_of(two.offerer).value();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.run(1s);
    two.restart(two.offerer, two.answerer);
    CHECK_FALSE(two.offerer.session.poll_fragment());
    CHECK(two.answerer.session.handle_fragment(two.now, old).error() ==
          FragmentFault::OtherGeneration);
    // A socket that comes while gathering goes on is told by a fragment, without another restart.
    two.offerer.session.handle_host_added(two.now, at("192.0.2.78:7001"));
    two.run(0s);
    CHECK_FALSE(two.offerer.session.restart_due());
    const auto fragment = two.offerer.session.poll_fragment();
    REQUIRE(fragment);
    CHECK(fragment->find("192.0.2.78 7001 typ host") != std::string::npos);
    CHECK(fragment->find(carrier_of(two.offerer.description()).ufrag) != std::string::npos);
    CHECK(two.answerer.session.handle_fragment(two.now, *fragment));
}

TEST_CASE("restart: between offer and answer fragments of before are ignored, later ones kept") {
    Two two;
    two.connect();
    two.answerer.session.handle_fragment_lost();
    const std::string old = two.answerer.session.poll_fragment().value();
    two.offerer.session.handle_host_removed(two.now, at("192.0.2.1:5000"));
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.run(0s);
    two.offerer.session.restart(two.now);
    REQUIRE(
        two.answerer.session.handle_offer(two.now, two.offerer.description(), Fragments::Taken));
    const std::string answer = two.answerer.description();
    CHECK(two.offerer.session.handle_fragment(two.now, old).error() ==
          FragmentFault::OtherGeneration);
    two.answerer.session.handle_fragment_lost();
    const auto overtaking = two.answerer.session.poll_fragment();
    REQUIRE(overtaking);
    CHECK(two.offerer.session.handle_fragment(two.now, *overtaking));
    CHECK_FALSE(two.offerer.session.poll_fragment());
    REQUIRE(two.offerer.session.handle_answer(two.now, answer, Fragments::Taken));
    two.run(1s);
    CHECK(two.offerer.session.route());
}

TEST_CASE("restart: who takes no fragments gets everything in the offer") {
    Two two{Fragments::NotTaken, true};
    two.run(limits::description_patience);
    two.connect();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.run(1s);
    two.offerer.session.restart(two.now);
    two.run(0s);
    CHECK(two.offerer.last<DescriptionReady>().sdp.find("192.0.2.77") == std::string::npos);
    two.run(limits::description_patience);
    CHECK(two.offerer.last<DescriptionReady>().sdp.find("192.0.2.77") != std::string::npos);
    CHECK(two.offerer.session.has_offer());
}

TEST_CASE("restart: the peer's offer comes while ours is being prepared, and is answered") {
    Two two{Fragments::NotTaken, true};
    two.run(limits::description_patience);
    two.connect();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.answerer.session.handle_host_added(two.now, at("203.0.113.77:7000"));
    two.run(1s);
    two.offerer.session.restart(two.now);
    CHECK(two.offerer.session.has_offer());
    two.answerer.session.restart(two.now);
    two.run(0s);
    REQUIRE(two.offerer.session.handle_offer(two.now, two.answerer.description(), two.fragments));
    CHECK_FALSE(two.offerer.session.has_offer());
    two.run(limits::description_patience);
    REQUIRE(two.offerer.last<DescriptionReady>().kind == DescriptionKind::Answer);
    REQUIRE(two.answerer.session.handle_answer(two.now, two.offerer.description(), two.fragments));
    two.run(12s);
    CHECK(two.offerer.session.path().state() == ice::State::Completed);
    CHECK(two.answerer.session.path().state() == ice::State::Completed);
    CHECK(two.offerer.session.generation() == 1);
}

TEST_CASE("restart: a new generation that finds nothing leaves data where it was") {
    Two two;
    two.connect();
    const connect::Route before = two.offerer.session.route().value();
    two.offerer.session.handle_host_added(two.now, at("192.0.2.77:7000"));
    two.run(1s);
    two.offerer.session.restart(two.now);
    REQUIRE(two.answerer.session.handle_offer(two.now, two.offerer.description(), two.fragments));
    // The answer names a place where nobody is.
    std::string answer = two.answerer.description();
    while (answer.find("203.0.113.1 6000") != std::string::npos) {
        answer = replaced(answer, "203.0.113.1 6000", "203.0.113.9 6000");
    }
    answer = replaced(answer, carrier_of(answer).pwd, std::string(24, 'x'));
    REQUIRE(two.offerer.session.handle_answer(two.now, answer, two.fragments));
    two.run(2min);
    REQUIRE(two.offerer.session.route());
    CHECK(two.offerer.session.route()->pair == before.pair);
    CHECK(two.offerer.count<RouteLost>() == 0);
    CHECK(two.offerer.count<Failed>() == 0);
    // It is worth another try.
    CHECK(two.offerer.session.restart_due());
}

}  // namespace
}  // namespace stile::session
