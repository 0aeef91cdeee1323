// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Two sessions without SIP, on an open network.
#pragma once

#include <stile/base/drain.hpp>
#include <stile/session/http_session.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace stile::session::test {

using namespace std::chrono_literals;

inline SocketAddress at(std::string_view text) {
    const auto parsed = SocketAddress::parse(text);
    REQUIRE(parsed);
    return *parsed;
}

inline identity::Fingerprint fingerprint(std::uint8_t octet) {
    return {.hash = identity::HashFunction::Sha256,
            .octets = crypto::Digest{BytesView{Bytes(32, std::byte{octet})}}};
}

inline HttpSessionConfig config_of(Part part, std::string_view host,
                                   Trickling trickling = Trickling::Full) {
    HttpSessionConfig config;
    config.part = part;
    config.trickling = trickling;
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

    explicit Two(Fragments taken = Fragments::Taken, bool has_silent_server = false,
                 Trickling trickling = Trickling::Full)
        : fragments(taken),
          offerer(
              with_server(config_of(Part::Offerer, "192.0.2.1:5000", trickling), has_silent_server),
              1),
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

inline sdp::CarrierParameters carrier_of(const std::string& description) {
    const auto parsed = sdp::Description::parse(description);
    REQUIRE(parsed);
    const auto carrier = sdp::read_carrier(*parsed, 0);
    REQUIRE(carrier);
    return *carrier;
}

inline sdp::Origin origin_of(const std::string& description) {
    return sdp::Description::parse(description).value().origin;
}

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t found = text.find(from);
    REQUIRE(found != std::string::npos);
    return text.replace(found, from.size(), to);
}

}  // namespace stile::session::test
