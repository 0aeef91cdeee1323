// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/text.hpp>
#include <stile/sdp/ice_attributes.hpp>
#include <stile/session/path_description.hpp>

#include <algorithm>

namespace stile::session {
namespace {

sdp::CandidateType to_sdp(ice::CandidateType type) {
    switch (type) {
        case ice::CandidateType::Host:
            return sdp::CandidateType::Host;
        case ice::CandidateType::ServerReflexive:
            return sdp::CandidateType::ServerReflexive;
        case ice::CandidateType::PeerReflexive:
            return sdp::CandidateType::PeerReflexive;
        case ice::CandidateType::Relayed:
            return sdp::CandidateType::Relayed;
    }
    return sdp::CandidateType::Host;
}

ice::CandidateType to_ice(sdp::CandidateType type) {
    switch (type) {
        case sdp::CandidateType::Host:
            return ice::CandidateType::Host;
        case sdp::CandidateType::ServerReflexive:
            return ice::CandidateType::ServerReflexive;
        case sdp::CandidateType::PeerReflexive:
            return ice::CandidateType::PeerReflexive;
        case sdp::CandidateType::Relayed:
            return ice::CandidateType::Relayed;
    }
    return ice::CandidateType::Host;
}

sdp::TcpType to_sdp(ice::TcpType type) {
    switch (type) {
        case ice::TcpType::Active:
            return sdp::TcpType::Active;
        case ice::TcpType::Passive:
            return sdp::TcpType::Passive;
        case ice::TcpType::SimultaneousOpen:
            return sdp::TcpType::SimultaneousOpen;
    }
    return sdp::TcpType::Active;
}

ice::TcpType to_ice(sdp::TcpType type) {
    switch (type) {
        case sdp::TcpType::Active:
            return ice::TcpType::Active;
        case sdp::TcpType::Passive:
            return ice::TcpType::Passive;
        case sdp::TcpType::SimultaneousOpen:
            return ice::TcpType::SimultaneousOpen;
    }
    return ice::TcpType::Active;
}

// draft-thatcher-ice-renomination.
constexpr std::string_view renomination_option = "renomination";

bool has_option(const sdp::CarrierParameters& carrier, std::string_view option) {
    return std::ranges::find(carrier.ice_options, option) != carrier.ice_options.end();
}

// Of a candidate whose related address stays private. RFC 8839 Section 5.1.
SocketAddress hidden_related(const IpAddress& candidate) {
    return {candidate.is_v4() ? IpAddress::v4(0U) : IpAddress::v6({}), Port{9}};
}

}  // namespace

sdp::Candidate to_sdp(const ice::Candidate& candidate,
                      const std::optional<connect::Concealment>& concealment) {
    sdp::Candidate text;
    text.foundation = candidate.foundation;
    text.component = candidate.component.value;
    text.priority = candidate.priority;
    text.address = candidate.address.ip;
    text.port = candidate.address.port;
    text.type = to_sdp(candidate.type);
    if (candidate.tcp_type) {
        text.transport = sdp::CandidateTransport::Tcp;
        text.tcp_type = to_sdp(*candidate.tcp_type);
    }
    if (candidate.type != ice::CandidateType::Host) {
        const SocketAddress hidden = hidden_related(candidate.address.ip);
        text.related = concealment ? hidden : candidate.related.value_or(hidden);
    } else if (concealment) {
        const std::string* const name = concealment->name_of(candidate.address.ip);
        if (name != nullptr) text.address = sdp::MdnsName{*name};
    }
    return text;
}

namespace {

std::optional<ice::Candidate> to_ice_at(const sdp::Candidate& text, const SocketAddress& address) {
    std::optional<SocketAddress> related = text.related;
    if (related && related->ip.is_unspecified()) related.reset();
    const bool tcp = text.transport == sdp::CandidateTransport::Tcp;
    // Without a type there is no saying who opens the connection. RFC 6544 Section 4.5.
    if (tcp && !text.tcp_type) return std::nullopt;
    std::optional<ice::TcpType> tcp_type;
    if (tcp) tcp_type = to_ice(*text.tcp_type);
    return ice::Candidate{.type = to_ice(text.type),
                          .component = {text.component},
                          .transport = tcp ? ice::Transport::Tcp : ice::Transport::Udp,
                          .address = address,
                          .base = address,
                          .related = related,
                          .priority = text.priority,
                          .foundation = text.foundation,
                          .tcp_type = tcp_type};
}

}  // namespace

std::optional<ice::Candidate> to_ice(const sdp::Candidate& text) {
    const auto address = text.socket_address();
    if (!address) return std::nullopt;
    return to_ice_at(text, *address);
}

std::optional<connect::NamedCandidate> to_named(const sdp::Candidate& text) {
    const auto* const name = std::get_if<sdp::MdnsName>(&text.address);
    if (name == nullptr) return std::nullopt;
    auto candidate = to_ice_at(text, {IpAddress{}, text.port});
    if (!candidate) return std::nullopt;
    return connect::NamedCandidate{to_lower(name->text), *std::move(candidate)};
}

void take_candidate(const sdp::Candidate& text, connect::Description& path) {
    if (auto candidate = to_ice(text)) {
        path.candidates.push_back(*std::move(candidate));
    } else if (auto named = to_named(text)) {
        path.named.push_back(*std::move(named));
    }
}

void write_path(const connect::Description& path, sdp::CarrierParameters& carrier) {
    carrier.ufrag = path.credentials.fragment;
    carrier.pwd = path.credentials.password;
    carrier.ice_options = {"ice2"};  // RFC 8445 Section 10
    if (path.renomination == ice::Renomination::Offered) {
        carrier.ice_options.emplace_back(renomination_option);
    }
    carrier.candidates.clear();
    for (const ice::Candidate& candidate : path.candidates) {
        carrier.candidates.push_back(to_sdp(candidate, path.concealment));
    }
    carrier.end_of_candidates = path.gathering == connect::Gathering::Complete;
}

connect::Description read_path(const sdp::CarrierParameters& carrier) {
    connect::Description path;
    path.credentials = {carrier.ufrag, carrier.pwd};
    for (const sdp::Candidate& text : carrier.candidates) {
        take_candidate(text, path);
    }
    if (has_option(carrier, renomination_option)) {
        path.renomination = ice::Renomination::Offered;
    }
    // Without trickling, the description is all there will be. RFC 8838 Section 4.
    path.gathering = carrier.end_of_candidates || !trickles(carrier) ? connect::Gathering::Complete
                                                                     : connect::Gathering::Ongoing;
    return path;
}

// RFC 8839 Sections 4.3.1 and 4.3.2: SHOULD be in offers and answers.
void write_pacing(const connect::Description& path, sdp::Description& description) {
    // "A lite ICE implementation MUST NOT include the "ice-pacing" attribute".
    if (!path.ta || path.kind == ice::PeerKind::Lite) return;
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(*path.ta).count();
    description.attributes.add(sdp::IcePacing{static_cast<std::uint32_t>(milliseconds)});
}

std::optional<Duration> read_pacing(const sdp::Description& description) {
    const auto pacing = description.attributes.get<sdp::IcePacing>();
    if (!pacing) return std::nullopt;
    return std::chrono::milliseconds{pacing->milliseconds};
}

// RFC 8839 Section 5.3.
void write_kind(const connect::Description& path, sdp::Description& description) {
    if (path.kind == ice::PeerKind::Lite) description.attributes.add(sdp::IceLite{});
}

ice::PeerKind read_kind(const sdp::Description& description) {
    return description.attributes.get<sdp::IceLite>() ? ice::PeerKind::Lite : ice::PeerKind::Full;
}

bool trickles(const sdp::CarrierParameters& carrier) { return has_option(carrier, "trickle"); }

}  // namespace stile::session
