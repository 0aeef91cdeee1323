// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "nghttp3_fields.hpp"

#include <stile/base/text.hpp>

namespace stile::quic {
namespace {

nghttp3_nv native(std::string_view name, std::string_view value) {
    const auto octets = [](std::string_view text) {
        // The interface predates const; it only reads.
        return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    return {octets(name), octets(value), name.size(), value.size(), NGHTTP3_NV_FLAG_NONE};
}

void add(std::vector<nghttp3_nv>& native_list, const std::vector<Field>& fields) {
    for (const Field& field : fields) native_list.push_back(native(field.name, field.value));
}

}  // namespace

std::vector<nghttp3_nv> native_fields(const RequestHead& head) {
    std::vector<nghttp3_nv> list{native(":method", head.method)};
    if (!head.scheme.empty()) list.push_back(native(":scheme", head.scheme));
    if (!head.authority.empty()) list.push_back(native(":authority", head.authority));
    if (!head.path.empty()) list.push_back(native(":path", head.path));
    if (head.protocol) list.push_back(native(":protocol", *head.protocol));
    add(list, head.fields);
    return list;
}

std::vector<nghttp3_nv> native_fields(const ResponseHead& head, const std::string& status) {
    std::vector<nghttp3_nv> list{native(":status", status)};
    add(list, head.fields);
    return list;
}

std::vector<nghttp3_nv> native_fields(const std::vector<Field>& fields) {
    std::vector<nghttp3_nv> list;
    add(list, fields);
    return list;
}

void read_field(std::string_view name, std::string_view value, FieldSection& section) {
    RequestHead& request = section.request;
    if (name == ":method") {
        request.method = value;
    } else if (name == ":scheme") {
        request.scheme = value;
    } else if (name == ":authority") {
        request.authority = value;
    } else if (name == ":path") {
        request.path = value;
    } else if (name == ":protocol") {
        request.protocol = std::string{value};
    } else if (name == ":status") {
        section.status = static_cast<std::uint16_t>(parse_unsigned(value, 999).value_or(0));
    } else {
        section.fields.push_back({.name = std::string{name}, .value = std::string{value}});
    }
}

}  // namespace stile::quic
