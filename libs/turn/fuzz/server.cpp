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
    config.user_bandwidth = TokenRate{.per_second = 1000, .burst = 4000};
    return config;
}

class Harness {
public:
    Harness() { STILE_ASSERT(server_.credentials().set_account("u", "p")); }

    void step(std::uint8_t kind, BytesView octets) {
        const ClientFlow flow{.local = {.ip = IpAddress::v4(0xC0000201U), .port = {3478}},
                              .remote = {.ip = IpAddress::v4(0x08080808U),
                                         .port = {static_cast<std::uint16_t>(1 + kind / 16)}}};
        const SocketAddress peer{.ip = IpAddress::v4(0x09090900U + kind / 16), .port = {9}};
        switch (kind % 8) {
            case 0:
                check(server_.handle_client(now_, flow, octets));
                break;
            case 1:
            case 2:
                request(flow, octets);
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
    // The octets are the method's low bits and then attributes, as raw type, length and value.
    void request(const ClientFlow& flow, BytesView octets) {
        ByteReader reader{octets};
        constexpr std::array methods{stun::Method::Allocate, stun::Method::Refresh,
                                     stun::Method::CreatePermission, stun::Method::ChannelBind};
        stun::MessageBuilder builder{stun::Class::Request, methods[reader.u8() % methods.size()],
                                     stun::TransactionId::random(random_)};
        while (reader.remaining() > 2) {
            const std::uint16_t type = reader.u8();
            const std::size_t length = std::min<std::size_t>(reader.u8(), reader.remaining());
            builder.add_raw(static_cast<stun::AttributeType>(type % 0x30), reader.bytes(length));
        }
        credentials_.authenticate(builder);
        const Bytes wire = builder.finish();
        check(server_.handle_client(now_, flow, wire));
        drain();
        const auto asked = stun::MessageView::parse(wire);
        const auto answer = stun::MessageView::parse(answer_);
        if (asked && answer && answer->id() == asked->id()) {
            (void)credentials_.handle_response(*asked, *answer);
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
    Server server_{now_, WallTime{std::chrono::seconds{1'000'000}}, config(),
                   crypto::RandomStream{crypto::seed_from_number(1)}};
    crypto::RandomStream random_{crypto::seed_from_number(2)};
    stun::LongTermClient credentials_{{.username = "u", .password = "p"}};
    RelayId relay_;
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
