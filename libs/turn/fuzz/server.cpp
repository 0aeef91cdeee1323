// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Input: records of one kind octet, one length octet, and that many octets. The kinds reach every
// input of the server; requests are signed on the way, so that the fuzzer gets behind the password.
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/stun/long_term_client.hpp>
#include <stile/turn/server.hpp>

namespace {

using namespace stile;
using namespace stile::turn;

ServerConfig config() {
    ServerConfig config;
    config.authentication.realm = "r";
    config.authentication.algorithms.add(stun::PasswordAlgorithm::Sha256);
    config.ipv6 = Offer::Offered;
    config.dont_fragment = Offer::Offered;
    config.permissions = 4;
    config.channels = 4;
    config.connections = 4;
    config.user_bandwidth = TokenRate{.per_second = 1000, .burst = 4000};
    config.user_new_peers = 100;
    config.user_connects = 100;
    config.tcp_relays = Offer::Offered;
    config.mobility = Offer::Offered;
    config.offload = Offer::Offered;
    config.authentication.third_party = "s";
    return config;
}

const TokenKey& token_key() {
    static const TokenKey key{.kid = "k", .key = Bytes(32, std::byte{7})};
    return key;
}

stun::LongTermClient::Grant grant(WallTime now) {
    const AccessToken token{
        .mac_key = Bytes(20, std::byte{1}), .issued = now, .lifetime = std::chrono::seconds{900}};
    return {.key_id = "k",
            .token = token.seal({{std::byte{1}}}, token_key(), "s"),
            .mac_key = token.mac_key};
}

class Harness {
public:
    Harness() { fill(server_); }

    void step(std::uint8_t kind, BytesView octets) {
        const ClientFlow flow{.local = {.ip = IpAddress::v4(0xC0000201U), .port = {3478}},
                              .remote = {.ip = IpAddress::v4(0x08080808U),
                                         .port = {static_cast<std::uint16_t>(1 + kind / 16)}}};
        const SocketAddress peer{.ip = IpAddress::v4(0x09090900U + kind / 16), .port = {9}};
        if (kind % 16 >= 8) extension(kind % 16, flow, peer, octets);
        switch (kind % 16) {
            case 0:
                check(server_.handle_client(now_, flow, octets));
                break;
            case 1:
            case 2:
                request(flow, octets, credentials_);
                break;
            case 3:
                if (const auto message = server_.handle_peer(now_, relay_, peer, octets)) {
                    check(Relayed{*message});
                }
                break;
            case 4:
                now_ += std::chrono::seconds{octets.size()};
                break;
            case 5:
                server_.handle_timeout(now_);
                break;
            case 6:
                server_.handle_icmp(now_, relay_, peer, {.icmp_type = 3, .icmp_code = 4});
                break;
            case 7:
                server_.handle_client_gone(now_, flow);
                break;
        }
        drain();
    }

private:
    void extension(unsigned kind, ClientFlow flow, const SocketAddress& peer, BytesView octets) {
        const std::uint8_t choice = ByteReader{octets}.u8();
        switch (kind) {
            case 8:
                flow.transport = ClientTransport::Tcp;
                request(flow, octets, credentials_);
                break;
            case 9:
                if (const auto id = server_.handle_peer_accepted(now_, relay_, peer)) {
                    connection_ = *id;
                }
                break;
            case 10:
                if (choice % 3 == 0) server_.handle_connection_opened(now_, connection_);
                if (choice % 3 == 1) {
                    server_.handle_connection_failed(now_, connection_,
                                                     ConnectionFailure::PeerUnreachable);
                }
                if (choice % 3 == 2) server_.handle_connection_gone(now_, connection_);
                break;
            case 11: {
                flow.transport = ClientTransport::Tls;
                Bytes bind(7);
                bind[0] = std::byte{5};
                bind[1] = std::byte{0x2A};
                bind[2] = std::byte{4};
                for (unsigned i = 0; i < 4; ++i) {
                    bind[3 + i] = static_cast<std::byte>(connection_.value >> (24 - 8 * i));
                }
                request(flow, bind, credentials_);
                break;
            }
            case 12: {
                Bytes move{std::byte{1}, std::byte{0xB0}, static_cast<std::byte>(ticket_.size())};
                move.insert(move.end(), ticket_.begin(), ticket_.end());
                request(flow, move, credentials_);
                break;
            }
            case 13:
                request(flow, octets, third_party_);
                (void)AccessToken::open(octets, token_key(), "s");
                break;
            case 14:
                (void)parse_snapshot(octets);
                // A server is dear to make.
                if (restarts_++ < 4) restart();
                break;
            case 15:
                server_.handle_offloaded(now_, relay_, {.octets_to_peers = choice});
                (void)server_.handle_spliced(now_, connection_, {.octets_to_peers = choice});
                (void)Server::shard_of_request(octets);
                (void)server_.sessions(now_);
                if (choice == 1) server_.forget(flow);
                break;
        }
    }

