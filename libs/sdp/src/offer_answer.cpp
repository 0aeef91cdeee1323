// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sdp/offer_answer.hpp>

#include <stile/base/assert.hpp>
#include <stile/base/text.hpp>
#include <stile/sdp/direction.hpp>
#include <stile/sdp/fingerprint.hpp>
#include <stile/sdp/grouping.hpp>
#include <stile/sdp/sctp.hpp>
#include <stile/sdp/setup.hpp>

#include <algorithm>

namespace stile::sdp {

namespace {

bool proto_contains(const MediaDescription& section, std::string_view token) {
    std::string_view rest = section.proto;
    while (!rest.empty()) {
        if (iequals(take_until(rest, '/'), token)) return true;
    }
    return false;
}

bool is_rtp(const MediaDescription& section) { return proto_contains(section, "RTP"); }
bool is_sctp(const MediaDescription& section) { return proto_contains(section, "SCTP"); }
bool is_dtls(const MediaDescription& section) {
    return proto_contains(section, "DTLS") ||
           (is_rtp(section) && proto_contains(section, "UDP") && proto_contains(section, "TLS"));
}

// What stays of a section that is not in use.
MediaDescription rejected_copy(const MediaDescription& section) {
    MediaDescription copy;
    copy.media = section.media;
    copy.proto = section.proto;
    copy.formats = section.formats;
    copy.connections = {};
    if (const auto mid = section.attributes.get<Mid>()) copy.attributes.add(*mid);
    return copy;
}

bool shares_format(const MediaDescription& offer, const MediaDescription& answer) {
    return std::any_of(answer.formats.begin(), answer.formats.end(), [&](const auto& format) {
        return std::find(offer.formats.begin(), offer.formats.end(), format) != offer.formats.end();
    });
}

// RFC 4145 Section 4.1 has defaults for both sides.
SetupRole role_of(const Description& description, const MediaDescription& section,
                  SetupRole absent) {
    const auto setup = description.effective<Setup>(section);
    return setup ? setup->role : absent;
}

bool setup_fits(const Description& offer, const MediaDescription& offered,
                const Description& answer, const MediaDescription& answered) {
    const auto setup = answer.effective<Setup>(answered);
    if (!setup && setup.error() != AttributeError::Absent) return false;
    const SetupRole theirs = role_of(answer, answered, SetupRole::Passive);
    if (is_dtls(offered) && theirs == SetupRole::Holdconn) return false;
    return may_answer(role_of(offer, offered, SetupRole::Active), theirs);
}

std::optional<AnswerFault> check_accepted(const Description& offer, const MediaDescription& offered,
                                          const Description& answer,
                                          const MediaDescription& answered) {
    if (offered.rejected()) return AnswerFault::Revived;
    if (!shares_format(offered, answered)) return AnswerFault::Formats;
    if (is_rtp(offered) &&
        !may_answer(direction_of(offer, offered), direction_of(answer, answered))) {
        return AnswerFault::Direction;
    }
    // RFC 4145 gave the attribute to TCP, TLS and DTLS then took it over.
    const bool has_roles = needs_fingerprint(answered) || proto_contains(answered, "TCP");
    if (has_roles && !setup_fits(offer, offered, answer, answered)) return AnswerFault::SetupRole;
    if (needs_fingerprint(answered)) {
        if (answer.all_effective<Fingerprint>(answered).empty()) {
            return AnswerFault::MissingFingerprint;
        }
        if (answered.attributes.has(TlsId::name) && !offered.attributes.has(TlsId::name)) {
            return AnswerFault::UninvitedTlsId;
        }
    }
    if (is_sctp(answered) && !answered.attributes.get<SctpPort>()) {
        return AnswerFault::MissingSctpPort;
    }
    return {};
}

std::optional<AnswerFault> check_section(const Description& offer, const MediaDescription& offered,
                                         const Description& answer,
                                         const MediaDescription& answered) {
    if (!iequals(offered.media, answered.media)) return AnswerFault::MediaType;
    if (!offered.is_proto(answered.proto)) return AnswerFault::Proto;
    const auto offered_mid = offered.attributes.get<Mid>();
    const auto answered_mid = answered.attributes.get<Mid>();
    if (answered_mid && (!offered_mid || *offered_mid != *answered_mid)) return AnswerFault::Mid;
    if (answered.rejected()) return {};
    return check_accepted(offer, offered, answer, answered);
}

bool same_but_version(Origin left, const Origin& right) {
    left.session_version = right.session_version;
    return left == right;
}

}  // namespace

bool needs_fingerprint(const MediaDescription& section) {
    return proto_contains(section, "TLS") || proto_contains(section, "DTLS") ||
           proto_contains(section, "QUIC");
}

Description make_answer(const Description& offer, Origin origin) {
    Description answer;
    answer.origin = std::move(origin);
    // RFC 3264 Section 6: the t= line of the answer MUST equal that of the offer.
    answer.timings = offer.timings;
    for (const MediaDescription& section : offer.media) {
        answer.media.push_back(rejected_copy(section));
    }
    return answer;
}

void accept(Description& answer, const Description& offer, std::size_t section,
            AcceptedMedia media) {
    STILE_ASSERT(offer.media.size() == answer.media.size());
    STILE_ASSERT(section < offer.media.size());
    STILE_ASSERT(!offer.media[section].rejected());
    MediaDescription accepted = rejected_copy(offer.media[section]);
    accepted.port = media.port;
    if (!media.formats.empty()) accepted.formats = std::move(media.formats);
    accepted.connections = std::move(media.connections);
    const auto mid = accepted.attributes.get<Mid>();
    accepted.attributes = std::move(media.attributes);
    if (mid) accepted.attributes.set(*mid);
    answer.media[section] = std::move(accepted);
}

void reject_all_but(Description& answer, std::size_t kept) {
    for (std::size_t i = 0; i < answer.media.size(); ++i) {
        if (i != kept) answer.media[i] = rejected_copy(answer.media[i]);
    }
}

std::vector<std::size_t> accepted_sections(const Description& answer) {
    std::vector<std::size_t> sections;
    for (std::size_t i = 0; i < answer.media.size(); ++i) {
        if (!answer.media[i].rejected()) sections.push_back(i);
    }
    return sections;
}

std::string_view to_string(AnswerFault fault) {
    switch (fault) {
        case AnswerFault::SectionCount:
            return "the answer has another number of m= lines";
        case AnswerFault::MediaType:
            return "the answer changes the media type of a section";
        case AnswerFault::Proto:
            return "the answer changes the transport of a section";
        case AnswerFault::Formats:
            return "the answer accepts no offered format of a section";
        case AnswerFault::Revived:
            return "the answer accepts a section that was not offered";
        case AnswerFault::Direction:
            return "the direction of a section does not fit the offer";
        case AnswerFault::SetupRole:
            return "the setup role of a section does not fit the offer";
        case AnswerFault::MissingFingerprint:
            return "a secure section has no usable fingerprint";
        case AnswerFault::UninvitedTlsId:
            return "the answer has a tls-id and the offer has none";
        case AnswerFault::MissingSctpPort:
            return "a data channel section has no sctp-port";
        case AnswerFault::Mid:
            return "the answer changes the mid of a section";
    }
    return {};
}

std::optional<AnswerProblem> check_answer(const Description& offer, const Description& answer) {
    if (offer.media.size() != answer.media.size()) {
        return AnswerProblem{.fault = AnswerFault::SectionCount, .section = 0};
    }
    for (std::size_t i = 0; i < offer.media.size(); ++i) {
        if (const auto fault = check_section(offer, offer.media[i], answer, answer.media[i])) {
            return AnswerProblem{.fault = *fault, .section = i};
        }
    }
    return {};
}

void increment_version(Description& description) {
    STILE_ASSERT(description.origin.session_version < limits::session_version);
    ++description.origin.session_version;
}

void set_version_after(Description& next, const Description& previous) {
    next.origin = previous.origin;
    if (next != previous) increment_version(next);
}

std::string_view to_string(UpdateFault fault) {
    switch (fault) {
        case UpdateFault::OriginChanged:
            return "the o= line names another session";
        case UpdateFault::VersionNotOneMore:
            return "the version is not one more than before";
        case UpdateFault::ChangedWithVersion:
            return "a changed description has the old version";
        case UpdateFault::SectionsRemoved:
            return "m= lines were removed";
    }
    return {};
}

std::optional<UpdateFault> check_update(const Description& previous, const Description& next) {
    if (!same_but_version(previous.origin, next.origin)) return UpdateFault::OriginChanged;
    const bool same_version = previous.origin.session_version == next.origin.session_version;
    if (same_version) {
        if (previous != next) return UpdateFault::ChangedWithVersion;
        return {};
    }
    if (next.origin.session_version != previous.origin.session_version + 1) {
        return UpdateFault::VersionNotOneMore;
    }
    if (next.media.size() < previous.media.size()) return UpdateFault::SectionsRemoved;
    return {};
}

}  // namespace stile::sdp
