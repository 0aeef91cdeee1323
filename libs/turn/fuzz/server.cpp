// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Input: records of one octet for what happens (low half) and to whom (high half), one length
// octet, and that many octets; the last octet of all chooses the configuration. Requests are signed
// on the way and have the right nonce, so that the fuzzer gets behind the password; what only a
// client that remembers knows (tickets, tokens, connection ids) has an attribute code of its own.
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>

#include <algorithm>
#include <set>

#include "server_fixture.hpp"

namespace {

using namespace stile;
using namespace stile::turn;
using namespace stile::turn::fuzzing;

// A longer story finds nothing that two shorter ones do not, but costs their time.
constexpr std::size_t most_steps = 64;
constexpr unsigned most_restarts = 2;
constexpr Instant start_instant{std::chrono::seconds{1}};

const IpAddress relay_v4 = IpAddress::v4(0xC0000201U);
const IpAddress relay_v6 = IpAddress::parse("2a00::1").value();

class Harness {
public:
    explicit Harness(unsigned choice) : config_(fixed().rich) {
        if (choice % 4 == 1) config_ = fixed().modest;
        if (choice % 4 == 2) config_.expired_credential = ExpiredCredential::EndsAllocations;
        if (choice % 4 == 3) {
            directory_ = std::make_unique<RelayDirectory>(std::vector<RelayDirectory::Address>{
                {.local = IpAddress::v4(0x0A000002U), .external = relay_v4},
                {.local = relay_v6, .external = relay_v6}});
            // Another shard's.
            directory_->add({.ip = relay_v4, .port = {1}}, RelayProtocol::Udp);
            config_.directory = directory_.get();
        }
        server_ = std::make_unique<Server>(make());
    }

    void step(unsigned action, unsigned who, BytesView octets) {
        const ClientFlow flow = flow_of(who);
        const std::uint8_t choice = ByteReader{octets}.u8();
        if (action > 8) extension(action, flow, choice, octets);
        switch (action) {
            case 0:
                check(server_->handle_client(now_, flow, octets));
                break;
            case 1:
                return request(flow, octets, Signer::Account);
            case 2:
                return request(flow, octets, Signer::TimeLimited);
            case 3:
                return request(flow, octets, Signer::Token);
            case 4:
                client_data(flow, choice, octets.empty() ? octets : octets.subspan(1));
                break;
            case 5:
                if (const auto message =
                        server_->handle_peer(now_, relay(choice), peer(choice / 16), octets)) {
                    check(Relayed{*message});
                }
                break;
            case 6:
                pass_time(octets.size(), choice);
                break;
            case 7:
                server_->handle_icmp(now_, relay(choice), peer(choice / 16),
                                     {.icmp_type = static_cast<std::uint8_t>(1 + who % 12),
                                      .icmp_code = static_cast<std::uint8_t>(octets.size() % 5)});
                break;
            case 8:
                server_->handle_client_gone(now_, flow);
                break;
        }
        drain();
    }

private:
    enum class Signer : std::uint8_t { Account, TimeLimited, Token };

    Server make() {
        Server made{now_, wall(), config_, random_.fork()};
        made.credentials() = fixed().accounts;
        return made;
    }

    WallTime wall() const {
        return clock_wall_ + std::chrono::floor<std::chrono::seconds>(now_ - clock_instant_);
    }

    static ClientFlow flow_of(unsigned who) {
        ClientFlow flow{.local = {.ip = relay_v4, .port = {3478}},
                        .remote = {.ip = IpAddress::v4(0x08080808U),
                                   .port = {static_cast<std::uint16_t>(1 + who)}}};
        if (who == 6) flow.remote.ip = IpAddress::parse("2002::1").value();
        if (who == 7) flow.remote.ip = IpAddress::parse("2a01::1").value();
        if (who >= 8) flow.transport = ClientTransport::Tcp;
        if (who >= 12) flow.transport = ClientTransport::Tls;
        return flow;
    }

