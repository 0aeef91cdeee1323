// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
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

// Of a candidate whose related address stays private. RFC 8839 Section 5.1.
SocketAddress hidden_related(const IpAddress& candidate) {
    return {candidate.is_v4() ? IpAddress::v4(0U) : IpAddress::v6({}), Port{9}};
}

}  // namespace

sdp::Candidate to_sdp(const ice::Candidate& candidate) {
    sdp::Candidate text;
    text.foundation = candidate.foundation;
    text.component = candidate.component.value;
    text.priority = candidate.priority;
    text.address = candidate.address.ip;
    text.port = candidate.address.port;
    text.type = to_sdp(candidate.type);
    if (candidate.type != ice::CandidateType::Host) {
        text.related = candidate.related.value_or(hidden_related(candidate.address.ip));
    }
    return text;
}

std::optional<ice::Candidate> to_ice(const sdp::Candidate& text) {
    const auto address = text.socket_address();
    std::optional<SocketAddress> related = text.related;
    if (related && related->ip.is_unspecified()) related.reset();
    if (!address || text.transport != sdp::CandidateTransport::Udp) return std::nullopt;
    return ice::Candidate{.type = to_ice(text.type),
                          .component = {text.component},
                          .transport = ice::Transport::Udp,
                          .address = *address,
                          .base = *address,
                          .related = related,
                          .priority = text.priority,
                          .foundation = text.foundation};
}

void write_path(const connect::Description& path, sdp::CarrierParameters& carrier) {
    carrier.ufrag = path.credentials.fragment;
    carrier.pwd = path.credentials.password;
    carrier.ice_options = {"ice2"};  // RFC 8445 Section 10
    carrier.candidates.clear();
    for (const ice::Candidate& candidate : path.candidates) {
        carrier.candidates.push_back(to_sdp(candidate));
    }
    carrier.end_of_candidates = path.gathering == connect::Gathering::Complete;
}

connect::Description read_path(const sdp::CarrierParameters& carrier) {
    connect::Description path;
    path.credentials = {carrier.ufrag, carrier.pwd};
    for (const sdp::Candidate& text : carrier.candidates) {
        if (auto candidate = to_ice(text)) path.candidates.push_back(*std::move(candidate));
    }
    // Without trickling, the description is all there will be. RFC 8838 Section 4.
    path.gathering = carrier.end_of_candidates || !trickles(carrier) ? connect::Gathering::Complete
                                                                     : connect::Gathering::Ongoing;
    return path;
}

// RFC 8839 Sections 4.3.1 and 4.3.2: SHOULD be in offers and answers.
void write_pacing(const connect::Description& path, sdp::Description& description) {
    if (!path.ta) return;
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(*path.ta).count();
    description.attributes.add(sdp::IcePacing{static_cast<std::uint32_t>(milliseconds)});
}

std::optional<Duration> read_pacing(const sdp::Description& description) {
    const auto pacing = description.attributes.get<sdp::IcePacing>();
    if (!pacing) return std::nullopt;
    return std::chrono::milliseconds{pacing->milliseconds};
}

bool trickles(const sdp::CarrierParameters& carrier) {
    return std::ranges::find(carrier.ice_options, "trickle") != carrier.ice_options.end();
}

}  // namespace stile::session
