// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// The link against servers and names of the test's own, on loopback.
#include <doctest/doctest.h>
#include <stile/drivers/udp_socket.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/turn_link/turn_link.hpp>

#include <map>

namespace stile::turn_link {
namespace {

using namespace std::chrono_literals;
using stun::Class;
using turn::Client;

constexpr Duration patience = 20s;

SocketAddress loopback(std::uint16_t port = 0) {
    return {.ip = IpAddress::parse("127.0.0.1").value(), .port = {port}};
}

// Knows what it was told, and answers when the loop turns.
class Names final : public drivers::NameService {
public:
    explicit Names(drivers::Loop& loop) : loop_(loop) {}

    void addresses(const std::string& host, drivers::OnDnsAnswer<IpAddress> done) override {
        answer(known_addresses, host, std::move(done));
    }
    void srv(const std::string& name, drivers::OnDnsAnswer<drivers::SrvRecord> done) override {
        answer(known_srv, name, std::move(done));
    }
    void naptr(const std::string& name, drivers::OnDnsAnswer<drivers::NaptrRecord> done) override {
        answer(known_naptr, name, std::move(done));
    }

    std::map<std::string, std::vector<IpAddress>> known_addresses;
    std::map<std::string, std::vector<drivers::SrvRecord>> known_srv;
    std::map<std::string, std::vector<drivers::NaptrRecord>> known_naptr;

private:
    template <class Record>
    void answer(const std::map<std::string, std::vector<Record>>& known, const std::string& name,
                drivers::OnDnsAnswer<Record> done) {
        const auto found = known.find(name);
        drivers::DnsAnswer<Record> result = std::unexpected(
            drivers::DnsError{.failure = drivers::DnsFailure::NotFound, .text = name});
        if (found != known.end()) result = found->second;
        loop_.post([done = std::move(done), result = std::move(result)]() mutable {
            done(std::move(result));
        });
    }
    drivers::Loop& loop_;
};

// A UDP server that says one thing to every request.
struct Server {
    template <class Fill>
    Server(drivers::Loop& loop, Class message_class, Fill fill)
        : socket(drivers::UdpSocket::open(loop, loopback()).value()) {
        socket->on_datagrams([this, message_class, fill](auto batch) {
            for (const drivers::Datagram& datagram : batch) {
                const auto request = stun::MessageView::parse(datagram.payload);
                if (!request) continue;
                ++requests;
                auto builder = stun::MessageBuilder::reply(*request, message_class);
                fill(builder);
                const Bytes answer = builder.finish();
                socket->send(Transmit{.path = datagram.path, .payload = answer});
            }
        });
    }
    std::uint16_t port() const { return socket->local_address().port.value; }

    std::unique_ptr<drivers::UdpSocket> socket;
    std::size_t requests = 0;
};

void allocate(stun::MessageBuilder& builder) {
    builder.add(stun::XorRelayedAddress{loopback(50000)});
    builder.add(stun::XorMappedAddress{loopback(40000)});
    builder.add(stun::Lifetime{600s});
}

struct Fixture {
    drivers::Loop loop;
    Names names{loop};
    std::unique_ptr<TurnLink> link;
    bool allocated = false;
    std::optional<LinkFailure> failure;