    SocketAddress peer(unsigned choice) const {
        static const std::array others{
            SocketAddress::parse("9.9.9.9:9").value(),  SocketAddress::parse("9.9.9.9:10").value(),
            SocketAddress::parse("9.9.9.8:9").value(),  SocketAddress::parse("[2a00::9]:9").value(),
            SocketAddress::parse("10.0.0.1:9").value(), SocketAddress::parse("9.9.9.9:0").value()};
        choice %= 8;
        if (choice < others.size()) return others[choice];
        return {.ip = relay_v4, .port = {static_cast<std::uint16_t>(choice == 6 ? ports_ : 1)}};
    }
    RelayId relay(unsigned choice) const {
        if (relays_.empty()) return {};
        return *std::next(relays_.begin(), static_cast<std::ptrdiff_t>(choice % relays_.size()));
    }

    void client_data(const ClientFlow& flow, unsigned choice, BytesView payload) {
        if (choice < 0x80) {
            const ChannelNumber number{
                static_cast<std::uint16_t>(ChannelNumber::first + choice % 8)};
            Bytes message = to_bytes(channel_header(number, payload.size()));
            message.insert(message.end(), payload.begin(), payload.end());
            return check(server_->handle_client(now_, flow, message));
        }
        stun::MessageBuilder builder{stun::Class::Indication, stun::Method::Send, {}};
        builder.add(stun::XorPeerAddress{peer(choice)}).add(stun::Data{payload});
        if ((choice & 0x10U) != 0) builder.add(stun::DontFragment{});
        const Bytes message = builder.finish();
        check(server_->handle_client(now_, flow, message));
    }

    // Nothing: exactly to what the server waits for.
    void pass_time(std::size_t amount, unsigned choice) {
        if (amount == 0) {
            if (const auto next = server_->poll_timeout()) now_ = std::max(now_, *next);
        } else {
            now_ += std::chrono::seconds{8 * amount};
        }
        if (choice % 4 == 3) return;  // a driver that is late
        server_->handle_timeout(now_);
        const auto next = server_->poll_timeout();
        STILE_ASSERT(!next || *next > now_);
    }

    void extension(unsigned action, const ClientFlow& flow, unsigned choice, BytesView octets) {
        switch (action) {
            case 9:
                if (const auto id =
                        server_->handle_peer_accepted(now_, relay(choice), peer(choice / 16))) {
                    connection_ = *id;
                }
                break;
            case 10:
                if (choice % 4 == 0) server_->handle_connection_opened(now_, connection_);
                if (choice % 4 == 1) {
                    server_->handle_connection_failed(now_, connection_,
                                                      ConnectionFailure::PeerUnreachable);
                }
                if (choice % 4 == 2) server_->handle_connection_gone(now_, connection_);
                if (choice % 4 == 3) {
                    (void)server_->handle_spliced(now_, connection_, {.octets_to_peers = choice});
                }
                break;
            case 11:
                (void)parse_snapshot(octets);
                (void)AccessToken::open(octets, fixed().token_key, "s");
                (void)Server::shard_of_request(choice % 2 == 0 ? octets : BytesView{asked_});
                // The network doubles.
                if (choice % 2 == 1) check(server_->handle_client(now_, asked_from_, asked_));
                break;
            case 12:
                if (restarts_++ < most_restarts) restart();
                break;
            case 13:
                if (!slow_.empty() && choice % 2 == 0) open_slow();
                server_->handle_offloaded(
                    now_, relay(choice),
                    {.octets_to_peers = 50U * choice, .packets_to_clients = 1});
                break;
            case 14:
                (void)server_->sessions(now_);
                if (choice == 1) forget(flow);
                break;
            case 15:
                operate(choice);
                break;
        }
    }

    void operate(unsigned choice) {
        if (choice % 4 == 0) {
            server_->drain(Redirect{.address = {.ip = IpAddress::v4(0x05050505U), .port = {1}},
                                    .other_family = {},
                                    .domain = "d"});
        } else if (choice % 4 == 1) {
            config_.permissions = 1 + choice % 8;
            config_.mobility =
                config_.mobility == Offer::Offered ? Offer::NotOffered : Offer::Offered;
            server_->reconfigure(config_);
        } else if (choice % 4 == 2) {
            clock_instant_ = now_;
            clock_wall_ = start_wall + std::chrono::seconds{8 * choice};
            server_->set_wall_time(clock_instant_, clock_wall_);
        } else {
            PeerPolicy policy;
            STILE_ASSERT(policy.deny({.address = IpAddress::v4(0x09090909U), .length = 32}));
            server_->set_peer_policy(std::move(policy));
        }
    }

