// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// Input: records of one kind octet, one length octet, and that many octets; the last octet of all
// chooses the kind of allocation. Answers get the transaction id of one of the client's last
// requests and are signed as that one was, so that they are not all strangers.
#include <stile/base/assert.hpp>
#include <stile/base/byte_reader.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/message_builder.hpp>
#include <stile/turn/client.hpp>
#include <stile/turn/stream_framing.hpp>

#include <algorithm>

namespace {

using namespace stile;
using namespace stile::turn;

// A longer story finds nothing that two shorter ones do not, but costs their time.
constexpr std::size_t most_steps = 64;
constexpr std::size_t remembered_requests = 4;
const Bytes mac_key(20, std::byte{1});

ClientConfig config_for(std::uint8_t choice) {
    ClientConfig config{.username = "u", .password = "p"};
    switch (choice % 4) {
        case 0:
            break;
        case 1:
            config.transport = ClientTransport::Tcp;
            config.protocol = RelayProtocol::Tcp;
            break;
        case 2:
            config.mobility = ClientConfig::Mobility::Wanted;
            break;
        case 3:
            config.third_party = ClientConfig::ThirdParty::Used;
            break;
    }
    return config;
}

class Harness {
public:
    explicit Harness(std::uint8_t choice)
        : client_{now_, config_for(choice), crypto::RandomStream{crypto::seed_from_number(1)}},
          tcp_(choice % 4 == 1) {}

    void step(std::uint8_t kind, BytesView octets) {
        const SocketAddress peer{.ip = IpAddress::v4(0x08080800U + kind / 32), .port = {9}};
        switch (kind % 12) {
            case 0:
                message(octets);
                break;
            case 1:
                answer(stun::Class::SuccessResponse, kind, octets);
                break;
            case 2:
                answer(stun::Class::ErrorResponse, kind, octets);
                break;
            case 3:
                (void)client_.permit(now_, peer.ip);
                break;
            case 4:
                (void)client_.bind_channel(now_, peer);
                break;
            case 5:
                (void)client_.send(now_, peer, octets);
                break;
            case 6:
                now_ += std::chrono::seconds{octets.size()};
                client_.handle_timeout(now_);
                break;
            case 7:
                octets.size() > 200 ? client_.release(now_) : client_.forget(peer.ip);
                break;
            case 8:
                if (tcp_) (void)client_.connect(now_, peer);
                break;
            case 9:
                octets.size() > 100 ? client_.handle_unreachable(now_)
                                    : void(client_.move(now_, ClientTransport::Tcp));
                break;
            case 10:
                client_.authorize(now_,
                                  {.key_id = "k", .token = to_bytes(octets), .mac_key = mac_key});
                break;
            case 11:
                join(octets);
                break;
        }
        while (const auto sent = client_.poll_transmit()) keep(*sent);
        while (const auto sent = client_.poll_move_transmit()) keep(*sent);
        while (client_.poll_event()) {
        }
        if (const auto next = client_.poll_timeout()) STILE_ASSERT(*next > Instant{});
    }

private:
    void keep(BytesView sent) {
        const auto parsed = stun::MessageView::parse(sent);
        if (!parsed || parsed->message_class() != stun::Class::Request) return;
        std::ranges::rotate(requests_, requests_.end() - 1);
        requests_[0] = to_bytes(sent);
    }

    // With the key that the request was made with.
    static void sign(stun::MessageBuilder& builder, const stun::MessageView& request) {
        const auto kind = stun::strongest_integrity(request);
        if (!kind) return;
        if (request.has(stun::AttributeType::AccessToken)) {
            builder.add_integrity(stun::IntegrityKey::from_octets(mac_key), *kind);
            return;
        }
        const auto realm = request.get<stun::Realm>();
        const auto choice = request.get<stun::PasswordAlgorithmAttribute>();
        const auto algorithm = choice ? choice->algorithm : stun::PasswordAlgorithm::Md5;
        const auto key =
            stun::IntegrityKey::long_term("u", realm ? realm->text : "", "p", algorithm);
        builder.add_integrity(key, *kind);
    }

    // A data connection that gets these octets, and an answer made of them.
    void join(BytesView octets) {
        DataConnection connection = client_.data_connection(now_, {7});
        keep(connection.poll_transmit().value());
        const auto request = stun::MessageView::parse(requests_[0]);
        auto builder = stun::MessageBuilder::reply(*request, stun::Class::SuccessResponse);
        sign(builder, *request);
        const Bytes answer = builder.finish();
        const auto half = octets.first(octets.size() / 2);
        STILE_ASSERT(connection.handle_octets(now_, half).size() <= half.size());
        STILE_ASSERT(connection.handle_octets(now_, answer).size() <= answer.size());
        (void)connection.handle_octets(now_, octets);
        while (connection.poll_event()) {
        }
        (void)connection.poll_timeout();
    }

    void message(BytesView octets) {
        (void)framed_size(octets);
        const auto data = client_.handle_message(now_, octets);
        if (data) STILE_ASSERT(data->payload.size() <= octets.size());
    }

    void answer(stun::Class message_class, std::uint8_t kind, BytesView octets) {
        const auto request = stun::MessageView::parse(requests_[kind / 12 % remembered_requests]);
        if (!request) return;
        auto builder = stun::MessageBuilder::reply(*request, message_class);
        ByteReader reader{octets};
        while (reader.remaining() > 2) {
            const std::uint8_t type = reader.u8();
            const std::size_t length = std::min<std::size_t>(reader.u8(), reader.remaining());
            const unsigned half = type >= 0x80U ? 0x8000U : 0U;
            builder.add_raw(static_cast<stun::AttributeType>(half | ((type & 0x3FU))),
                            reader.bytes(length));
        }
        if (kind < 0x80) sign(builder, *request);
        const Bytes wire = builder.finish();
        message(wire);
    }

    Instant now_{};
    Client client_;
    bool tcp_;
    std::array<Bytes, remembered_requests> requests_;  // the last one first
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Harness harness{size == 0 ? std::uint8_t{0} : data[size - 1]};
    harness.step(6, {});
    ByteReader reader{std::as_bytes(std::span{data, size})};
    for (std::size_t steps = 0; steps < most_steps && reader.remaining() >= 2; ++steps) {
        const std::uint8_t kind = reader.u8();
        const std::size_t length = std::min<std::size_t>(reader.u8(), reader.remaining());
        harness.step(kind, reader.bytes(length));
    }
    return 0;
}
