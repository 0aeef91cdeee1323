// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// RFC 8445 Section 14.2: all transactions of an implementation together, at most one in 5 ms.
#include "support.hpp"

namespace stile::connect {
namespace {

using namespace std::chrono_literals;
using namespace test;

// Requests as they leave, of all sides, in order; and everybody hears everybody at once.
class Crowd {
public:
    explicit Crowd(Pacing pacing) : pacing_(pacing) {
        for (std::uint64_t i = 0; i < pairs; ++i) {
            for (const bool is_left : {true, false}) {
                ConnectorConfig config = config_with({}, {"198.51.100.1:3478"});
                config.hosts = {host(i, is_left)};
                config.pacing = pacing;
                config.ice.role = is_left ? ice::Role::Controlling : ice::Role::Controlled;
                connectors_.emplace_back(Instant{}, config, random(2 * i + (is_left ? 0 : 1)));
            }
        }
        for (std::size_t i = 0; i < connectors_.size(); i += 2) {
            tell(connectors_[i], connectors_[i + 1]);
            tell(connectors_[i + 1], connectors_[i]);
        }
    }

    void run(Duration time) {
        const Instant end = now_ + time;
        for (;;) {
            while (pass_on()) {
            }
            std::optional<Instant> next;
            for (const Connector& each : connectors_) next = earlier(next, each.poll_timeout());
            if (!next || *next > end) return;
            now_ = std::max(now_, *next);
            for (Connector& each : connectors_) {
                const auto due = each.poll_timeout();
                if (!due || *due > now_) continue;
                if (pacing_ == Pacing::Shared) {
                    each.handle_timeout(now_, pacer_);
                } else {
                    each.handle_timeout(now_);
                }
            }
        }
    }
    bool all_have_routes() const {
        return std::ranges::all_of(connectors_,
                                   [](const Connector& each) { return each.route().has_value(); });
    }
    Duration least_distance() const {
        Duration least = 1h;
        for (std::size_t i = 1; i < requests_.size(); ++i) {
            least = std::min(least, requests_[i] - requests_[i - 1]);
        }
        return least;
    }
    std::size_t requests() const { return requests_.size(); }

private:
    static constexpr std::uint64_t pairs = 8;

    static SocketAddress host(std::uint64_t number, bool is_left) {
        return {IpAddress::v4({192, 0, is_left ? std::uint8_t{2} : std::uint8_t{3},
                               static_cast<std::uint8_t>(number + 1)}),
                Port{5000}};
    }
    static void tell(Connector& one, const Connector& other) {
        REQUIRE(one.set_remote_description(Instant{}, other.local_description()));
    }

    // Consent requests are not paced, so that the run ends before the first one.
    bool pass_on() {
        bool any = false;
        for (Connector& each : connectors_) {
            while (each.poll_event()) any = true;
            while (const auto out = each.poll_transmit()) {
                any = true;
                const auto message = stun::MessageView::parse(out->payload);
                REQUIRE(message);
                if (message->message_class() == stun::Class::Request) requests_.push_back(now_);
                deliver(out->path, to_bytes(out->payload));
            }
        }
        return any;
    }
    void deliver(const Path& path, const Bytes& octets) {
        for (std::uint64_t i = 0; i < connectors_.size(); ++i) {
            if (host(i / 2, i % 2 == 0) == path.remote) {
                connectors_[i].handle_datagram(now_, {path.remote, path.local}, octets);
            }
        }
    }

    Pacing pacing_;
    ice::Pacer pacer_;
    std::vector<Connector> connectors_;
    std::vector<Instant> requests_;
    Instant now_{};
};

TEST_CASE(
    "connector pacing: transactions of many connectors are 5 ms apart, gathering and checks "
    "alike") {
    Crowd crowd{Pacing::Shared};
    crowd.run(400ms);
    CHECK(crowd.all_have_routes());
    CHECK(crowd.requests() >= 32);
    CHECK(crowd.least_distance() >= 5ms);
}

TEST_CASE("connector pacing: without a shared pacer each has its own") {
    Crowd crowd{Pacing::Own};
    crowd.run(400ms);
    CHECK(crowd.all_have_routes());
    CHECK(crowd.least_distance() == 0ms);
}

TEST_CASE("connector pacing: of one connector gathering and checks share the turns") {
    Driven driven{config_with({"192.0.2.1:5000"}, {"198.51.100.1:3478", "198.51.100.2:3478"},
                              {"198.51.100.3:3478"})};
    Description remote = Driven{config_with({"203.0.113.1:6000", "203.0.113.2:6000"}), 2}
                             .connector.local_description();
    REQUIRE(driven.connector.set_remote_description(driven.now, remote));
    driven.pass(100ms);
    REQUIRE(driven.sent.size() == 5);
    for (std::size_t i = 1; i < driven.sent.size(); ++i) {
        CHECK(driven.sent[i].when - driven.sent[i - 1].when >= 5ms);
    }
}

}  // namespace
}  // namespace stile::connect
