// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Random lives of allocations in virtual time, against an oracle of the RFCs' rules. A failure
// names the seed. More seeds than the default: STILE_SEEDS=N.
#include "judged_server.hpp"

namespace stile::turn::test {
namespace {

using stun::Class;
using stun::Method;

const SocketAddress peers[] = {address("8.8.8.8:9000"), address("8.8.8.8:9001"),
                               address("9.9.9.9:7"), address("10.0.0.1:1"), address("[2a00::5]:5")};

// Somebody who makes valid requests at random and keeps no rule.
struct Stranger {
    ClientFlow flow;
    std::string user;
    stun::LongTermClient authentication;
};

class Strangers {
public:
    explicit Strangers(std::uint64_t seed) : judged{seed}, random{judged.random.fork()} {
        const ClientTransport transports[] = {ClientTransport::Udp, ClientTransport::Udp,
                                              ClientTransport::Tcp, ClientTransport::Tls};
        for (std::uint16_t i = 0; i < 6; ++i) {
            const std::string user = i % 3 == 2 ? "bob" : "alice";
            add(transports[i % 4], user);
        }
    }
    void step() {
        judged.advance_to(moment());
        Stranger& who = strangers[random.below(strangers.size())];
        switch (random.below(16)) {
            case 0:
            case 1:
                return allocate(who);
            case 2:
                return refresh(who);
            case 3:
            case 4:
                return permit(who);
            case 5:
            case 6:
                return bind(who);
            case 7:
            case 8:
                return send(who);
            case 9:
            case 10:
                return send_on_channel(who);
            case 11:
            case 12:
                return hear();
            case 13:
                return connect(who);
            case 14:
                return join(who);
            case 15:
                return change(who);
        }
    }

private:
    void add(ClientTransport transport, const std::string& user) {
        const auto port = static_cast<std::uint16_t>(40000 + strangers.size());
        strangers.push_back(
            {.flow = {.local = server_address,
                      .remote = {.ip = ip("198.51.100.7"), .port = {port}},
                      .transport = transport},
             .user = user,
             .authentication = stun::LongTermClient{
                 {.username = user, .password = user == "alice" ? "secret" : "hidden"}}});
    }
    // Now, later, or just before, at and after the end of something.
    Instant moment() {
        const auto next = judged.oracle.next();
        switch (random.below(6)) {
            case 0:
                return judged.now;
            case 1:
                return judged.now + std::chrono::seconds{random.below(400)};
            case 2:
                if (!next) return judged.now;
                return std::max(judged.now, *next - 1ns + Duration{random.below(3)});
            default:
                return judged.now + std::chrono::milliseconds{random.below(40'000)};
        }
    }
    SocketAddress any_peer() {
        const auto& allocations = judged.oracle.all();
        if (!allocations.empty() && random.below(3) == 0) {
            auto chosen = allocations.begin();
            std::advance(chosen, static_cast<std::ptrdiff_t>(random.below(allocations.size())));
            return chosen->second.relayed;
        }
        return peers[random.below(std::size(peers))];
    }
    std::string text() { return "data " + std::to_string(random.below(1000)); }

    // Answers challenges; the last answer, empty where the server asked too often.
    template <class Fill>
    Bytes ask(Stranger& who, Method method, Fill&& fill) {
        for (int attempt = 0; attempt < 3; ++attempt) {
            stun::MessageBuilder builder{Class::Request, method,
                                         stun::TransactionId::random(random)};
            fill(builder);
            who.authentication.authenticate(builder);
            const Bytes request = builder.finish();
            auto output = judged.from_client(who.flow, who.user, request);
            // The same again, as a network would have it, leads to the same or to a mismatch.
            if (random.below(10) == 0) judged.from_client(who.flow, who.user, request);
            if (output.to_clients.empty()) return {};
            const auto answer = stun::MessageView::parse(output.to_clients.back().second).value();
            using Outcome = stun::LongTermClient::Outcome;
            const auto outcome = who.authentication.handle_response(
                stun::MessageView::parse(request).value(), answer);
            if (outcome != Outcome::Retry) return output.to_clients.back().second;
        }
        return {};
    }
    void allocate(Stranger& who) {
        judged.oracle.ports =
            random.below(10) == 0 ? Oracle::Ports::None : Oracle::Ports::Available;
        const bool tcp = is_stream(who.flow.transport) && random.below(2) == 0;
        const auto special = random.below(4);
        const std::chrono::seconds lifetime{random.below(5000)};
        const Bytes answer = ask(who, Method::Allocate, [&](stun::MessageBuilder& builder) {
            builder.add(stun::RequestedTransport{tcp ? stun::RequestedTransport::tcp
                                                     : stun::RequestedTransport::udp});
            if (lifetime.count() > 2000) builder.add(stun::Lifetime{lifetime});
            if (tcp) return;
            if (special == 0) builder.add(stun::EvenPort{stun::EvenPort::Next::Reserve});
            if (special == 1) builder.add(stun::EvenPort{});
            if (special == 2 && token) builder.add(*token);
        });
        const auto parsed = stun::MessageView::parse(answer);
        if (!parsed) return;
        if (const auto made = parsed->get<stun::ReservationToken>()) token = *made;
    }
    void refresh(Stranger& who) {
        const auto lifetime = std::chrono::seconds{random.below(3) == 0 ? 0 : random.below(5000)};
        ask(who, Method::Refresh,
            [&](stun::MessageBuilder& builder) { builder.add(stun::Lifetime{lifetime}); });
    }
    void permit(Stranger& who) {
        const auto peer = any_peer();
        ask(who, Method::CreatePermission,
            [&](stun::MessageBuilder& builder) { builder.add(stun::XorPeerAddress{peer}); });
    }
    void bind(Stranger& who) {
        const auto peer = any_peer();
        const auto number = static_cast<std::uint16_t>(0x3FFF + random.below(5));
        ask(who, Method::ChannelBind, [&](stun::MessageBuilder& builder) {
            builder.add(stun::ChannelNumberAttribute{number}).add(stun::XorPeerAddress{peer});
        });
    }
    void send(Stranger& who) {
        const auto payload = text();
        stun::MessageBuilder builder{Class::Indication, Method::Send,
                                     stun::TransactionId::random(random)};
        builder.add(stun::XorPeerAddress{any_peer()}).add(stun::Data{as_bytes(payload)});
        judged.from_client(who.flow, who.user, builder.finish());
    }
    void send_on_channel(Stranger& who) {
        const auto number = static_cast<std::uint16_t>(0x4000 + random.below(4));
        const auto payload = text();
        Bytes message = to_bytes(channel_header({number}, payload.size()));
        const auto octets = as_bytes(payload);
        message.insert(message.end(), octets.begin(), octets.end());
        judged.from_client(who.flow, who.user, message);
    }
    void hear() {
        for (const auto& [flow, allocation] : judged.oracle.all()) {
            const auto peer = peers[random.below(3)];
            if (allocation.protocol == RelayProtocol::Tcp) {
                const auto from = SocketAddress{
                    .ip = peer.ip, .port = {static_cast<std::uint16_t>(1 + random.below(60'000))}};
                judged.connection_from(from, SocketAddress{allocation.relayed});
                return;
            }
            judged.from_peer(peer, SocketAddress{allocation.relayed}, text());
        }
    }
    void connect(Stranger& who) {
        judged.oracle.peers = random.below(4) == 0 ? Oracle::Peers::Refuse : Oracle::Peers::Answer;
        const auto peer = any_peer();
        if (peer.ip.is_v6()) return;
        ask(who, Method::Connect,
            [&](stun::MessageBuilder& builder) { builder.add(stun::XorPeerAddress{peer}); });
    }
    // On a connection of its own, for a connection that is there, or was.
    void join(Stranger& who) {
        const auto ids = judged.oracle.connection_ids();
        if (ids.empty()) return;
        auto chosen = ids.begin();
        std::advance(chosen, static_cast<std::ptrdiff_t>(random.below(ids.size())));
        Stranger data{
            .flow = who.flow,
            .user = who.user,
            .authentication = stun::LongTermClient{
                {.username = who.user, .password = who.user == "alice" ? "secret" : "hidden"}}};
        data.flow.transport = ClientTransport::Tcp;
        data.flow.remote.port.value = next_data_port++;
        ask(data, Method::ConnectionBind,
            [&](stun::MessageBuilder& builder) { builder.add(stun::ConnectionId{*chosen}); });
    }
    // Another user on the same 5-tuple.
    void change(Stranger& who) {
        if (random.below(3) != 0) return;
        who.user = who.user == "alice" ? "bob" : "alice";
        who.authentication = stun::LongTermClient{
            {.username = who.user, .password = who.user == "alice" ? "secret" : "hidden"}};
    }

public:
    JudgedServer judged;

private:
    crypto::RandomStream random;
    std::vector<Stranger> strangers;
    std::optional<stun::ReservationToken> token;
    std::uint16_t next_data_port = 50000;
};

TEST_CASE("turn properties: whatever valid requests come, each answer is the RFCs'") {
    for (std::uint64_t seed = 1; seed <= seeds(1000); ++seed) {
        CAPTURE(seed);
        Strangers strangers{seed};
        for (int i = 0; i < 120; ++i) strangers.step();
        // And in the end nothing is left.
        strangers.judged.advance_to(strangers.judged.now + 3700s);
        REQUIRE(strangers.judged.server.allocations() == 0);
        REQUIRE(strangers.judged.server.relays() == 0);
        REQUIRE_FALSE(strangers.judged.server.poll_timeout());
    }
}

}  // namespace
}  // namespace stile::turn::test
