// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
// One attribute value: the first octet chooses the type. What decodes must encode to something that
// decodes to the same.
#include <stile/base/assert.hpp>
#include <stile/stun/attributes.hpp>
#include <stile/stun/opaque_string.hpp>
#include <stile/stun/stun_uri.hpp>

#include <tuple>

using namespace stile;
using namespace stile::stun;

namespace {

using All =
    std::tuple<MappedAddress, XorMappedAddress, Username, UserHash, Realm, Nonce, Software,
               ErrorCode, UnknownAttributes, Priority, UseCandidate, IceControlled, IceControlling,
               AlternateServer, AlternateDomain, PasswordAlgorithmAttribute, PasswordAlgorithms,
               ChannelNumberAttribute, Lifetime, XorPeerAddress, XorRelayedAddress, Data,
               RequestedAddressFamily, AdditionalAddressFamily, EvenPort, RequestedTransport,
               DontFragment, ReservationToken, AddressErrorCode, Icmp, ConnectionId, ChangeRequest,
               ResponsePort, Padding, TransactionTransmitCounter, MobilityTicket, AccessToken>;

template <class A>
void round_trip(BytesView value) {
    const TransactionId id{};
    const auto decoded = A::decode(value, id);
    if (!decoded) return;
    Bytes once;
    ByteWriter first{once};
    // A received reason phrase may be longer than one that may be sent.
    if constexpr (requires { decoded->reason; }) {
        if (decoded->reason.size() > most_sent_text_octets) return;
    }
    decoded->encode(first, id);
    const auto again = A::decode(once, id);
    STILE_ASSERT(again.has_value());
    Bytes twice;
    ByteWriter second{twice};
    again->encode(second, id);
    STILE_ASSERT(once == twice);
}

template <std::size_t... index>
void choose(std::size_t chosen, BytesView value, std::index_sequence<index...>) {
    ((index == chosen ? round_trip<std::tuple_element_t<index, All>>(value) : void()), ...);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    constexpr std::size_t count = std::tuple_size_v<All>;
    const BytesView value{reinterpret_cast<const std::byte*>(data + 1), size - 1};
    choose(data[0] % count, value, std::make_index_sequence<count>{});
    (void)opaque_string(as_text(value));
    if (const auto uri = StunUri::parse(as_text(value))) {
        STILE_ASSERT(StunUri::parse(uri->to_string()) == uri);
    }
    return 0;
}