    TurnLinkOptions options(const std::string& uri) {
        TurnLinkOptions made;
        made.uri = turn::TurnUri::parse(uri).value();
        made.client.username = "alice";
        made.client.password = "secret";
        return made;
    }
    void open(TurnLinkOptions wishes) {
        link = std::make_unique<TurnLink>(
            loop, names, std::move(wishes),
            TurnLink::Handlers{.on_event =
                                   [this](const Client::Event& event) {
                                       if (std::holds_alternative<Client::Allocated>(event))
                                           allocated = true;
                                   },
                               .on_data = {},
                               .on_ended = [this](const LinkFailure& why) { failure = why; }});
        CHECK_FALSE(allocated);
        CHECK_FALSE(failure);
        CHECK(loop.run_until([this] { return allocated || failure; }, patience) ==
              drivers::Loop::Outcome::Done);
    }
};

TEST_CASE("turn link: finds its server by NAPTR and SRV") {
    Fixture fixture;
    Server server{fixture.loop, Class::SuccessResponse, allocate};
    fixture.names.known_naptr["example.org"] = {
        {.flags = "s", .service = "RELAY:turn.udp", .replacement = "_turn._udp.example.org"}};
    fixture.names.known_srv["_turn._udp.example.org"] = {
        {.port = {server.port()}, .target = "relay.example.org"}};
    fixture.names.known_addresses["relay.example.org"] = {loopback().ip};
    fixture.open(fixture.options("turn:example.org"));
    REQUIRE(fixture.allocated);
    CHECK(fixture.link->server()->address == loopback(server.port()));
    CHECK(fixture.link->relayed().size() == 1);
    CHECK(fixture.link->security().empty());
}

TEST_CASE("turn link: where nothing listens the next server is tried") {
    Fixture fixture;
    Server server{fixture.loop, Class::SuccessResponse, allocate};
    std::uint16_t closed = 0;
    {
        const auto gone = drivers::UdpSocket::open(fixture.loop, loopback()).value();
        closed = gone->local_address().port.value;
    }
    for (const std::string scheme : {"_turn._udp.", "_turn._tcp."}) {
        fixture.names.known_srv[scheme + "example.org"] = {
            {.priority = 1, .port = {closed}, .target = "a.example.org"},
            {.priority = 2, .port = {server.port()}, .target = "a.example.org"}};
    }
    fixture.names.known_addresses["a.example.org"] = {loopback().ip};
    fixture.open(fixture.options("turn:example.org?transport=udp"));
    CHECK(fixture.allocated);
    CHECK(fixture.link->server()->address.port.value == server.port());

    // Nobody speaks TCP there at all.
    fixture.allocated = false;
    fixture.open(fixture.options("turn:example.org?transport=tcp"));
    REQUIRE(fixture.failure);
    CHECK(fixture.failure->stage == LinkFailure::Stage::Connecting);
    REQUIRE(fixture.failure->closed);
    CHECK(fixture.failure->closed->reason == drivers::CloseReason::Refused);
}

TEST_CASE("turn link: follows a server that sends it elsewhere, but in no circle") {
    Fixture fixture;
    Server last{fixture.loop, Class::SuccessResponse, allocate};
    Server first{fixture.loop, Class::ErrorResponse, [&](stun::MessageBuilder& builder) {
                     builder.add(stun::error::try_alternate);
                     builder.add(stun::AlternateServer{loopback(last.port())});
                 }};
    fixture.open(fixture.options("turn:127.0.0.1:" + std::to_string(first.port())));
    CHECK(fixture.allocated);
    CHECK(fixture.link->server()->address.port.value == last.port());

    Fixture circle;
    std::uint16_t back = 0;
    Server one{circle.loop, Class::ErrorResponse, [&](stun::MessageBuilder& builder) {
                   builder.add(stun::error::try_alternate);
                   builder.add(stun::AlternateServer{loopback(back)});
               }};
    Server two{circle.loop, Class::ErrorResponse, [&](stun::MessageBuilder& builder) {
                   builder.add(stun::error::try_alternate);
                   builder.add(stun::AlternateServer{loopback(one.port())});
               }};
    back = two.port();
    circle.open(circle.options("turn:127.0.0.1:" + std::to_string(one.port()) + "?transport=udp"));
    REQUIRE(circle.failure);
    CHECK(circle.failure->stage == LinkFailure::Stage::Allocating);
    CHECK(circle.failure->failure->kind == turn::FailureKind::TryAlternate);
    CHECK(one.requests == 1);
    CHECK(two.requests == 1);
}

TEST_CASE("turn link: a refusal that would be the same elsewhere is the end") {
    Fixture fixture;
    Server refusing{fixture.loop, Class::ErrorResponse, [](stun::MessageBuilder& builder) {
                        builder.add(stun::error::allocation_quota_reached);
                    }};
    Server unasked{fixture.loop, Class::SuccessResponse, allocate};
    fixture.names.known_srv["_turn._udp.example.org"] = {
        {.priority = 1, .port = {refusing.port()}, .target = "a.example.org"},
        {.priority = 2, .port = {unasked.port()}, .target = "a.example.org"}};
    fixture.names.known_addresses["a.example.org"] = {loopback().ip};
    fixture.open(fixture.options("turn:example.org?transport=udp"));
    REQUIRE(fixture.failure);
    CHECK(fixture.failure->failure->kind == turn::FailureKind::QuotaReached);
    CHECK(unasked.requests == 0);
}

TEST_CASE("turn link: says what cannot be, after the constructor") {
    Fixture fixture;
    fixture.open(fixture.options("turns:127.0.0.1"));
    REQUIRE(fixture.failure);
    CHECK(fixture.failure->stage == LinkFailure::Stage::Options);

    Fixture unknown;
    unknown.open(unknown.options("turn:nowhere.example.org"));
    REQUIRE(unknown.failure);
    CHECK(unknown.failure->stage == LinkFailure::Stage::Resolving);

    Fixture strange;
    auto options = strange.options("turn:127.0.0.1");
    options.client.password = "bell\a";
    strange.open(std::move(options));
    REQUIRE(strange.failure);
    CHECK(strange.failure->stage == LinkFailure::Stage::Options);

    Fixture untrusted;
    auto secure = untrusted.options("turns:127.0.0.1:9");
    secure.server_name = "relay.example.org";
    secure.ca_pem = "no certificate";
    untrusted.open(std::move(secure));
    REQUIRE(untrusted.failure);
    CHECK(untrusted.failure->stage == LinkFailure::Stage::Connecting);
}

TEST_CASE("turn link: a callback may destroy the link, at the first word and at the last") {
    for (const Class answer : {Class::SuccessResponse, Class::ErrorResponse}) {
        drivers::Loop loop;
        Names names{loop};
        Server server{loop, answer, [&](stun::MessageBuilder& builder) {
                          if (answer == Class::SuccessResponse) return allocate(builder);
                          builder.add(stun::error::forbidden);
                      }};
        TurnLinkOptions options;
        options.uri =
            turn::TurnUri::parse("turn:127.0.0.1:" + std::to_string(server.port())).value();
        std::unique_ptr<TurnLink> link;
        bool done = false;
        const auto destroy = [&] {
            link.reset();
            done = true;
        };
        link = std::make_unique<TurnLink>(
            loop, names, options,
            TurnLink::Handlers{.on_event = [&](const Client::Event&) { destroy(); },
                               .on_data = {},
                               .on_ended = [&](const LinkFailure&) { destroy(); }});
        CHECK(loop.run_until([&] { return done; }, patience) == drivers::Loop::Outcome::Done);
        CHECK_FALSE(link);
    }
    // And nobody minds when it goes before anything happened.
    drivers::Loop loop;
    Names names{loop};
    TurnLinkOptions options;
    options.uri = turn::TurnUri::parse("turn:127.0.0.1:9").value();
    {
        const TurnLink link{loop, names, options, {}};
    }
    bool turned = false;
    loop.post([&] { turned = true; });
    loop.run_until([&] { return turned; }, patience);
}

}  // namespace
}  // namespace stile::turn_link
