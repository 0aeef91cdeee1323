// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/encoding.hpp>
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

void note(std::optional<Instant>& milestone, Instant now) {
    if (!milestone) milestone = now;
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
        case SessionFault::PathLost:
            return "the path was lost, and no other was found";
    }
    return "";
}

HttpSession::HttpSession(Instant now, HttpSessionConfig config, crypto::RandomStream random)
    : config_(std::move(config)),
      random_(std::move(random)),
      path_(now, with_role(config_.path, config_.part), random_.fork()),
      description_deadline_(now + limits::description_patience),
      next_description_(config_.part == Part::Offerer ? DescriptionKind::Offer
                                                      : DescriptionKind::Answer),
      milestones_{.begun = now},
      tls_id_(to_hex(random_.bytes(12))) {
    see(now);
}

// ---- inputs ----------------------------------------------------------------------------------

std::expected<void, SessionFault> HttpSession::handle_offer(Instant now, std::string_view sdp,
                                                            Fragments fragments) {
    STILE_ASSERT(config_.part == Part::Answerer || section_);
    auto offer = sdp::Description::parse(sdp);
    if (!offer) return std::unexpected(SessionFault::BadDescription);
    if (section_) return handle_later_offer(now, *std::move(offer), fragments);
    fragments_ = fragments;
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
    const bool has_said = section_ ? later_offer_ == LaterOffer::Said
                                   : config_.part == Part::Offerer && !description_deadline_;
    STILE_ASSERT(has_said);
    const auto answer = sdp::Description::parse(sdp);
    if (!answer && section_) handle_offer_refused(now);
    if (!answer) return std::unexpected(SessionFault::BadDescription);
    if (section_) return handle_later_answer(now, *answer, fragments);
    fragments_ = fragments;
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
    if (auto applied = apply_path(now, *carrier, remote); !applied) return applied;
    section_ = section;
    remote_tls_id_ = carrier->tls_id;
    mid_ = carrier->mid.value_or("");
    path_deadline_ = now + limits::path_patience;
    if (config_.part == Part::Answerer) *path_deadline_ += limits::answerer_grace;
    note(milestones_.agreed, now);
    if (const auto early = std::exchange(early_fragment_, {})) (void)handle_fragment(now, *early);
    return {};
}

// The part that each generation has anew.
std::expected<void, SessionFault> HttpSession::apply_path(Instant now,
                                                          const sdp::CarrierParameters& carrier,
                                                          const sdp::Description& remote) {
    connect::Description path = read_path(carrier);
    path.ta = read_pacing(remote);
    path.kind = read_kind(remote);
    if (!path_.set_remote_description(now, path)) return std::unexpected(SessionFault::BadPath);
    agreement_ = Agreement::Reached;
    remote_ = path.credentials;
    remote_candidates_ = path.candidates;
    remote_named_ = path.named;
    offered_trickle_ = trickles(carrier);
    // Without a mid there is no way to say which section a candidate belongs to.
    if (!offered_trickle_ || !carrier.mid) fragments_ = Fragments::NotTaken;
    return {};
}

// Nothing else of a carrier may change than its path: other certificates would be another
// connection (RFC 8842 Section 4), and a proxy's way to put itself between.
std::expected<sdp::CarrierParameters, SessionFault> HttpSession::read_later(
    const sdp::Description& remote) const {
    if (*section_ >= remote.media.size()) return std::unexpected(SessionFault::BadDescription);
    auto carrier = sdp::read_carrier(remote, *section_);
    if (!carrier) return std::unexpected(to_fault(carrier.error()));
    if (sdp::http_carrier(remote.media[*section_]) != sdp::HttpCarrier::Quic) {
        return std::unexpected(SessionFault::NoCarrier);
    }
    const auto fingerprints = to_identity(carrier->fingerprints);
    if (fingerprints.empty()) return std::unexpected(SessionFault::NoFingerprint);
    if (fingerprints != expected_ || carrier->tls_id != remote_tls_id_) {
        return std::unexpected(SessionFault::BadDescription);
    }
    if (ice::check_credentials({carrier->ufrag, carrier->pwd})) {
        return std::unexpected(SessionFault::BadPath);
    }
    return *std::move(carrier);
}

std::optional<connect::Received> HttpSession::handle_datagram(Instant now, const Path& path,
                                                              BytesView datagram) {
    auto received = path_.handle_datagram(now, path, datagram);
    see(now);
    return received;
}

void HttpSession::handle_timeout(Instant now) {
    path_.handle_timeout(now);
    end_waiting(now);
}

void HttpSession::handle_timeout(Instant now, ice::Pacer& shared) {
    path_.handle_timeout(now, shared);
    end_waiting(now);
}

