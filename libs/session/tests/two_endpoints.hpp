// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/drain.hpp>
#include <stile/session/endpoint.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <functional>
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

// One of two endpoints whose connections are tied together: what a server between them passes on.
struct Person {
    Endpoint endpoint;
    sip::FlowId flow;
    std::string host;
    std::vector<EndpointEvent> events = {};
    std::string written = {};  // and not yet carried over
    std::string log = {};      // all that was written
    std::vector<std::pair<Path, Bytes>> datagrams = {};
    std::vector<SocketAddress> sockets = {};
    std::optional<SessionId> session = {};
    bool is_online = false;

    Person(std::string name, Purpose purpose, std::string ip, std::uint64_t seed)
        : endpoint(
              Instant{},
              {.address = name + "@example.org",
               .instance = "urn:uuid:00000000-0000-4000-8000-00000000000" + std::to_string(seed),
               .software = "test",
               .purpose = purpose,
               .fingerprint = {.hash = identity::HashFunction::Sha256,
                               .octets = crypto::Digest{BytesView{
                                   Bytes(32, static_cast<std::byte>(seed))}}}},
              crypto::RandomStream{crypto::seed_from_number(seed)}),
          flow{seed},
          host(std::move(ip)) {}

    std::optional<Instant> settle() {
        return drain(
            endpoint,
            [&](const EndpointTransmit& out) {
                if (const auto* const text = std::get_if<sip::Outgoing>(&out)) {
                    written += as_text(text->bytes);
                    log += as_text(text->bytes);
                } else {
                    const Transmit& datagram = std::get<PathTransmit>(out).datagram;
                    datagrams.emplace_back(datagram.path, to_bytes(datagram.payload));
                }
            },
            [&](EndpointEvent event) {
                if (const auto* const incoming = std::get_if<Incoming>(&event)) {
                    session = incoming->session;
                }
                events.push_back(std::move(event));
            });
    }
    template <class Kind>
    std::size_t count() const {
        return static_cast<std::size_t>(std::ranges::count_if(
            events, [](const auto& event) { return std::holds_alternative<Kind>(event); }));
    }
    template <class Kind>
    const Kind* last() const {
        const Kind* found = nullptr;
        for (const EndpointEvent& event : events) {
            if (const auto* const one = std::get_if<Kind>(&event)) found = one;
        }
        return found;
    }
    // Lines that begin so, of all that was written.
    std::size_t wrote(std::string_view start) const {
        std::size_t found = log.starts_with(start) ? 1 : 0;
        const std::string line = "\n" + std::string{start};
        for (std::size_t i = log.find(line); i != std::string::npos; i = log.find(line, i + 1)) {
            ++found;
        }
        return found;
    }
    const HttpSession& its() const {
        const HttpSession* const found = endpoint.find(session.value());
        REQUIRE(found != nullptr);
        return *found;
    }
    bool has_route() const {
        const HttpSession* const found = session ? endpoint.find(*session) : nullptr;
        return found != nullptr && found->route();
    }
};

// Alice fetches from Bob. Datagrams and signalling arrive at once, unless a test says otherwise.
struct TwoEndpoints {
    Person alice{"alice", Purpose::Ask, "192.0.2.1", 1};
    Person bob{"bob", Purpose::Serve, "203.0.113.1", 2};
    Instant now{};
    bool is_cut = false;     // the network of the paths
    bool is_shared = false;  // sessions of a person use the same sockets
    // What becomes of signalling on its way; empty: it is lost.
    std::function<std::string(const Person& from, std::string text)> middle =
        [](const Person&, std::string text) { return text; };

    TwoEndpoints() {
        for (Person* const person : {&alice, &bob}) {
            person->endpoint.start(now);
            go_online(*person);
        }
        // Nobody registers here.
        bob.written.clear();
    }
    Person& other(const Person& person) { return &person == &alice ? bob : alice; }

    void go_online(Person& person) {
        person.flow = sip::FlowId{person.flow.value + 10};
        person.is_online = true;
        person.endpoint.handle_flow_opened(
            now, {.id = person.flow,
                  .transport = sip::TransportKind::Tls,
                  .remote = at("198.51.100.1:5061"),
                  .sent_by = {.host = sip::Host::parse(person.host).value(), .port = Port{5062}}});
        person.settle();
    }
    void go_offline(Person& person) {
        person.is_online = false;
        person.endpoint.handle_flow_closed(now, person.flow);
        person.settle();
    }
    connect::ConnectorConfig path(Person& person) {
        connect::ConnectorConfig config;
        config.hosts = {at(person.host + ":5000")};
        if (is_shared) config.sockets = connect::Sockets::Shared;
        person.sockets = config.hosts;
        return config;
    }
    void add_host(Person& person, std::string_view address) {
        person.sockets.push_back(at(address));
        person.endpoint.handle_host_added(now, person.session.value(), at(address));
    }
    void remove_host(Person& person, std::string_view address) {
        std::erase(person.sockets, at(address));
        person.endpoint.handle_host_removed(now, person.session.value(), at(address));
    }
    void connect() {
        alice.session = alice.endpoint.fetch(now, "bob@example.org", path(alice)).value();
        run(10ms);
        REQUIRE(bob.session);
        bob.endpoint.accept(now, *bob.session, path(bob));
        run(12s);
        REQUIRE(alice.its().path().state() == ice::State::Completed);
        REQUIRE(bob.its().path().state() == ice::State::Completed);
    }
    void run(Duration time) { run_to(now + time); }
    void run_to(Instant end) {
        for (;;) {
            carry();
            const auto wake = earlier(alice.settle(), bob.settle());
            if (!wake || *wake > end) break;
            now = std::max(now, *wake);
            alice.endpoint.handle_timeout(now);
            bob.endpoint.handle_timeout(now);
        }
        now = end;
    }
    void carry() {
        for (bool is_busy = true; is_busy;) {
            is_busy = false;
            // Both have spoken before either hears: messages may cross.
            alice.settle();
            bob.settle();
            const std::string texts[] = {std::exchange(alice.written, {}),
                                         std::exchange(bob.written, {})};
            is_busy |= hand_over(alice, texts[0]);
            is_busy |= hand_over(bob, texts[1]);
            for (Person* const from : {&alice, &bob}) {
                for (auto& [path, octets] : std::exchange(from->datagrams, {})) {
                    Person& to = other(*from);
                    const auto& open = to.sockets;
                    const auto& own = from->sockets;
                    if (is_cut || std::ranges::find(open, path.remote) == open.end()) continue;
                    if (std::ranges::find(own, path.local) == own.end() || !to.session) continue;
                    deliver(to, {path.remote, path.local}, octets);
                    is_busy = true;
                }
            }
        }
    }
    void deliver(Person& to, const Path& path, const Bytes& octets) {
        std::vector<SessionId> sessions{*to.session};
        if (is_shared) {
            const auto receivers = to.endpoint.receivers(now, path, octets);
            sessions.assign(receivers.begin(), receivers.end());
        }
        for (const SessionId session : sessions) {
            (void)to.endpoint.handle_datagram(now, session, path, octets);
        }
    }
    bool hand_over(const Person& from, const std::string& written) {
        Person& to = other(from);
        if (written.empty() || !from.is_online) return false;
        const std::string text = middle(from, written);
        if (!text.empty() && to.is_online)
            CHECK(to.endpoint.handle_signalling(now, to.flow, as_bytes(text)));
        return true;
    }
};

}  // namespace stile::session::test
