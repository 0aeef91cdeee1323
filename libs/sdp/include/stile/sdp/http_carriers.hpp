// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/candidate.hpp>
#include <stile/sdp/description.hpp>
#include <stile/sdp/fingerprint.hpp>
#include <stile/sdp/sctp.hpp>
#include <stile/sdp/setup.hpp>

namespace stile::sdp {

// The ways on which a session can carry HTTP, best first. Several are offered as several sections;
// the answer accepts exactly one.
enum class HttpCarrier : std::uint8_t {
    Quic,         // m=application 9 UDP/QUIC h3 (docs/protocols/quic-in-sdp.md)
    Tls,          // m=application 9 TCP/TLS http (RFC 4145, RFC 8122, RFC 6544)
    DataChannel,  // m=application 9 UDP/DTLS/SCTP webrtc-datachannel (RFC 8841)
};

std::string_view to_string(HttpCarrier carrier);
// Empty for a section of any other kind.
std::optional<HttpCarrier> http_carrier(const MediaDescription& section);

// What both sides say about one carrier.
struct CarrierParameters {
    std::string ufrag;
    std::string pwd;
    std::vector<std::string> ice_options;  // "trickle", "ice2"
    std::vector<Candidate> candidates;
    bool end_of_candidates = false;
    std::vector<Fingerprint> fingerprints;  // at least one
    SetupRole setup = SetupRole::Actpass;
    std::optional<std::string> tls_id;
    std::optional<std::string> mid;
    std::uint16_t sctp_port = 5000;                                     // data channels only
    std::uint64_t max_message_octets = MaxMessageSize::default_octets;  // data channels only
};

// A section with port 9 and c=IN IP4 0.0.0.0, as trickling agents write it (RFC 8840 Section
// 4.1.1): the candidates alone say where to send.
MediaDescription make_carrier(HttpCarrier carrier, const CarrierParameters& parameters);

enum class CarrierFault : std::uint8_t {
    NotACarrier,         // http_carrier() is empty, or there is no such section
    Rejected,            // port 0
    MissingCredentials,  // ice-ufrag or ice-pwd absent or malformed
    MissingFingerprint,  // none that is well formed and of a usable hash function
    BadSetup,            // malformed, or holdconn
    MissingSctpPort,     // a data channel without it (RFC 8841 Section 5.1)
};

std::string_view to_string(CarrierFault fault);

// Candidates that are malformed or of an unknown kind are left out.
[[nodiscard]] std::expected<CarrierParameters, CarrierFault> read_carrier(
    const Description& description, std::size_t section);

}  // namespace stile::sdp
