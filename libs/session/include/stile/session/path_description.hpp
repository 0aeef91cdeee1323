// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/description.hpp>
#include <stile/sdp/http_carriers.hpp>

namespace stile::session {

// The same candidate in the words of SDP and of ICE. What ICE cannot use has no ICE form; of one
// with a name of multicast DNS instead of an address, to_named() has it.
sdp::Candidate to_sdp(const ice::Candidate& candidate,
                      const std::optional<connect::Concealment>& concealment = {});
std::optional<ice::Candidate> to_ice(const sdp::Candidate& candidate);
std::optional<connect::NamedCandidate> to_named(const sdp::Candidate& candidate);
// Adds it to the peer's, as the one or the other, where it can be used.
void take_candidate(const sdp::Candidate& candidate, connect::Description& path);

// Puts credentials and candidates into a carrier's section, and takes them out of it.
void write_path(const connect::Description& path, sdp::CarrierParameters& carrier);
connect::Description read_path(const sdp::CarrierParameters& carrier);
// The same of the proposed pacing, which is the session's and not a section's.
void write_pacing(const connect::Description& path, sdp::Description& description);
std::optional<Duration> read_pacing(const sdp::Description& description);
// And of a=ice-lite.
void write_kind(const connect::Description& path, sdp::Description& description);
ice::PeerKind read_kind(const sdp::Description& description);
// Does the sender take candidates after its description? RFC 8838 Section 3.
bool trickles(const sdp::CarrierParameters& carrier);

}  // namespace stile::session
