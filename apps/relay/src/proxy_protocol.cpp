// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/relay/proxy_protocol.hpp>

#include <algorithm>
#include <array>

namespace stile::relay {
namespace {

constexpr std::array<std::uint8_t, 12> signature{0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D,
                                                 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A};
constexpr std::size_t fixed_octets = 16;

enum Command : unsigned { local = 0x20, proxy = 0x21 };
enum Family : unsigned { tcp4 = 0x11, tcp6 = 0x21 };

unsigned octet(BytesView bytes, std::size_t index) {
    return std::to_integer<unsigned>(bytes[index]);
}

Port port(BytesView bytes) {
    return {static_cast<std::uint16_t>(octet(bytes, 0) << 8U | octet(bytes, 1))};
}

// Source address, destination address, source port, destination port.
std::optional<Path> read_addresses(BytesView body, std::size_t octets) {
    if (body.size() < 2 * octets + 4) return std::nullopt;
    const BytesView ports = body.subspan(2 * octets);
    return Path{
        .local = {IpAddress::from_octets(body.subspan(octets, octets)), port(ports.subspan(2))},
        .remote = {IpAddress::from_octets(body.first(octets)), port(ports)}};
}

}  // namespace

std::expected<ProxyHeader, ProxyError> parse_proxy_header(BytesView stream) {
    const std::size_t known = std::min(stream.size(), signature.size());
    for (std::size_t i = 0; i < known; ++i) {
        if (octet(stream, i) != signature[i]) return std::unexpected(ProxyError::NotProxy);
    }
    if (stream.size() < fixed_octets) return std::unexpected(ProxyError::Incomplete);
    const std::size_t length = octet(stream, 14) << 8U | octet(stream, 15);
    if (fixed_octets + length > most_proxy_octets) return std::unexpected(ProxyError::TooLong);
    if (stream.size() < fixed_octets + length) return std::unexpected(ProxyError::Incomplete);
    ProxyHeader header{.octets = fixed_octets + length, .addresses = std::nullopt};
    if (octet(stream, 12) == Command::local) return header;
    if (octet(stream, 12) != Command::proxy) return std::unexpected(ProxyError::Malformed);
    const BytesView body = stream.subspan(fixed_octets, length);
    const unsigned family = octet(stream, 13);
    if (family != Family::tcp4 && family != Family::tcp6) return header;
    header.addresses = read_addresses(body, family == Family::tcp4 ? 4 : 16);
    if (!header.addresses) return std::unexpected(ProxyError::Malformed);
    return header;
}

}  // namespace stile::relay
