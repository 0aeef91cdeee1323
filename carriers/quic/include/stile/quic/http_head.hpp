// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stile::quic {

// A header or trailer field. Names are in lower case. RFC 9114 Section 4.2.
struct Field {
    std::string name;
    std::string value;

    friend bool operator==(const Field&, const Field&) = default;
};

// The first field of that name; empty when there is none.
std::optional<std::string_view> find_field(const std::vector<Field>& fields, std::string_view name);

// RFC 9114 Section 4.3.1. A CONNECT request has an authority alone; with a protocol it is an
// extended one and has them all (RFC 9220).
struct RequestHead {
    std::string method;
    std::string scheme;
    std::string authority;
    std::string path;
    std::optional<std::string> protocol;
    std::vector<Field> fields;

    friend bool operator==(const RequestHead&, const RequestHead&) = default;
};

struct ResponseHead {
    std::uint16_t status = 200;
    std::vector<Field> fields;

    bool is_informational() const { return status < 200; }
    friend bool operator==(const ResponseHead&, const ResponseHead&) = default;
};

}  // namespace stile::quic
