// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "support.hpp"

#include <map>

namespace stile::stun {
namespace {

// https://www.iana.org/assignments/stun-parameters: "STUN Attributes", without reserved values and
// those of single vendors.
const std::map<std::uint16_t, std::string_view>& registry() {
    static const std::map<std::uint16_t, std::string_view> table{
        {0x0001, "MAPPED-ADDRESS"},
        {0x0003, "CHANGE-REQUEST"},
        {0x0006, "USERNAME"},
        {0x0008, "MESSAGE-INTEGRITY"},
        {0x0009, "ERROR-CODE"},
        {0x000A, "UNKNOWN-ATTRIBUTES"},
        {0x000C, "CHANNEL-NUMBER"},
        {0x000D, "LIFETIME"},
        {0x0012, "XOR-PEER-ADDRESS"},
        {0x0013, "DATA"},
        {0x0014, "REALM"},
        {0x0015, "NONCE"},
        {0x0016, "XOR-RELAYED-ADDRESS"},
        {0x0017, "REQUESTED-ADDRESS-FAMILY"},
        {0x0018, "EVEN-PORT"},
        {0x0019, "REQUESTED-TRANSPORT"},
        {0x001A, "DONT-FRAGMENT"},
        {0x001B, "ACCESS-TOKEN"},
        {0x001C, "MESSAGE-INTEGRITY-SHA256"},
        {0x001D, "PASSWORD-ALGORITHM"},
        {0x001E, "USERHASH"},
        {0x0020, "XOR-MAPPED-ADDRESS"},
        {0x0022, "RESERVATION-TOKEN"},
        {0x0024, "PRIORITY"},
        {0x0025, "USE-CANDIDATE"},
        {0x0026, "PADDING"},
        {0x0027, "RESPONSE-PORT"},
        {0x002A, "CONNECTION-ID"},
        {0x8000, "ADDITIONAL-ADDRESS-FAMILY"},
        {0x8001, "ADDRESS-ERROR-CODE"},
        {0x8002, "PASSWORD-ALGORITHMS"},
        {0x8003, "ALTERNATE-DOMAIN"},
        {0x8004, "ICMP"},
        {0x8022, "SOFTWARE"},
        {0x8023, "ALTERNATE-SERVER"},
        {0x8025, "TRANSACTION-TRANSMIT-COUNTER"},
        {0x8027, "CACHE-TIMEOUT"},
        {0x8028, "FINGERPRINT"},
        {0x8029, "ICE-CONTROLLED"},
        {0x802A, "ICE-CONTROLLING"},
        {0x802B, "RESPONSE-ORIGIN"},
        {0x802C, "OTHER-ADDRESS"},
        {0x802D, "ECN-CHECK STUN"},
        {0x802E, "THIRD-PARTY-AUTHORIZATION"},
        {0x8030, "MOBILITY-TICKET"},
    };
    return table;
}

TEST_CASE("stun attribute types: exactly those of the IANA registry have a name") {
    for (std::uint32_t value = 0; value <= 0xFFFF; ++value) {
        const auto entry = registry().find(static_cast<std::uint16_t>(value));
        const std::string_view expected = entry == registry().end() ? "" : entry->second;
        CAPTURE(value);
        REQUIRE(name(static_cast<AttributeType>(value)) == expected);
    }
}

TEST_CASE("stun attribute types: the upper half is comprehension-optional") {
    CHECK(is_comprehension_required(AttributeType{0x7FFF}));
    CHECK_FALSE(is_comprehension_required(AttributeType{0x8000}));
}

TEST_CASE("stun methods: the values of the IANA registry") {
    const std::pair<Method, int> table[] = {
        {Method::Binding, 0x001},        {Method::Allocate, 0x003},
        {Method::Refresh, 0x004},        {Method::Send, 0x006},
        {Method::Data, 0x007},           {Method::CreatePermission, 0x008},
        {Method::ChannelBind, 0x009},    {Method::Connect, 0x00A},
        {Method::ConnectionBind, 0x00B}, {Method::ConnectionAttempt, 0x00C},
    };
    for (const auto& [method, value] : table) CHECK(static_cast<int>(method) == value);
}

TEST_CASE("stun error codes: the values of the IANA registry") {
    const std::pair<ErrorCode, int> table[] = {
        {error::try_alternate, 300},
        {error::bad_request, 400},
        {error::unauthenticated, 401},
        {error::forbidden, 403},
        {error::mobility_forbidden, 405},
        {error::unknown_attribute, 420},
        {error::allocation_mismatch, 437},
        {error::stale_nonce, 438},
        {error::address_family_not_supported, 440},
        {error::wrong_credentials, 441},
        {error::unsupported_transport, 442},
        {error::peer_family_mismatch, 443},
        {error::connection_already_exists, 446},
        {error::connection_failure, 447},
        {error::allocation_quota_reached, 486},
        {error::role_conflict, 487},
        {error::server_error, 500},
        {error::insufficient_capacity, 508},
    };
    for (const auto& [error, value] : table) {
        CHECK(error.code == value);
        CHECK_FALSE(error.reason.empty());
    }
}

}  // namespace
}  // namespace stile::stun