    // Another server goes on, and remembers exactly the same.
    void restart() {
        const Snapshot snapshot = server_->snapshot(now_);
        const auto carried = parse_snapshot(serialize(snapshot));
        STILE_ASSERT(carried && *carried == snapshot);
        auto next = std::make_unique<Server>(make());
        STILE_ASSERT(next->restore(now_, *carried) == snapshot.allocations.size());
        STILE_ASSERT(next->snapshot(now_) == snapshot);
        server_ = std::move(next);
        // What waited for a relay is not carried over.
        relays_.clear();
        for (const auto& each : snapshot.allocations) {
            for (const auto& relay : each.relays) relays_.insert(relay.id);
        }
        for (const auto& each : snapshot.reservations) relays_.insert(each.id);
        slow_.clear();
    }

    // Its relays are closed without a word.
    void forget(const ClientFlow& flow) {
        const Snapshot before = server_->snapshot(now_);
        server_->forget(flow);
        const Snapshot after = server_->snapshot(now_);
        std::set<RelayId> left;
        for (const auto& each : after.allocations) {
            for (const auto& relay : each.relays) left.insert(relay.id);
        }
        for (const auto& each : before.allocations) {
            for (const auto& relay : each.relays) {
                if (!left.contains(relay.id)) relays_.erase(relay.id);
            }
        }
    }

    void sign(stun::MessageBuilder& builder, const ClientFlow& flow, Signer signer) {
        SocketAddress holder = flow.remote;
        if (is_stream(flow.transport)) holder.port = {};
        const std::string nonce = fixed().nonces.make_nonce(holder, wall());
        if (signer == Signer::Account) {
            builder.add(stun::Username{"u"}).add(stun::Realm{"r"}).add(stun::Nonce{nonce});
            builder.add(fixed().rich.authentication.algorithms);
            builder.add(stun::PasswordAlgorithmAttribute{stun::PasswordAlgorithm::Sha256});
            builder.add_integrity(fixed().account_key, stun::IntegrityKind::Sha256);
        } else if (signer == Signer::TimeLimited) {
            builder.add(stun::Username{fixed().limited.username});
            builder.add(stun::Realm{"r"}).add(stun::Nonce{nonce});
            builder.add_integrity(fixed().limited_key, stun::IntegrityKind::Sha1);
        } else {
            builder.add(stun::Username{"k"}).add(stun::Realm{"r"}).add(stun::Nonce{nonce});
            builder.add(stun::AccessToken{fixed().token});
            builder.add_integrity(fixed().token_mac, stun::IntegrityKind::Sha1);
        }
    }

    // What a client knows has codes of its own.
    bool add_known(stun::MessageBuilder& builder, unsigned code, unsigned choice) const {
        switch (code) {
            case 0xFF:
                builder.add(stun::XorPeerAddress{peer(choice)});
                return true;
            case 0xFE:
                builder.add(reservation_);
                return true;
            case 0xFD:
                builder.add(stun::MobilityTicket{tickets_[choice % tickets_.size()]});
                return true;
            case 0xFC:
                builder.add(stun::ConnectionId{connection_.value});
                return true;
        }
        return false;
    }

    // The octets are the method and then attributes: a code, a length, and a raw value.
    void request(const ClientFlow& flow, BytesView octets, Signer signer) {
        ByteReader reader{octets};
        constexpr std::array methods{stun::Method::Allocate,         stun::Method::Refresh,
                                     stun::Method::CreatePermission, stun::Method::ChannelBind,
                                     stun::Method::Connect,          stun::Method::ConnectionBind};
        stun::MessageBuilder builder{stun::Class::Request, methods[reader.u8() % methods.size()],
                                     stun::TransactionId::random(random_)};
        while (reader.remaining() >= 2) {
            const std::uint8_t code = reader.u8();
            const std::uint8_t length = reader.u8();
            if (add_known(builder, code, length)) continue;
            // The upper half are the comprehension-optional ones.
            const auto type =
                static_cast<std::uint16_t>(code < 0x80 ? code % 0x30 : 0x8000 + code % 0x40);
            builder.add_raw(static_cast<stun::AttributeType>(type),
                            reader.bytes(std::min<std::size_t>(length, reader.remaining())));
        }
        sign(builder, flow, signer);
        asked_ = builder.finish();
        asked_from_ = flow;
        check(server_->handle_client(now_, flow, asked_));
        drain();
    }

