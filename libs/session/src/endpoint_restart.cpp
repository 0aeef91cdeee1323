// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// ICE restarts by re-INVITE, and networks that change while sessions go on. RFC 3261 Section 14,
// RFC 8839 Section 4.4.
#include <stile/session/endpoint.hpp>

#include <algorithm>

namespace stile::session {
namespace {

// Whether the same re-INVITE may be accepted another time: what the network, a server or a busy
// peer says. Anything else is said of the re-INVITE itself.
bool is_passing(sip::Status status) {
    switch (status.code) {
        case 408:
        case 486:
        case 500:
        case 502:
        case 503:
        case 504:
            return true;
    }
    return false;
}

bool is_absence(sip::Status status) {
    return status == sip::status::TemporarilyUnavailable || status == sip::status::FlowFailed ||
           status == sip::status::NotFound;
}

// RFC 3261 Section 14.1: in units of 10 ms, between 2.1 and 4 s for who made the Call-ID, up to 2 s
// for the other.
Duration glare_time(sip::Call::Role role, crypto::RandomStream& random) {
    using std::chrono::milliseconds;
    return role == sip::Call::Role::Caller ? milliseconds{2100 + 10 * random.below(191)}
                                           : milliseconds{10 * random.below(201)};
}

}  // namespace

// ---- networks ----------------------------------------------------------------------------------

void Endpoint::handle_host_added(Instant now, SessionId session, const SocketAddress& host) {
    const auto found = entries_.find(session);
    if (found == entries_.end() || !found->second.session) return;
    found->second.session->handle_host_added(now, host);
    see(now);
}

void Endpoint::handle_host_removed(Instant now, SessionId session, const SocketAddress& host) {
    const auto found = entries_.find(session);
    if (found == entries_.end() || !found->second.session) return;
    found->second.session->handle_host_removed(now, host);
    see(now);
}

void Endpoint::handle_listener_added(Instant now, SessionId session,
                                     const connect::Listener& listener) {
    HttpSession* const its = running(session);
    if (its == nullptr) return;
    its->handle_listener_added(now, listener);
    see(now);
}

void Endpoint::handle_listener_removed(Instant now, SessionId session,
                                       const connect::Listener& listener) {
    HttpSession* const its = running(session);
    if (its == nullptr) return;
    its->handle_listener_removed(now, listener);
    see(now);
}

// ---- our re-INVITE -----------------------------------------------------------------------------

// When restart_if_due() can begin one, as far as time alone decides.
std::optional<Instant> Endpoint::restart_time(const Entry& entry) const {
    const auto due = entry.session->restart_due();
    if (!due) return std::nullopt;
    const bool is_lost = !entry.session->route();
    if (is_hopeless(entry)) return is_lost ? due : std::nullopt;
    if (!is_lost && entry.restarts.failures >= limits::most_restart_failures) return std::nullopt;
    // Without these it waits for a connection, an ACK or the end of a transaction.
    const sip::Call* const call = agent_.find(*entry.call);
    if (!flow_ || call == nullptr || !call->may_reinvite()) return std::nullopt;
    return std::max(*due, entry.restarts.not_before);
}

bool Endpoint::is_hopeless(const Entry& entry) {
    return !entry.call || entry.restarts.peer == Restarts::Willing::No ||
           entry.restarts.absences >= limits::most_absences;
}

Endpoint::Restart Endpoint::restart_if_due(Instant now, Entries::iterator entry) {
    auto& [id, state] = *entry;
    const auto when = restart_time(state);
    if (!when || now < *when) return Restart::None;
    if (is_hopeless(state)) {
        // Nobody to restart with, and nothing that works.
        finish(now, entry, {id, EndReason::SessionFault, SessionFault::PathLost, state.evidence});
        return Restart::Ended;
    }
    state.restarts.not_before = now + limits::least_restart_interval;
    state.session->restart(now);
    return Restart::Begun;
}

// A description of a call that is there already.
void Endpoint::send_later(Instant now, Entry& entry, DescriptionKind kind, sip::Body body) {
    if (kind == DescriptionKind::Answer) {
        // Where it cannot be sent, the peer's transaction fails, and the peer tries again.
        if (entry.call) (void)agent_.answer_reinvite(now, *entry.call, {.body = std::move(body)});
    } else if (!entry.call || !agent_.reinvite(now, *entry.call, {.body = std::move(body)})) {
        entry.session->handle_offer_refused(now);
    }
}

void Endpoint::take_reinvite_response(Instant now, Entry& entry, const sip::Message& response) {
    const sip::Status status = response.status();
    if (status.is_success()) {
        const auto taken =
            entry.session->handle_answer(now, response.body_text(), fragments_of(response));
        if (taken) {
            entry.restarts = {.not_before = entry.restarts.not_before};
        } else {
            entry.restarts.peer = Restarts::Willing::No;
        }
        return;
    }
    entry.evidence = std::to_string(status.code) + ' ' + std::string{response.reason()};
    entry.session->handle_offer_refused(now);
    if (status == sip::status::RequestPending) {
        const sip::Call* const call = entry.call ? agent_.find(*entry.call) : nullptr;
        if (call != nullptr) entry.restarts.not_before = now + glare_time(call->role(), random_);
        // Two that cross take turns soon; a peer that always says so is another matter.
        ++entry.restarts.failures;
    } else if (is_passing(status) || is_absence(status)) {
        back_off(now, entry.restarts);
        if (is_absence(status) && !entry.session->route()) ++entry.restarts.absences;
        if (const auto after = response.retry_after()) {
            const Duration wait =
                std::min<Duration>(std::chrono::seconds{after->seconds}, limits::lost_patience);
            entry.restarts.not_before = std::max(entry.restarts.not_before, now + wait);
        }
    } else {
        entry.restarts.peer = Restarts::Willing::No;
    }
}

void Endpoint::take_reinvite_failure(Instant now, Entry& entry) {
    entry.session->handle_offer_refused(now);
    if (flow_) {
        back_off(now, entry.restarts);
    } else {
        // The connection broke: with the next one it is tried again at once.
        entry.restarts.not_before = now;
    }
}

void Endpoint::back_off(Instant now, Restarts& restarts) {
    Duration wait = limits::least_restart_interval;
    for (std::uint32_t i = 0; i < restarts.failures && wait < limits::most_restart_interval; ++i) {
        wait *= 2;
    }
    ++restarts.failures;
    restarts.not_before = now + std::min(wait, limits::most_restart_interval);
}

// ---- the peer's re-INVITE ----------------------------------------------------------------------

void Endpoint::take_reinvite(Instant now, Entry& entry, const sip::Message& invite) {
    const auto type = invite.content_type();
    const bool is_offer = type && type->type == "application" && type->subtype == "sdp";
    // "the session parameters MUST remain unchanged": RFC 3261 Section 14.1, which is why what
    // can't be taken changes nothing.
    if (!is_offer || !entry.session->handle_offer(now, invite.body_text(), fragments_of(invite))) {
        (void)agent_.reject_reinvite(now, *entry.call, sip::status::NotAcceptableHere);
        return;
    }
    // It does restart, then, and what we wanted is done with its own.
    entry.restarts = {};
}

}  // namespace stile::session
