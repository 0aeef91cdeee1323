// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/stun/attribute.hpp>
#include <stile/stun/attributes/ice.hpp>

namespace stile::stun {

// RFC 5780 Section 7.2: from where the answer shall come.
struct ChangeRequest {
    enum class Change : std::uint8_t { Keep, Change };
    static constexpr AttributeType type = AttributeType::ChangeRequest;
    Change ip = Change::Keep;
    Change port = Change::Keep;

    bool asks_for_nothing() const { return ip == Change::Keep && port == Change::Keep; }
    static std::optional<ChangeRequest> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(ChangeRequest, ChangeRequest) = default;
};

// RFC 5780 Section 7.5.
struct ResponsePort {
    static constexpr AttributeType type = AttributeType::ResponsePort;
    Port port;

    static std::optional<ResponsePort> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(ResponsePort, ResponsePort) = default;
};

// RFC 5780 Section 7.6. The octets do not matter; that many zeros are written.
struct Padding {
    static constexpr AttributeType type = AttributeType::Padding;
    std::size_t octets = 0;

    static std::optional<Padding> decode(BytesView value, const TransactionId&) {
        return Padding{value.size()};
    }
    void encode(ByteWriter& writer, const TransactionId&) const { writer.zeros(octets); }
    friend bool operator==(Padding, Padding) = default;
};

// RFC 7982 Section 3.1: which transmission of the request this is, and which of the response.
struct TransactionTransmitCounter {
    static constexpr AttributeType type = AttributeType::TransactionTransmitCounter;
    std::uint8_t request = 0;
    std::uint8_t response = 0;

    static std::optional<TransactionTransmitCounter> decode(BytesView value, const TransactionId&);
    void encode(ByteWriter& writer, const TransactionId&) const;
    friend bool operator==(TransactionTransmitCounter, TransactionTransmitCounter) = default;
};

}  // namespace stile::stun
