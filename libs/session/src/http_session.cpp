// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/machine.hpp>
#include <stile/sdp/offer_answer.hpp>
#include <stile/session/http_session.hpp>
#include <stile/session/path_description.hpp>

#include <algorithm>
#include <stile/base/assert.hpp>
#include <utility>

namespace stile::session {

static_assert(Machine<HttpSession>);

namespace {

connect::ConnectorConfig with_role(connect::ConnectorConfig config, Part part) {
    config.ice.role = part == Part::Offerer ? ice::Role::Controlling : ice::Role::Controlled;
    return config;
}

sdp::Fingerprint to_sdp(const identity::Fingerprint& fingerprint) {
    return {.hash = sdp::HashFunction::Sha256, .digest = to_bytes(fingerprint.octets.bytes())};
}

std::vector<identity::Fingerprint> to_identity(const std::vector<sdp::Fingerprint>& fingerprints) {
    std::vector<identity::Fingerprint> usable;
    for (const sdp::Fingerprint& fingerprint :
         sdp::select_fingerprints(fingerprints, {sdp::HashFunction::Sha256})) {
        usable.push_back({.hash = identity::HashFunction::Sha256,
                          .octets = crypto::Digest{BytesView{fingerprint.digest}}});
    }
    return usable;
}

// RFC 8840 Section 4.1.1 wants a mid; an answer repeats the offer's.
constexpr std::string_view carrier_mid = "quic";

SessionFault to_fault(sdp::CarrierFault fault) {
    switch (fault) {
        case sdp::CarrierFault::NotACarrier:
        case sdp::CarrierFault::Rejected:
            return SessionFault::NoCarrier;
        case sdp::CarrierFault::MissingCredentials:
            return SessionFault::BadPath;
        case sdp::CarrierFault::MissingFingerprint:
            return SessionFault::NoFingerprint;
        case sdp::CarrierFault::BadSetup:
        case sdp::CarrierFault::MissingSctpPort:
            return SessionFault::BadDescription;
    }
    return SessionFault::BadDescription;
}

}  // namespace

std::string_view to_string(SessionFault fault) {
    switch (fault) {
        case SessionFault::BadDescription:
            return "the peer's session description is not usable";
        case SessionFault::NoCarrier:
            return "the peer can do none of the offered ways to carry HTTP";
        case SessionFault::BadPath:
            return "the peer's session description has no ICE credentials";
        case SessionFault::NoFingerprint:
            return "the peer's session description has no fingerprint";
        case SessionFault::NoPath:
            return "no pair of addresses works between the two";
        case SessionFault::PathTimedOut:
            return "no path was found in time";
    }
    return "";
}

HttpSession::HttpSession(Instant now, HttpSessionConfig config, crypto::RandomStream random)
    : config_(std::move(config)),
      random_(std::move(random)),
      path_(now, with_role(config_.path, config_.part), random_.fork()),
      description_deadline_(now + limits::description_patience) {
    see(now);
}

// ---- inputs ----------------------------------------------------------------------------------

std::expected<void, SessionFault> HttpSession::handle_offer(Instant now, std::string_view sdp,
                                                            Fragments fragments) {
    STILE_ASSERT(config_.part == Part::Answerer && !section_);
    fragments_ = fragments;
    auto offer = sdp::Description::parse(sdp);
    if (!offer) return std::unexpected(SessionFault::BadDescription);
    offer_ = *std::move(offer);
    // The offer names the ways best first; exactly one is accepted. RFC 3264 Section 5.1.
    for (std::size_t section = 0; section < offer_.media.size(); ++section) {
        const sdp::MediaDescription& media = offer_.media[section];
        if (sdp::http_carrier(media) != sdp::HttpCarrier::Quic || media.rejected()) continue;
        if (auto applied = apply_remote(now, offer_, section); !applied) return applied;
        see(now);
        return {};
    }
    return std::unexpected(SessionFault::NoCarrier);
}

std::expected<void, SessionFault> HttpSession::handle_answer(Instant now, std::string_view sdp,
                                                             Fragments fragments) {
    STILE_ASSERT(config_.part == Part::Offerer && !description_deadline_ && !section_);
    fragments_ = fragments;
    const auto answer = sdp::Description::parse(sdp);
    if (!answer) return std::unexpected(SessionFault::BadDescription);
    if (const auto problem = sdp::check_answer(offer_, *answer)) {
        return std::unexpected(problem->fault == sdp::AnswerFault::MissingFingerprint
                                   ? SessionFault::NoFingerprint
                                   : SessionFault::BadDescription);
    }
    const auto accepted = sdp::accepted_sections(*answer);
    if (accepted.empty()) return std::unexpected(SessionFault::NoCarrier);
    if (auto applied = apply_remote(now, *answer, accepted.front()); !applied) return applied;
    see(now);
    return {};
}

std::expected<void, SessionFault> HttpSession::apply_remote(Instant now,
                                                            const sdp::Description& remote,
                                                            std::size_t section) {
    const auto carrier = sdp::read_carrier(remote, section);
    if (!carrier) return std::unexpected(to_fault(carrier.error()));
    expected_ = to_identity(carrier->fingerprints);
    if (expected_.empty()) return std::unexpected(SessionFault::NoFingerprint);
    connect::Description path = read_path(*carrier);
    path.ta = read_pacing(remote);
    if (!path_.set_remote_description(now, path)) return std::unexpected(SessionFault::BadPath);
    section_ = section;
    remote_ = path.credentials;
    remote_candidates_ = path.candidates;
    offered_trickle_ = trickles(*carrier);
    // Without a mid there is no way to say which section a candidate belongs to.
    if (!offered_trickle_ || !carrier->mid) fragments_ = Fragments::NotTaken;
    mid_ = carrier->mid.value_or("");
    path_deadline_ = now + limits::path_patience;
    if (config_.part == Part::Answerer) *path_deadline_ += limits::answerer_grace;
    if (const auto early = std::exchange(early_fragment_, {})) (void)handle_fragment(now, *early);
    return {};
}

std::optional<connect::Received> HttpSession::handle_datagram(Instant now, const Path& path,
                                                              BytesView datagram) {
    auto received = path_.handle_datagram(now, path, datagram);
    see(now);
    return received;
}

void HttpSession::handle_timeout(Instant now) {
    path_.handle_timeout(now);
    see(now);
    if (path_deadline_ && now >= *path_deadline_) {
        path_deadline_.reset();
        fail(SessionFault::PathTimedOut);
    }
}

// ---- outputs ---------------------------------------------------------------------------------

std::optional<HttpSessionEvent> HttpSession::poll_event() {
    if (auto description = std::exchange(description_, {})) return *std::move(description);
    if (std::exchange(route_news_, News::None) == News::Unsaid) {
        const auto now_so = path_.route();
        if (!now_so) return RouteLost{};
        return RouteReady{*now_so};
    }
    if (std::exchange(failure_news_, News::None) == News::Unsaid) return failed_;
    return std::nullopt;
}

std::optional<Instant> HttpSession::poll_timeout() const {
    const bool may_describe = config_.part == Part::Offerer || section_;
    return earlier(earlier(path_.poll_timeout(), path_deadline_),
                   may_describe ? description_deadline_ : std::nullopt);
}

// ---- inside ----------------------------------------------------------------------------------

void HttpSession::see(Instant now) {
    while (const auto event = path_.poll_event()) {
        if (failed_) continue;
        if (std::holds_alternative<connect::CandidateGathered>(*event) ||
            std::holds_alternative<connect::GatheringCompleted>(*event)) {
            note_candidates();
        } else if (std::holds_alternative<connect::RouteChanged>(*event)) {
            path_deadline_.reset();
            route_news_ = News::Unsaid;
        } else if (std::holds_alternative<connect::RouteLost>(*event)) {
            route_news_ = News::Unsaid;
        } else if (std::holds_alternative<connect::PathFailed>(*event)) {
            fail(SessionFault::NoPath);
        }
    }
    if (ready_to_describe(now)) describe();
}

bool HttpSession::ready_to_describe(Instant now) {
    if (!description_deadline_ || failed_) return false;
    if (config_.part == Part::Answerer && !section_) return false;
    if (!waits_for_candidates()) return true;
    if (path_.local_description().gathering == connect::Gathering::Complete) return true;
    if (patience_ == Patience::ForRelay && !lacks_relay()) return true;
    if (now < *description_deadline_) return false;
    if (patience_ == Patience::ForAll && lacks_relay()) {
        patience_ = Patience::ForRelay;
        *description_deadline_ += limits::relay_patience - limits::description_patience;
        return false;
    }
    return true;
}

bool HttpSession::lacks_relay() const {
    if (path_.awaits_servers()) return true;
    return !config_.path.turn_servers.empty() &&
           std::ranges::none_of(path_.local_description().candidates, [](const auto& candidate) {
               return candidate.type == ice::CandidateType::Relayed;
           });
}

void HttpSession::describe() {
    description_deadline_.reset();
    note_candidates();
    note_told();
    description_ = DescriptionReady{config_.part == Part::Offerer ? make_offer() : make_answer()};
}

std::string HttpSession::make_offer() {
    offer_ = {};
    offer_.origin = origin();
    write_pacing(path_.local_description(), offer_);
    offer_.media.push_back(sdp::make_carrier(sdp::HttpCarrier::Quic, parameters()));
    return offer_.serialize();
}

std::string HttpSession::make_answer() {
    sdp::Description answer = sdp::make_answer(offer_, origin());
    write_pacing(path_.local_description(), answer);
    const sdp::MediaDescription section = sdp::make_carrier(sdp::HttpCarrier::Quic, parameters());
    sdp::accept(answer, offer_, *section_,
                {.port = section.port,
                 .formats = section.formats,
                 .connections = section.connections,
                 .attributes = section.attributes});
    return answer.serialize();
}

sdp::CarrierParameters HttpSession::parameters() const {
    sdp::CarrierParameters carrier;
    write_path(told_path(), carrier);
    // To who does not trickle nothing is said of it.
    if (config_.part == Part::Offerer || offered_trickle_)
        carrier.ice_options = {"trickle", "ice2"};
    if (config_.part == Part::Offerer) carrier.mid = carrier_mid;
    carrier.fingerprints = {to_sdp(config_.fingerprint)};
    carrier.setup =
        config_.part == Part::Offerer ? sdp::SetupRole::Active : sdp::SetupRole::Passive;
    return carrier;
}

// RFC 8866 Section 5.2 wants an identifier that is unique; RFC 3264 Section 5 keeps it under 2^63.
sdp::Origin HttpSession::origin() {
    sdp::Origin origin;
    origin.session_id = std::to_string(random_.u64() >> 2U);
    return origin;
}

void HttpSession::fail(SessionFault fault) {
    path_deadline_.reset();
    failed_ = Failed{fault};
    failure_news_ = News::Unsaid;
}

}  // namespace stile::session
