// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/description.hpp>
#include <stile/sdp/http_carriers.hpp>

namespace stile::session {

// The same candidate in the words of SDP and of ICE. What ICE cannot use (names of
// multicast DNS) has no ICE form.
sdp::Candidate to_sdp(const ice::Candidate& candidate);
std::optional<ice::Candidate> to_ice(const sdp::Candidate& candidate);

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
