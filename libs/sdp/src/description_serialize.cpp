// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/description.hpp>

#include <stile/base/text.hpp>

#include "line_cursor.hpp"

namespace stile::sdp {

namespace {

void append_optional(std::string& text, char type, const std::optional<std::string>& value) {
    if (value) append_line(text, type, *value);
}

void append_repeated(std::string& text, char type, const std::vector<std::string>& values) {
    for (const std::string& value : values) append_line(text, type, value);
}

void append_connection(std::string& text, const Connection& connection) {
    append_line(text, 'c',
                connection.network + ' ' + connection.address_type + ' ' + connection.address);
}

void append_bandwidths(std::string& text, const std::vector<Bandwidth>& list) {
    for (const Bandwidth& each : list) {
        append_line(text, 'b', each.type + ':' + std::to_string(each.value));
    }
}

void append_timing(std::string& text, const Timing& timing) {
    append_line(text, 't', std::to_string(timing.start) + ' ' + std::to_string(timing.stop));
    append_repeated(text, 'r', timing.repeats);
    append_optional(text, 'z', timing.zone);
}

void append_media(std::string& text, const MediaDescription& media) {
    append_media_line(text, media);
    append_optional(text, 'i', media.title);
    for (const Connection& connection : media.connections) append_connection(text, connection);
    append_bandwidths(text, media.bandwidths);
    append_optional(text, 'k', media.key);
    append_attributes(text, media.attributes);
}

}  // namespace

std::string Description::serialize() const {
    std::string text;
    append_line(text, 'v', "0");
    append_line(text, 'o',
                origin.username + ' ' + origin.session_id + ' ' +
                    std::to_string(origin.session_version) + ' ' + origin.network + ' ' +
                    origin.address_type + ' ' + origin.address);
    append_line(text, 's', session_name.empty() ? "-" : session_name);
    append_optional(text, 'i', information);
    append_optional(text, 'u', uri);
    append_repeated(text, 'e', emails);
    append_repeated(text, 'p', phones);
    if (connection) append_connection(text, *connection);
    append_bandwidths(text, bandwidths);
    for (const Timing& timing : timings) append_timing(text, timing);
    append_optional(text, 'k', key);
    append_attributes(text, attributes);
    for (const MediaDescription& each : media) append_media(text, each);
    return text;
}

const Connection* Description::effective_connection(const MediaDescription& section) const {
    if (!section.connections.empty()) return &section.connections.front();
    return connection ? &*connection : nullptr;
}

Connection Connection::unicast(const IpAddress& ip) {
    return {.address_type = ip.is_v4() ? "IP4" : "IP6", .address = ip.to_string()};
}

std::optional<IpAddress> Connection::ip() const {
    if (!iequals(network, "IN")) return {};
    const auto parsed = IpAddress::parse(address);
    const bool agrees =
        parsed && iequals(address_type, parsed->is_v4() ? std::string_view{"IP4"} : "IP6");
    return agrees ? parsed : std::nullopt;
}

bool MediaDescription::is_proto(std::string_view other) const { return iequals(proto, other); }

}  // namespace stile::sdp
