// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// ICE anew while the carrier lives: later offers and answers, networks that change, and what a lost
// route asks for. RFC 8445 Section 9, RFC 8839 Section 4.4, RFC 3264 Section 8.
#include <stile/base/assert.hpp>
#include <stile/sdp/offer_answer.hpp>
#include <stile/session/http_session.hpp>
#include <stile/session/path_description.hpp>

#include <algorithm>
#include <utility>

namespace stile::session {

// ---- our offer ---------------------------------------------------------------------------------

std::optional<Instant> HttpSession::restart_due() const {
    const bool is_busy = later_offer_ != LaterOffer::None || description_deadline_;
    if (!section_ || failed_ || is_busy || path_.hosts().empty()) return std::nullopt;
    if (broken_since_) return std::max(*broken_since_, trying_until_.value_or(*broken_since_));
    if (!untold_since_) return std::nullopt;
    // A nomination is near, and until then its checks would be lost. After that there may be none:
    // a spare pair is used, and the peer, who would have to nominate it, need not know.
    const bool is_near =
        nomination_ == Nomination::Awaited && path_.state() == ice::State::Running && path_.route();
    if (is_near) return std::nullopt;
    return *untold_since_ + limits::network_settling;
}

void HttpSession::restart(Instant now) {
    STILE_ASSERT(restart_due());
    begin_generation(now);
    later_offer_ = LaterOffer::Preparing;
    await_description(now, DescriptionKind::Offer);
    see(now);
}

void HttpSession::begin_generation(Instant now) {
    path_.restart(now);
    ++generation_;
    nomination_ = Nomination::Awaited;
    agreement_ = Agreement::Open;
    if (had_route_ == RouteHistory::ThisGeneration) had_route_ = RouteHistory::Earlier;
    broken_since_.reset();
    trying_until_.reset();
    untold_since_.reset();
    early_fragment_.reset();
    candidates_.clear();
    gathering_ = told_gathering_ = connect::Gathering::Ongoing;
    told_ = 0;
    lost_ = Lost::No;
}

void HttpSession::await_description(Instant now, DescriptionKind kind) {
    next_description_ = kind;
    patience_ = Patience::ForAll;
    description_deadline_ = now + limits::description_patience;
}

std::expected<void, SessionFault> HttpSession::handle_later_answer(Instant now,
                                                                   const sdp::Description& answer,
                                                                   Fragments fragments) {
    const auto refuse = [&](SessionFault fault) {
        handle_offer_refused(now);
        return std::unexpected(fault);
    };
    if (sdp::check_answer(offer_, answer)) return refuse(SessionFault::BadDescription);
    const auto carrier = read_later(answer);
    if (!carrier) return refuse(carrier.error());
    // The answerer "MUST change the SDP "ice-pwd" and "ice-ufrag"". RFC 8839 Section 4.4.2.1.
    if (carrier->ufrag == remote_.fragment || carrier->pwd == remote_.password) {
        return refuse(SessionFault::BadPath);
    }
    fragments_ = fragments;
    later_offer_ = LaterOffer::None;
    if (auto applied = apply_path(now, *carrier, answer); !applied) return applied;
    if (const auto early = std::exchange(early_fragment_, {})) (void)handle_fragment(now, *early);
    see(now);
    return {};
}

void HttpSession::handle_offer_refused(Instant now) {
    if (later_offer_ == LaterOffer::None) return;
    later_offer_ = LaterOffer::None;
    description_deadline_.reset();
    description_.reset();
    early_fragment_.reset();
    broken_since_ = now;
}

// ---- the peer's offer --------------------------------------------------------------------------

std::expected<void, SessionFault> HttpSession::handle_later_offer(Instant now,
                                                                  sdp::Description offer,
                                                                  Fragments fragments) {
    if (later_offer_ == LaterOffer::Said || offer.media.size() < offer_.media.size()) {
        return std::unexpected(SessionFault::BadDescription);
    }
    const auto carrier = read_later(offer);
    if (!carrier) return std::unexpected(carrier.error());
    const bool is_new_ufrag = carrier->ufrag != remote_.fragment;
    const bool is_new_pwd = carrier->pwd != remote_.password;
    // Both change, or none: RFC 8839 Section 4.4.1.1.1. To an offer of the generation before, what
    // we have begun since cannot be the answer.
    const bool fits = is_new_ufrag || agreement_ == Agreement::Reached;
    if (is_new_ufrag != is_new_pwd || !fits) return std::unexpected(SessionFault::BadPath);
    fragments_ = fragments;
    offer_ = std::move(offer);
    mid_ = carrier->mid.value_or("");
    remote_tls_id_ = carrier->tls_id;
    if (is_new_ufrag) {
        // What was prepared for an offer of ours, and never said, does for the answer.
        if (later_offer_ == LaterOffer::None) begin_generation(now);
        later_offer_ = LaterOffer::None;
        const auto applied = apply_path(now, *carrier, offer_);
        if (!applied) return applied;
    }
    await_description(now, DescriptionKind::Answer);
    see(now);
    return {};
}

// ---- the route ---------------------------------------------------------------------------------

void HttpSession::note_route() {
    route_news_ = News::Unsaid;
    path_deadline_.reset();
    lost_deadline_.reset();
    had_route_ = RouteHistory::ThisGeneration;
    if (const auto route = path_.route(); route && route->round_trip) {
        round_trip_ = route->round_trip;
    }
    if (path_.state() == ice::State::Running || path_.state() == ice::State::Completed) {
        broken_since_.reset();
    }
}

void HttpSession::note_loss(Instant now) {
    route_news_ = News::Unsaid;
    // Of an earlier generation's pair: the checks of this one go on.
    if (had_route_ == RouteHistory::ThisGeneration || agreement_ == Agreement::Open) {
        broken_since_ = now;
        try_others(now);
    }
    if (!lost_deadline_) lost_deadline_ = now + limits::lost_patience;
}

// What works without a word to the peer shows it within a round trip, of which a restart would
// break off the checks.
void HttpSession::try_others(Instant now) {
    if (path_.state() != ice::State::Running || agreement_ != Agreement::Reached) return;
    const Duration once = round_trip_.value_or(limits::network_settling) * 5 / 4;
    trying_until_ = now + std::min(once, limits::network_settling);
}

void HttpSession::note_path_failed(Instant now) {
    if (had_route_ == RouteHistory::None) return fail(SessionFault::NoPath);
    trying_until_.reset();
    broken_since_ = now;
    if (!path_.route() && !lost_deadline_) lost_deadline_ = now + limits::lost_patience;
}

// ---- networks ----------------------------------------------------------------------------------

void HttpSession::handle_host_added(Instant now, const SocketAddress& host) {
    if (!path_.add_host(now, host)) return;
    // A description that is yet to come has it. After the end of candidates, or a nomination,
    // nothing may be added to a generation (RFC 8838 Section 13).
    const bool can_follow = told_gathering_ == connect::Gathering::Ongoing &&
                            path_.state() != ice::State::Completed &&
                            (!section_ || fragments_ == Fragments::Taken);
    if (!description_deadline_ && !can_follow) untold_since_ = now;
    if (broken_since_) try_others(now);
    see(now);
}

void HttpSession::handle_host_removed(Instant now, const SocketAddress& host) {
    path_.remove_host(now, host);
    see(now);
}

void HttpSession::handle_listener_added(Instant now, const connect::Listener& listener) {
    (void)path_.add_listener(now, listener);
    see(now);
}

void HttpSession::handle_listener_removed(Instant now, const connect::Listener& listener) {
    path_.remove_listener(now, listener);
    see(now);
}

}  // namespace stile::session
