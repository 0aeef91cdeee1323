// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stile::drivers {

struct Field {
    std::string name;
    std::string value;
};

// Header fields in their order; names compare without regard to case.
class Fields {
public:
    Fields() = default;
    Fields(std::initializer_list<Field> fields) : fields_(fields) {}

    void add(std::string name, std::string value);
    void set(std::string_view name, std::string value);  // replaces all of that name
    void remove(std::string_view name);
    // The first of that name.
    std::optional<std::string_view> find(std::string_view name) const;
    // Whether a comma-separated list field, over all of its lines, holds this token.
    bool has_token(std::string_view name, std::string_view token) const;

    auto begin() const { return fields_.begin(); }
    auto end() const { return fields_.end(); }
    std::size_t size() const { return fields_.size(); }

private:
    std::vector<Field> fields_;
};

struct HttpRequest {
    std::string method;  // "GET": any token; the handler answers 405 to what it does not know
    std::string target;  // as it came: origin form, or absolute form from a proxy's client
    Fields fields;
    std::optional<std::uint64_t> content_length;  // absent without a body, and with a chunked one
};

struct HttpResponse {
    unsigned status = 200;
    Fields fields;  // without Content-Length, Transfer-Encoding and Connection, which are set here
    std::optional<std::uint64_t> length;  // of the body; absent is not known yet
};

std::string_view reason_phrase(unsigned status);

// RFC 9110 Section 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::int64_t seconds_since_1970);

}  // namespace stile::drivers
