// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sdp/description.hpp>

namespace stile::sdp {

// ---- Answers (RFC 3264 Section 6) --------------------------------------------------------------

// An answer that rejects every section: same sections in the same order with port 0, the offer's
// media, proto, formats and mid, and its t= lines.
Description make_answer(const Description& offer, Origin origin);

// What the answerer puts into a section that it accepts.
struct AcceptedMedia {
    Port port{9};
    std::vector<std::string> formats;          // empty: those of the offer
    std::vector<Connection> connections = {};  // needed unless answer.connection is set
    Attributes attributes;                     // mid is added when the offer has one
};

// Requires: the answer is from make_answer(offer, ..), the offer has the section and does not
// reject it.
void accept(Description& answer, const Description& offer, std::size_t section,
            AcceptedMedia media);

// Sets the port of every section but `kept` to 0 and drops what belongs to a rejected section; the
// rule for sections that are alternatives of one thing (RFC 3264 Section 5.1 has no other way).
void reject_all_but(Description& answer, std::size_t kept);

// Indices of the sections whose port is not 0, in order.
std::vector<std::size_t> accepted_sections(const Description& answer);

enum class AnswerFault : std::uint8_t {
    SectionCount,        // not as many m= lines as the offer
    MediaType,           // a section's media differs
    Proto,               // a section's proto differs
    Formats,             // an accepted section names no format of the offer
    Revived,             // accepted although the offer's port was 0
    Direction,           // e.g. sendonly answered with sendonly
    SetupRole,           // not in RFC 4145's table, or holdconn for DTLS (RFC 8842 Section 5.1)
    MissingFingerprint,  // a TLS, DTLS or QUIC section without fingerprint (RFC 8122 Section 5)
    UninvitedTlsId,      // tls-id although the offer has none (RFC 8842 Section 5.3)
    MissingSctpPort,     // RFC 8841 Section 5.1
    Mid,                 // a section's mid differs from the offer's (RFC 5888 Section 9.1)
};

std::string_view to_string(AnswerFault fault);

struct AnswerProblem {
    AnswerFault fault;
    std::size_t section;  // counted from 0; 0 where the fault is the whole answer's
    friend bool operator==(const AnswerProblem&, const AnswerProblem&) = default;
};

// Empty when the answer may follow the offer; otherwise the first thing that is wrong.
std::optional<AnswerProblem> check_answer(const Description& offer, const Description& answer);

// True when the section's proto runs TLS, DTLS or QUIC, so that it needs a fingerprint.
bool needs_fingerprint(const MediaDescription& section);

// ---- Later offers and answers (RFC 3264 Section 8) ---------------------------------------------

// One more. Requires: the version is below limits::session_version.
void increment_version(Description& description);

// Brings `next` into order after `previous`, the last description that the same side sent in this
// session: the same origin, and the version one more when anything else changed.
void set_version_after(Description& next, const Description& previous);

enum class UpdateFault : std::uint8_t {
    OriginChanged,       // another field of o= than the version
    VersionNotOneMore,   // the description changed and the version is not previous + 1
    ChangedWithVersion,  // the version did not change, the description did
    SectionsRemoved,     // fewer m= lines than before
};

std::string_view to_string(UpdateFault fault);

// Empty when `next` may follow `previous` from the same side.
std::optional<UpdateFault> check_update(const Description& previous, const Description& next);

}  // namespace stile::sdp
