// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/mdns/host_name.hpp>
#include <stile/mdns/limits.hpp>

#include <chrono>
#include <cstdint>
#include <expected>
#include <vector>

// What multicast DNS has on the wire (RFC 6762 Section 18, RFC 1035 Section 4), as far as names of
// hosts need it.
namespace stile::mdns {

// Where everybody listens: 224.0.0.251 and ff02::fb. RFC 6762 Section 3.
inline constexpr Port port{5353};
IpAddress group(AddressFamily family);

enum class ParseError : std::uint8_t {
    TooShort,   // less than it says it has, or than a header
    TooLong,    // limits::most_message
    BadName,    // a compression loop, or a label that is none
    BadOpcode,  // RFC 6762 Sections 18.3 and 18.11: silently ignored
};

enum class RecordType : std::uint16_t { A = 1, Aaaa = 28, Any = 255 };

struct Question {
    // Which answer is wished for. RFC 6762 Section 5.4.
    enum class Reply : std::uint8_t { Multicast, Unicast };
    HostName name;
    RecordType type = RecordType::A;
    Reply reply = Reply::Multicast;
    friend bool operator==(const Question&, const Question&) = default;
};

// An A or AAAA record. A lifetime of zero takes it back.
struct AddressRecord {
    HostName name;
    IpAddress ip;
    std::chrono::seconds time_to_live = limits::time_to_live;
    friend bool operator==(const AddressRecord&, const AddressRecord&) = default;
};

struct Message {
    enum class Kind : std::uint8_t { Query, Response };
    Kind kind = Kind::Query;
    std::uint16_t id = 0;  // means something to resolvers of ordinary DNS alone
    std::vector<Question> questions;
    std::vector<AddressRecord> answers;  // of a query: what the asker knows already

    // Leaves out whatever is not of a HostName, of class IN and of those types.
    [[nodiscard]] static std::expected<Message, ParseError> parse(BytesView octets);
    // Names are written out. Requires: at most limits::most_entries of each.
    Bytes to_bytes() const;
    friend bool operator==(const Message&, const Message&) = default;
};

}  // namespace stile::mdns