    static void fill(Server& server) {
        STILE_ASSERT(server.credentials().set_account("u", "p"));
        STILE_ASSERT(server.credentials().set_token_keys({token_key()}));
    }

    // Another server goes on, and remembers exactly the same.
    void restart() {
        const Snapshot snapshot = server_.snapshot(now_);
        const auto carried = parse_snapshot(serialize(snapshot));
        STILE_ASSERT(carried && *carried == snapshot);
        Server next{now_,
                    start_wall + std::chrono::floor<std::chrono::seconds>(now_.time_since_epoch()),
                    config(), random_.fork()};
        fill(next);
        STILE_ASSERT(next.restore(now_, *carried) == snapshot.allocations.size());
        STILE_ASSERT(next.snapshot(now_) == snapshot);
        server_ = std::move(next);
    }

    // The octets are the method's low bits and then attributes, as raw type, length and value.
    void request(const ClientFlow& flow, BytesView octets, stun::LongTermClient& credentials) {
        ByteReader reader{octets};
        constexpr std::array methods{stun::Method::Allocate,         stun::Method::Refresh,
                                     stun::Method::CreatePermission, stun::Method::ChannelBind,
                                     stun::Method::Connect,          stun::Method::ConnectionBind};
        stun::MessageBuilder builder{stun::Class::Request, methods[reader.u8() % methods.size()],
                                     stun::TransactionId::random(random_)};
        while (reader.remaining() > 2) {
            const std::uint16_t octet = reader.u8();
            // The upper half are the comprehension-optional ones.
            const auto type =
                static_cast<std::uint16_t>(octet < 0x80 ? octet % 0x30 : 0x8000 + octet % 0x40);
            const std::size_t length = std::min<std::size_t>(reader.u8(), reader.remaining());
            builder.add_raw(static_cast<stun::AttributeType>(type), reader.bytes(length));
        }
        credentials.authenticate(builder);
        const Bytes wire = builder.finish();
        check(server_.handle_client(now_, flow, wire));
        drain();
        const auto asked = stun::MessageView::parse(wire);
        const auto answer = stun::MessageView::parse(answer_);
        if (asked && answer && answer->id() == asked->id()) {
            (void)credentials.handle_response(*asked, *answer);
            const auto ticket = answer->get<stun::MobilityTicket>();
            if (ticket) ticket_ = to_bytes(ticket->octets);
        }
    }

    static void check(const std::optional<Relayed>& relayed) {
        if (!relayed) return;
        if (const auto* message = std::get_if<ToClient>(&*relayed)) {
            STILE_ASSERT(message->prefix_size <= most_prefix_octets && message->padding <= 3);
        }
    }

    void drain() {
        while (const auto transmit = server_.poll_transmit()) {
            answer_ = to_bytes(transmit->message);
            STILE_ASSERT(stun::MessageView::parse(answer_));
        }
        while (const auto event = server_.poll_event()) {
            if (const auto* connect = std::get_if<ConnectionWanted>(&*event)) {
                connection_ = connect->connection;
            }
            const auto* wanted = std::get_if<RelayWanted>(&*event);
            if (wanted == nullptr) continue;
            relay_ = wanted->relay;
            if (++ports_ % 5 == 0) {
                server_.handle_relay_failed(now_, relay_);
                continue;
            }
            const IpAddress ip = wanted->family == AddressFamily::V4
                                     ? IpAddress::v4(0xC0000201U)
                                     : IpAddress::parse("2a00::1").value();
            server_.handle_relay_opened(now_, relay_, {.ip = ip, .port = {ports_}});
        }
        if (const auto next = server_.poll_timeout())
            STILE_ASSERT(next->time_since_epoch().count() > 0);
    }

    Instant now_{};
    static constexpr WallTime start_wall{std::chrono::seconds{1'000'000}};
    Server server_{now_, start_wall, config(), crypto::RandomStream{crypto::seed_from_number(1)}};
    crypto::RandomStream random_{crypto::seed_from_number(2)};
    stun::LongTermClient credentials_{{.username = "u", .password = "p"}};
    stun::LongTermClient third_party_{{.username = "", .password = "", .grant = grant(start_wall)}};
    RelayId relay_;
    ConnectionId connection_;
    Bytes ticket_;
    std::size_t restarts_ = 0;
    std::uint16_t ports_ = 1000;
    Bytes answer_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Harness harness;
    ByteReader reader{std::as_bytes(std::span{data, size})};
    while (reader.remaining() >= 2) {
        const std::uint8_t kind = reader.u8();
        const std::size_t length = std::min<std::size_t>(reader.u8(), reader.remaining());
        harness.step(kind, reader.bytes(length));
    }
    return 0;
}
