// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stile::http {

struct Field {
    std::string name;  // in lower case, as HTTP/2 and HTTP/3 send it
    std::string value;
    friend bool operator==(const Field&, const Field&) = default;
};

// Why a received field is refused. RFC 9110 Section 5.
enum class FieldError : std::uint8_t {
    BadName,   // not a token
    BadValue,  // NUL, CR, LF or another control character inside
    TooMany,   // limits::fields
    TooLarge,  // limits::field_octets
};

// The fields of a head, in their order. Names are compared without regard to case.
class Fields {
public:
    auto begin() const { return list_.begin(); }
    auto end() const { return list_.end(); }
    std::size_t size() const { return list_.size(); }
    bool empty() const { return list_.empty(); }

    bool has(std::string_view name) const { return get(name).has_value(); }
    // The first of that name. The view lives until the list changes.
    std::optional<std::string_view> get(std::string_view name) const;
    // All of that name, joined with ", ". RFC 9110 Section 5.3.
    std::optional<std::string> combined(std::string_view name) const;
    std::size_t count(std::string_view name) const;

    // What we send. Requires: name is a token. Control characters in the value, CR and LF among
    // them, become spaces (RFC 9110 Section 5.5), so that no value can add a field.
    void add(std::string_view name, std::string_view value);
    // Replaces all of that name.
    void set(std::string_view name, std::string_view value);
    std::size_t remove(std::string_view name);
    // What was received; spaces around the value are dropped. On an error nothing is added.
    [[nodiscard]] std::expected<void, FieldError> receive(std::string_view name,
                                                          std::string_view value);

    friend bool operator==(const Fields&, const Fields&) = default;

private:
    std::vector<Field> list_;
    std::size_t octets_ = 0;
};

// RFC 9110 Section 5.6.2.
bool is_token(std::string_view text);

}  // namespace stile::http
