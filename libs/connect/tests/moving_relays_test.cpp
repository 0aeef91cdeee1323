// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Relays that come along to another socket. Whole switches of an uplink: sim/sessions.
#include "support.hpp"

namespace stile::connect {
namespace {

using namespace test;

const SocketAddress server = *SocketAddress::parse("198.51.100.2:3478");
const SocketAddress relayed = *SocketAddress::parse("198.51.100.2:50000");
const SocketAddress old_host = *SocketAddress::parse("192.0.2.1:5000");
const SocketAddress new_host = *SocketAddress::parse("192.0.2.77:5001");

std::vector<Sent> requests(const Driven& driven, stun::Method method) {
    std::vector<Sent> found;
    for (const Sent& sent : driven.sent) {
        const auto message = stun::MessageView::parse(BytesView{sent.octets});
        if (message && message->method() == method) found.push_back(sent);
    }
    return found;
}

std::optional<std::string> ticket_in(BytesView request) {
    const auto message = stun::MessageView::parse(request);
    REQUIRE(message);
    const auto ticket = message->get<stun::MobilityTicket>();
    return ticket ? std::optional{to_text(ticket->octets)} : std::nullopt;
}

enum class Ticket : std::uint8_t { None, Given };

Bytes succeeded(BytesView request, Ticket ticket, std::string_view text = "ticket") {
    const auto message = stun::MessageView::parse(request);
    REQUIRE(message);
    stun::MessageBuilder builder{stun::Class::SuccessResponse, message->method(), message->id()};
    if (message->method() == stun::Method::Allocate) {
        builder.add(stun::XorRelayedAddress{relayed});
        builder.add(stun::XorMappedAddress{at("203.0.113.7:41000")});
    }
    builder.add(stun::Lifetime{std::chrono::seconds{600}});
    if (ticket == Ticket::Given) builder.add(stun::MobilityTicket{as_bytes(text)});
    return builder.finish();
}

Bytes refused(BytesView request, stun::ErrorCode error) {
    const auto message = stun::MessageView::parse(request);
    REQUIRE(message);
    stun::MessageBuilder builder{stun::Class::ErrorResponse, message->method(), message->id()};
    builder.add(error);
    return builder.finish();
}

void answer(Driven& driven, const Sent& request, BytesView response) {
    driven.receive({request.path.local, request.path.remote}, response);
}

bool tells(const Driven& driven, const SocketAddress& address) {
    const auto& candidates = driven.connector.local_description().candidates;
    return std::ranges::any_of(candidates,
                               [&](const auto& each) { return each.address == address; });
}

// With a relay that has a ticket, or none.
struct Mobile : Driven {
    explicit Mobile(std::vector<std::string_view> hosts = {"192.0.2.1:5000"},
                    Ticket ticket = Ticket::Given, Sockets sockets = Sockets::Own)
        : Driven(with(hosts, sockets)) {
        const auto asked = requests(*this, stun::Method::Allocate);
        REQUIRE(asked.size() == 1);
        CHECK(ticket_in(asked[0].octets) == "");
        answer(*this, asked[0], succeeded(asked[0].octets, ticket, "first"));
        REQUIRE(tells(*this, relayed));
        sent.clear();
    }
    static ConnectorConfig with(const std::vector<std::string_view>& hosts, Sockets sockets) {
        ConnectorConfig config = config_with(hosts, {}, {"198.51.100.2:3478"});
        config.sockets = sockets;
        return config;
    }
    std::vector<Sent> allocates() const { return requests(*this, stun::Method::Allocate); }
    std::vector<Sent> moves() const {
        std::vector<Sent> found = requests(*this, stun::Method::Refresh);
        std::erase_if(found, [](const Sent& each) { return !ticket_in(each.octets); });
        return found;
    }
};

enum class Order : std::uint8_t { RemoveFirst, AddFirst };

void change_host(Driven& driven, Order order) {
    if (order == Order::AddFirst) CHECK(driven.connector.add_host(driven.now, new_host));
    driven.connector.remove_host(driven.now, old_host);
    if (order == Order::RemoveFirst) {
        driven.settle();
        CHECK(driven.connector.add_host(driven.now, new_host));
    }
    driven.settle();
}

TEST_CASE("connector moving relays: to the next socket, at once and before all else") {
    for (const Order order : {Order::RemoveFirst, Order::AddFirst}) {
        CAPTURE(static_cast<int>(order));
        Mobile mobile;
        change_host(mobile, order);
        REQUIRE(mobile.moves().size() == 1);
        const Sent move = mobile.moves()[0];
        CHECK(mobile.sent.front().octets == move.octets);
        CHECK(move.when == mobile.now);
        CHECK(move.path == Path{new_host, server});
        CHECK(ticket_in(move.octets) == "first");
        CHECK(tells(mobile, relayed));
        answer(mobile, move, succeeded(move.octets, Ticket::Given, "second"));
        CHECK(tells(mobile, relayed));
        CHECK(mobile.count<RelayFailed>() == 0);
        CHECK(mobile.allocates().empty());

        // It is alive there, and moves on with the next ticket.
        mobile.sent.clear();
        mobile.pass(40s);
        CHECK(mobile.allocates().empty());
        REQUIRE(requests(mobile, stun::Method::Binding).size() == 2);
        CHECK(requests(mobile, stun::Method::Binding)[0].path == Path{new_host, server});
        CHECK(mobile.connector.add_host(mobile.now, old_host));
        mobile.connector.remove_host(mobile.now, new_host);
        mobile.settle();
        REQUIRE(mobile.moves().size() == 1);
        CHECK(mobile.moves()[0].path == Path{old_host, server});
        CHECK(ticket_in(mobile.moves()[0].octets) == "second");
    }
}

TEST_CASE("connector moving relays: one without a ticket goes with its socket") {
    Mobile still{{"192.0.2.1:5000"}, Ticket::None};
    change_host(still, Order::RemoveFirst);
    CHECK_FALSE(tells(still, relayed));
    CHECK(still.last<RelayFailed>().failure.kind == turn::FailureKind::Unreachable);
    still.pass(100ms);
    CHECK(still.moves().empty());
    REQUIRE(still.allocates().size() == 1);
    CHECK(still.allocates()[0].path.local == new_host);
}

TEST_CASE("connector moving relays: where the server knows it no more, a new one is asked for") {
    using namespace stun::error;
    for (const stun::ErrorCode error :
         {allocation_mismatch, bad_request, wrong_credentials, mobility_forbidden}) {
        CAPTURE(error.code);
        Mobile mobile;
        change_host(mobile, Order::RemoveFirst);
        REQUIRE(mobile.moves().size() == 1);
        const Sent move = mobile.moves()[0];
        answer(mobile, move, refused(move.octets, error));
        CHECK_FALSE(tells(mobile, relayed));
        CHECK(mobile.count<RelayFailed>() == 1);
        mobile.pass(100ms);
        REQUIRE(mobile.allocates().size() == 1);
        CHECK(mobile.allocates()[0].path.local == new_host);
    }
}

TEST_CASE("connector moving relays: a socket that leads nowhere is followed by the next") {
    Mobile mobile{{"192.0.2.1:5000", "192.0.2.2:5000", "192.0.2.3:5000"}};
    mobile.connector.remove_host(mobile.now, old_host);
    mobile.settle();
    REQUIRE(mobile.moves().size() == 1);
    const SocketAddress first = mobile.moves()[0].path.local;
    mobile.sent.clear();
    mobile.pass(limits::move_patience + 10ms);
    const auto moves = mobile.moves();
    REQUIRE_FALSE(moves.empty());
    CHECK(moves.back().path.local != first);
    CHECK(moves.back().path.local != old_host);
    CHECK(tells(mobile, relayed));
    mobile.sent.clear();
    mobile.pass(limits::move_patience + 10ms);
    CHECK_FALSE(tells(mobile, relayed));
    CHECK(mobile.last<RelayFailed>().failure.kind == turn::FailureKind::TimedOut);
    CHECK(mobile.allocates().size() == 1);
}

TEST_CASE("connector moving relays: the socket it moves to goes, too") {
    Mobile mobile{{"192.0.2.1:5000", "192.0.2.2:5000"}};
    mobile.connector.remove_host(mobile.now, old_host);
    mobile.settle();
    mobile.connector.remove_host(mobile.now, at("192.0.2.2:5000"));
    mobile.settle();
    mobile.sent.clear();
    mobile.pass(5s);
    CHECK(mobile.sent.empty());
    CHECK(tells(mobile, relayed));
    CHECK(mobile.connector.add_host(mobile.now, new_host));
    mobile.settle();
    REQUIRE(mobile.moves().size() == 1);
    CHECK(mobile.moves()[0].path.local == new_host);
}

TEST_CASE("connector moving relays: one that waits too long for a socket is lost") {
    Mobile mobile;
    mobile.connector.remove_host(mobile.now, old_host);
    mobile.pass(limits::stranded_relay_patience - 1ms);
    CHECK(tells(mobile, relayed));
    mobile.pass(1ms);
    CHECK_FALSE(tells(mobile, relayed));
    CHECK(mobile.last<RelayFailed>().failure.kind == turn::FailureKind::Unreachable);
    CHECK(mobile.connector.add_host(mobile.now, new_host));
    mobile.pass(10ms);
    CHECK(mobile.moves().empty());
    CHECK(mobile.allocates().size() == 1);
}

TEST_CASE("connector moving relays: the socket of its own beside a shared one") {
    Mobile mobile{{"192.0.2.1:5000"}, Ticket::Given, Sockets::Shared};
    change_host(mobile, Order::AddFirst);
    REQUIRE(mobile.moves().size() == 1);
    const Sent move = mobile.moves()[0];
    CHECK(move.path == Path{own_socket_at(new_host), server});
    answer(mobile, move, succeeded(move.octets, Ticket::Given));
    CHECK(tells(mobile, relayed));
    CHECK(mobile.allocates().empty());
}

TEST_CASE("connector moving relays: to a network with IPv6 alone, by its NAT64") {
    ConnectorConfig config = Mobile::with({"192.0.2.1:5000"}, Sockets::Own);
    config.nat64_prefix = Nat64Prefix::well_known();
    Driven driven{config};
    const auto asked = requests(driven, stun::Method::Allocate);
    REQUIRE(asked.size() == 1);
    answer(driven, asked[0], succeeded(asked[0].octets, Ticket::Given));
    driven.sent.clear();
    driven.connector.remove_host(driven.now, old_host);
    CHECK(driven.connector.add_host(driven.now, at("[2001:db8::1]:5000")));
    driven.pass(100ms);
    const auto moves = requests(driven, stun::Method::Refresh);
    REQUIRE(moves.size() == 1);
    CHECK(moves[0].path == Path{at("[2001:db8::1]:5000"), at("[64:ff9b::198.51.100.2]:3478")});
    CHECK(requests(driven, stun::Method::Allocate).empty());
}

TEST_CASE("connector moving relays: a server that forbids it is asked so once") {
    Driven driven{Mobile::with({"192.0.2.1:5000"}, Sockets::Own)};
    const auto first = requests(driven, stun::Method::Allocate);
    REQUIRE(first.size() == 1);
    answer(driven, first[0], refused(first[0].octets, stun::error::mobility_forbidden));
    const auto second = requests(driven, stun::Method::Allocate);
    REQUIRE(second.size() == 2);
    CHECK_FALSE(ticket_in(second[1].octets));
    answer(driven, second[1], succeeded(second[1].octets, Ticket::None));
    CHECK(driven.connector.immobile_servers() == std::vector{server});
    driven.sent.clear();
    change_host(driven, Order::RemoveFirst);
    driven.pass(100ms);
    const auto again = requests(driven, stun::Method::Allocate);
    REQUIRE(again.size() == 1);
    CHECK_FALSE(ticket_in(again[0].octets));

    ConnectorConfig config = Mobile::with({"192.0.2.1:5000"}, Sockets::Own);
    config.turn_servers[0].mobility = turn::ClientConfig::Mobility::NotWanted;
    const Driven told{config};
    REQUIRE(requests(told, stun::Method::Allocate).size() == 1);
    CHECK_FALSE(ticket_in(requests(told, stun::Method::Allocate)[0].octets));
}

TEST_CASE("connector moving relays: after release nothing moves") {
    Mobile mobile;
    mobile.connector.remove_host(mobile.now, old_host);
    mobile.settle();
    mobile.connector.release(mobile.now);
    CHECK_FALSE(mobile.settle());
    CHECK(mobile.sent.empty());
}

// ---- over TCP ----------------------------------------------------------------------------------

struct MobileStream : Driven {
    MobileStream() : Driven(config()) {
        REQUIRE(count<StreamWanted>() == 1);
        open(at("192.0.2.1:45000"));
        REQUIRE(written.size() == 1);
        receive_octets(succeeded(written[0].octets, Ticket::Given, "first"));
        REQUIRE(tells(*this, relayed));
        written.clear();
    }
    static ConnectorConfig config() {
        ConnectorConfig config = config_with({"192.0.2.1:5000"});
        config.turn_servers.push_back(
            {server, "user", "password", turn::ClientTransport::Tls, "relay.example"});
        return config;
    }
    void open(const SocketAddress& local) {
        connector.handle_stream_opened(now, last<StreamWanted>().stream, {local, server});
        settle();
    }
    void receive_octets(BytesView octets) {
        connector.handle_stream_bytes(now, last<StreamWanted>().stream, octets);
        settle();
    }
};

TEST_CASE("connector moving relays: over a new connection when the old one breaks") {
    MobileStream mobile;
    const StreamId old = mobile.last<StreamWanted>().stream;
    mobile.connector.handle_stream_closed(mobile.now, old);
    mobile.settle();
    CHECK(tells(mobile, relayed));
    REQUIRE(mobile.count<StreamWanted>() == 2);
    CHECK(mobile.last<StreamWanted>().stream != old);
    CHECK(mobile.last<StreamWanted>().server_name == "relay.example");
    CHECK(mobile.last<StreamWanted>().security == StreamSecurity::Tls);
    mobile.open(at("192.0.2.1:45001"));
    REQUIRE(mobile.written.size() == 1);
    CHECK(ticket_in(mobile.written[0].octets) == "first");
    CHECK(mobile.written[0].stream == mobile.last<StreamWanted>().stream);
    mobile.receive_octets(succeeded(mobile.written[0].octets, Ticket::Given, "second"));
    CHECK(tells(mobile, relayed));
    CHECK(mobile.count<RelayFailed>() == 0);
    mobile.pass(20s);
    CHECK(mobile.count<StreamWanted>() == 2);
    // And once more.
    mobile.written.clear();
    mobile.connector.handle_stream_closed(mobile.now, mobile.last<StreamWanted>().stream);
    mobile.settle();
    REQUIRE(mobile.count<StreamWanted>() == 3);
    mobile.open(at("192.0.2.1:45002"));
    REQUIRE(mobile.written.size() == 1);
    CHECK(ticket_in(mobile.written[0].octets) == "second");
}

TEST_CASE("connector moving relays: over a new connection from a new address") {
    for (const Order order : {Order::RemoveFirst, Order::AddFirst}) {
        CAPTURE(static_cast<int>(order));
        MobileStream mobile;
        const StreamId old = mobile.last<StreamWanted>().stream;
        change_host(mobile, order);
        CHECK(mobile.last<StreamUnwanted>().stream == old);
        REQUIRE(mobile.count<StreamWanted>() == 2);
        CHECK(mobile.last<StreamWanted>().path.local.ip == new_host.ip);
        mobile.open({new_host.ip, Port{45001}});
        REQUIRE(mobile.written.size() == 1);
        mobile.receive_octets(succeeded(mobile.written[0].octets, Ticket::Given));
        CHECK(tells(mobile, relayed));
        CHECK(mobile.count<RelayFailed>() == 0);
    }
}

TEST_CASE("connector moving relays: a connection that cannot be opened is the end of it") {
    MobileStream mobile;
    mobile.connector.handle_stream_closed(mobile.now, mobile.last<StreamWanted>().stream);
    mobile.settle();
    REQUIRE(mobile.count<StreamWanted>() == 2);
    mobile.connector.handle_stream_failed(mobile.now, mobile.last<StreamWanted>().stream,
                                          ice::ConnectFailure::Refused);
    mobile.settle();
    CHECK_FALSE(tells(mobile, relayed));
    CHECK(mobile.count<RelayFailed>() == 1);
    // The server is asked again as any other.
    mobile.pass(1s);
    CHECK(mobile.count<StreamWanted>() == 3);
}

}  // namespace
}  // namespace stile::connect