    static void check(const std::optional<Relayed>& relayed) {
        if (!relayed) return;
        if (const auto* message = std::get_if<ToClient>(&*relayed)) {
            STILE_ASSERT(message->prefix_size <= most_prefix_octets && message->padding <= 3);
        }
    }

    void drain() {
        while (const auto event = server_->poll_event()) {
            if (const auto* connect = std::get_if<ConnectionWanted>(&*event)) {
                connection_ = connect->connection;
            } else if (const auto* closed = std::get_if<RelayClosed>(&*event)) {
                STILE_ASSERT(relays_.erase(closed->relay) == 1);
            } else if (const auto* wanted = std::get_if<RelayWanted>(&*event)) {
                open(*wanted);
            }
        }
        while (const auto transmit = server_->poll_transmit()) {
            const auto answer = stun::MessageView::parse(transmit->message);
            STILE_ASSERT(answer);
            learn(*answer);
        }
        // No relay is lost, and none is kept.
        STILE_ASSERT(server_->relays() == relays_.size());
    }

    void learn(const stun::MessageView& answer) {
        if (const auto token = answer.get<stun::ReservationToken>()) reservation_ = *token;
        const auto ticket = answer.get<stun::MobilityTicket>();
        if (!ticket) return;
        tickets_[2] = tickets_[1];
        tickets_[1] = to_bytes(ticket->octets);
    }

    void open(const RelayWanted& wanted) {
        ++opened_;
        if (opened_ % 5 == 0) return server_->handle_relay_failed(now_, wanted.relay);
        relays_.insert(wanted.relay);
        if (wanted.next) relays_.insert(*wanted.next);
        if (opened_ % 7 == 3) {
            slow_.push_back(wanted);
        } else {
            open_now(wanted);
        }
    }
    // It may be gone, or be another server's by now.
    void open_slow() {
        open_now(slow_.back());
        slow_.pop_back();
    }
    void open_now(const RelayWanted& wanted) {
        ports_ = static_cast<std::uint16_t>(ports_ + 2);
        const IpAddress ip = wanted.family == AddressFamily::V4 ? relay_v4 : relay_v6;
        server_->handle_relay_opened(now_, wanted.relay, {.ip = ip, .port = {ports_}});
    }

    Instant now_ = start_instant;
    Instant clock_instant_ = start_instant;
    WallTime clock_wall_ = start_wall;
    crypto::RandomStream random_{crypto::seed_from_number(2)};
    ServerConfig config_;
    std::unique_ptr<RelayDirectory> directory_;
    std::unique_ptr<Server> server_;
    std::set<RelayId> relays_;
    std::vector<RelayWanted> slow_;  // the driver has not opened them yet
    Bytes asked_;
    ClientFlow asked_from_;
    ConnectionId connection_;
    stun::ReservationToken reservation_{};
    std::array<Bytes, 3> tickets_;  // none, which asks for one; the newest; the one before
    unsigned restarts_ = 0;
    unsigned opened_ = 0;
    std::uint16_t ports_ = 1000;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Harness harness{size == 0 ? 0U : data[size - 1]};
    ByteReader reader{std::as_bytes(std::span{data, size})};
    for (std::size_t steps = 0; steps < most_steps && reader.remaining() >= 2; ++steps) {
        const std::uint8_t kind = reader.u8();
        const std::size_t length = std::min<std::size_t>(reader.u8(), reader.remaining());
        harness.step(kind % 16U, kind / 16U, reader.bytes(length));
    }
    return 0;
}