void HttpSession::end_waiting(Instant now) {
    see(now);
    if (path_deadline_ && now >= *path_deadline_) {
        path_deadline_.reset();
        fail(SessionFault::PathTimedOut);
    }
    if (lost_deadline_ && now >= *lost_deadline_) fail(SessionFault::PathLost);
}

// ---- outputs ---------------------------------------------------------------------------------

std::optional<HttpSessionEvent> HttpSession::poll_event() {
    if (auto description = std::exchange(description_, {})) return *std::move(description);
    if (!streams_.empty()) {
        const StreamNews news = std::move(streams_.front());
        streams_.pop_front();
        return std::visit([](const auto& each) { return HttpSessionEvent{each}; }, news);
    }
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
    return earlier(earlier(earlier(path_.poll_timeout(), path_deadline_), lost_deadline_),
                   may_describe ? description_deadline_ : std::nullopt);
}

// ---- inside ----------------------------------------------------------------------------------

void HttpSession::see(Instant now) {
    while (const auto event = path_.poll_event()) {
        if (failed_) continue;
        if (std::holds_alternative<connect::CandidateGathered>(*event) ||
            std::holds_alternative<connect::GatheringCompleted>(*event)) {
            note_candidates();
            if (std::holds_alternative<connect::GatheringCompleted>(*event)) {
                note(milestones_.gathered, now);
            }
        } else if (std::holds_alternative<connect::RouteChanged>(*event)) {
            note_route();
            note(milestones_.routed, now);
        } else if (std::holds_alternative<connect::RouteLost>(*event)) {
            note_loss(now);
        } else if (std::holds_alternative<connect::PathFailed>(*event)) {
            note_path_failed(now);
        } else if (const auto* const wanted = std::get_if<connect::StreamWanted>(&*event)) {
            note_stream(*wanted);
        } else if (const auto* const unwanted = std::get_if<connect::StreamUnwanted>(&*event)) {
            note_stream(*unwanted);
        } else if (const auto* const name = std::get_if<connect::NameWanted>(&*event)) {
            note_stream(*name);
        }
    }
    if (path_.state() == ice::State::Completed) nomination_ = Nomination::Had;
    const bool is_asked = config_.part == Part::Offerer || section_;
    if (description_deadline_ && is_asked && waits_for_candidates()) path_.ask_rest(now);
    if (ready_to_describe(now)) {
        describe();
        note(milestones_.described, now);
    }
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
    const bool offers = next_description_ == DescriptionKind::Offer;
    if (offers && section_) later_offer_ = LaterOffer::Said;
    sdp::Description next = offers ? make_offer() : make_answer();
    if (said_) sdp::set_version_after(next, *said_);
    description_ = DescriptionReady{next.serialize(), next_description_};
    if (offers) offer_ = next;
    said_ = std::move(next);
}

sdp::Description HttpSession::make_offer() {
    const sdp::MediaDescription carrier = sdp::make_carrier(sdp::HttpCarrier::Quic, parameters());
    sdp::Description offer;
    if (section_) {
        // "The number of "m=" lines" MUST NOT fall. RFC 3264 Section 8.
        offer = *said_;
        offer.media[*section_] = carrier;
    } else {
        offer.origin = origin();
        write_kind(path_.local_description(), offer);
        write_pacing(path_.local_description(), offer);
        offer.media.push_back(carrier);
    }
    return offer;
}

sdp::Description HttpSession::make_answer() {
    sdp::Description answer = sdp::make_answer(offer_, said_ ? said_->origin : origin());
    write_kind(path_.local_description(), answer);
    write_pacing(path_.local_description(), answer);
    const sdp::MediaDescription section = sdp::make_carrier(sdp::HttpCarrier::Quic, parameters());
    sdp::accept(answer, offer_, *section_,
                {.port = section.port,
                 .formats = section.formats,
                 .connections = section.connections,
                 .attributes = section.attributes});
    return answer;
}

sdp::CarrierParameters HttpSession::parameters() const {
    sdp::CarrierParameters carrier;
    write_path(told_path(), carrier);
    // To who does not trickle nothing is said of it.
    if (config_.part == Part::Offerer || offered_trickle_) {
        carrier.ice_options.insert(carrier.ice_options.begin(), "trickle");
    }
    if (section_) {
        if (!mid_.empty()) carrier.mid = mid_;
    } else if (config_.part == Part::Offerer) {
        carrier.mid = carrier_mid;
    }
    const bool begins = config_.part == Part::Offerer && !section_;
    if (begins || remote_tls_id_) carrier.tls_id = tls_id_;
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
    lost_deadline_.reset();
    failed_ = Failed{fault};
    failure_news_ = News::Unsaid;
}

}  // namespace stile::session
