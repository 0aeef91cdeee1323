// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/socket_address.hpp>
#include <stile/sdp/attributes.hpp>

#include <variant>

namespace stile::sdp {

enum class CandidateType : std::uint8_t { Host, ServerReflexive, PeerReflexive, Relayed };
enum class CandidateTransport : std::uint8_t { Udp, Tcp };
// RFC 6544 Section 4.5.
enum class TcpType : std::uint8_t { Active, Passive, SimultaneousOpen };

// A name of multicast DNS that stands for a host candidate's address: one label and ".local".
struct MdnsName {
    std::string text;
    friend bool operator==(const MdnsName&, const MdnsName&) = default;
};

// a=candidate. RFC 8839 Section 5.1.
struct Candidate {
    static constexpr std::string_view name = "candidate";

    struct Extension {
        std::string name;
        std::string value;
        friend bool operator==(const Extension&, const Extension&) = default;
    };

    std::string foundation;       // 1 to 32 of A-Z a-z 0-9 + /
    std::uint16_t component = 1;  // 1 to 256
    CandidateTransport transport = CandidateTransport::Udp;
    std::uint32_t priority = 1;  // 1 to 2^31 - 1
    std::variant<IpAddress, MdnsName> address;
    Port port;
    CandidateType type = CandidateType::Host;
    std::optional<SocketAddress> related;  // raddr and rport
    std::optional<TcpType> tcp_type;       // RFC 6544; absent means UDP
    std::vector<Extension> extensions;     // those not named above, in order

    // Domain names other than MdnsName, unknown transports and unknown types are Unsupported:
    // the RFC wants such candidates ignored. A related address that is a name counts as absent.
    [[nodiscard]] static std::expected<Candidate, AttributeError> parse(std::string_view value);
    std::optional<std::string> value() const;

    // Empty for an MdnsName.
    std::optional<SocketAddress> socket_address() const;
    friend bool operator==(const Candidate&, const Candidate&) = default;
};

// The same candidate signalled again: address, port, transport and component are equal. RFC 8840
// Section 4.4.
bool same_candidate(const Candidate& left, const Candidate& right);

// a=end-of-candidates. RFC 8840 Section 8.
struct EndOfCandidates {
    static constexpr std::string_view name = "end-of-candidates";
    [[nodiscard]] static std::expected<EndOfCandidates, AttributeError> parse(
        std::string_view value);
    std::optional<std::string> value() const { return std::nullopt; }
};

}  // namespace stile::sdp
