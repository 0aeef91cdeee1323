// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "ended_by.hpp"

#include <stile/base/assert.hpp>
#include <stile/base/machine.hpp>
#include <stile/session/endpoint.hpp>

#include <algorithm>
#include <utility>

namespace stile::session {

static_assert(Machine<Endpoint>);

namespace {

constexpr std::string_view sdp_type = "application/sdp";
// The option tag of RFC 8840 Section 10.6 and the info package of Section 10.4.
constexpr std::string_view trickle_option = "trickle-ice";

// What a contact that serves says of itself (RFC 3840 Section 5): it takes sessions with
// application streams, and speaks HTTP in them.
sip::Parameters serving_features() {
    sip::Parameters features;
    features.set_flag("application");
    features.set("schemes", "\"sip,sips,http\"");
    // RFC 5768 Section 4, and what it can beyond ICE: RFC 8840 Section 5.2.
    features.set_flag("+sip.ice");
    features.set("extensions", '"' + std::string{trickle_option} + '"');
    return features;
}

// Only contacts that have said so may get a fetch: it must not ring a telephone. RFC 3841 Section
// 9.2; docs/protocols/sip.md.
constexpr std::string_view serving_wanted = "*;application;schemes=\"http\";require;explicit";

// Of several such contacts, those first that take candidates later.
constexpr std::string_view trickling_preferred = "*;+sip.ice;extensions=\"trickle-ice\"";

sip::UserAgentConfig agent_config(const EndpointConfig& config) {
    sip::UserAgentConfig agent;
    const auto uri = sip::Uri::parse("sip:" + config.address);
    STILE_ASSERT(uri && uri->user);
    agent.address.uri = *uri;
    agent.instance = config.instance;
    agent.software = config.software;
    if (config.purpose == Purpose::Serve) agent.features = serving_features();
    agent.accepted_types = {std::string{sdp_type}};
    agent.supported = {std::string{trickle_option}};
    agent.info_packages = {std::string{trickle_option}};
    return agent;
}

std::string peer_of(const sip::Message& invite) {
    const auto from = invite.from();
    if (!from || !from->uri.is_sip_or_sips()) return {};
    return sip::address_of_record(from->uri).substr(std::string_view{"sip:"}.size());
}

}  // namespace

Endpoint::Endpoint(Instant, EndpointConfig config, crypto::RandomStream random)
    : config_(std::move(config)),
      random_(std::move(random)),
      agent_(agent_config(config_), random_.fork()) {}

// ---- sessions --------------------------------------------------------------------------------

std::expected<SessionId, FetchError> Endpoint::fetch(Instant now, std::string_view address,
                                                     connect::ConnectorConfig path) {
    const auto uri = sip::Uri::parse("sip:" + std::string{address});
    if (!uri || !uri->user) return std::unexpected(FetchError::BadAddress);
    if (!flow_) return std::unexpected(FetchError::NoFlow);
    if (!has_room()) return std::unexpected(FetchError::TooMany);
    const SessionId session{++last_session_};
    Entry& entry = entries_[session];
    entry.peer = address;
    entry.trickling = config_.trickling;
    prepare_ports(now, path);
    entry.session.emplace(now, session_config(Part::Offerer, std::move(path)), random_.fork());
    see(now);
    return session;
}

void Endpoint::accept(Instant now, SessionId session, connect::ConnectorConfig path) {
    const auto found = entries_.find(session);
    if (found == entries_.end() || found->second.session) return;
    Entry& entry = found->second;
    prepare_ports(now, path);
    entry.session.emplace(now, session_config(Part::Answerer, std::move(path)), random_.fork());
    const auto taken =
        entry.session->handle_offer(now, std::exchange(entry.offer, {}), entry.fragments);
    if (!taken) {
        (void)agent_.reject(now, *entry.call, sip::status::NotAcceptableHere);
        finish(now, found, {session, EndReason::SessionFault, taken.error(), {}});
    }
    see(now);
}

void Endpoint::reject(Instant now, SessionId session) {
    const auto found = entries_.find(session);
    if (found == entries_.end() || found->second.session) return;
    (void)agent_.reject(now, *found->second.call, sip::status::Decline);
    finish(now, found, {session, EndReason::Local, {}, {}});
    see(now);
}

void Endpoint::end(Instant now, SessionId session) {
    const auto found = entries_.find(session);
    if (found == entries_.end()) return;
    finish(now, found, {session, EndReason::Local, {}, {}});
    see(now);
}

void Endpoint::end_when_told(Instant now, SessionId session, Duration patience) {
    const auto found = entries_.find(session);
    if (found == entries_.end() || found->second.ends_at) return;
    const auto& path = found->second.session;
    found->second.ends_at = path && path->route() ? now + patience : now;
    see(now);
}

std::optional<connect::Received> Endpoint::handle_datagram(Instant now, SessionId session,
                                                           const Path& path, BytesView datagram) {
    const auto found = entries_.find(session);
    if (found == entries_.end()) {
        const auto released = std::ranges::find(released_, session, &Released::id);
        if (released != released_.end()) {
            (void)released->session.handle_datagram(now, path, datagram);
        }
        return std::nullopt;
    }
    if (!found->second.session) return std::nullopt;
    auto received = found->second.session->handle_datagram(now, path, datagram);
    // A datagram of the application changes hardly ever anything here; of thousands a second, most
    // are such.
    if (!received || found->second.session->has_route_news()) see(now);
    return received;
}

void Endpoint::send(Instant now, SessionId session, BytesView payload) {
    const auto found = entries_.find(session);
    if (found != entries_.end() && found->second.session) {
        found->second.session->send(now, payload);
    }
}

void Endpoint::handle_timeout(Instant now) {
    agent_.handle_timeout(now);
    if (ports_) ports_->handle_timeout(now);
    for (auto& [id, entry] : entries_) {
        if (entry.session) entry.session->handle_timeout(now, pacer_);
    }
    for (Released& released : released_) released.session.handle_timeout(now, pacer_);
    std::erase_if(released_, [now](const Released& released) { return now >= released.until; });
    see(now);
}

// ---- outputs ---------------------------------------------------------------------------------

std::optional<EndpointTransmit> Endpoint::poll_transmit() {
    if (auto outgoing = agent_.poll_transmit()) return *std::move(outgoing);
    for (auto& [id, entry] : entries_) {
        if (!entry.session) continue;
        if (const auto datagram = entry.session->poll_transmit()) {
            if (ports_) ports_->sent(now_, connect::UserId{id.value}, *datagram);
            return PathTransmit{id, *datagram};
        }
        if (const auto bytes = entry.session->poll_stream_transmit())
            return PathStreamTransmit{id, *bytes};
    }
    for (Released& released : released_) {
        if (const auto datagram = released.session.poll_transmit()) {
            return PathTransmit{released.id, *datagram};
        }
        if (const auto bytes = released.session.poll_stream_transmit()) {
            return PathStreamTransmit{released.id, *bytes};
        }
    }
    return std::nullopt;
}

std::optional<EndpointEvent> Endpoint::poll_event() {
    if (events_.empty()) return std::nullopt;
    EndpointEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
}

std::optional<Instant> Endpoint::poll_timeout() const {
    std::optional<Instant> soonest = agent_.poll_timeout();
    if (ports_) soonest = earlier(soonest, ports_->poll_timeout());
    for (const auto& [id, entry] : entries_) {
        soonest = earlier(soonest, entry.ends_at);
        if (!entry.session) continue;
        soonest = earlier(soonest, earlier(entry.session->poll_timeout(), restart_time(entry)));
    }
    for (const Released& released : released_) {
        soonest = earlier(soonest, earlier(released.until, released.session.poll_timeout()));
    }
    return soonest;
}

const HttpSession* Endpoint::find(SessionId session) const {
    const auto found = entries_.find(session);
    if (found == entries_.end() || !found->second.session) return nullptr;
    return &*found->second.session;
}

// ---- inside ----------------------------------------------------------------------------------

HttpSessionConfig Endpoint::session_config(Part part, connect::ConnectorConfig path) const {
    path.pacing = connect::Pacing::Shared;
    return {.part = part,
            .trickling = config_.trickling,
            .path = std::move(path),
            .fingerprint = config_.fingerprint};
}

void Endpoint::see(Instant now) {
    now_ = now;
    take_agent_events(now);
    for (auto entry = entries_.begin(); entry != entries_.end();) {
        // finish() erases this entry and no other.
        take_session_events(now, entry++);
    }
    take_agent_events(now);
}

void Endpoint::take_agent_events(Instant now) {
    while (auto event = agent_.poll_event()) {
        if (const auto* const registration =
                std::get_if<sip::UserAgent::RegistrationEvent>(&*event)) {
            take_registration_event(registration->event);
        } else if (auto* const call = std::get_if<sip::UserAgent::CallEvent>(&*event)) {
            take_call_event(now, call->call, std::move(call->event));
        }
    }
}

void Endpoint::take_call_event(Instant now, sip::CallId call, sip::Call::Event event) {
    if (const auto* const incoming = std::get_if<sip::Call::Incoming>(&event)) {
        return take_invite(now, call, incoming->invite);
    }
    const auto entry = find_call(call);
    if (entry == entries_.end()) return;
    if (const auto* const answered = std::get_if<sip::Call::Answered>(&event)) {
        const auto taken = entry->second.session->handle_answer(now, answered->response.body_text(),
                                                                fragments_of(answered->response));
        if (!taken) finish(now, entry, {entry->first, EndReason::SessionFault, taken.error(), {}});
    } else if (const auto* const reinvited = std::get_if<sip::Call::Reinvited>(&event)) {
        take_reinvite(now, entry->second, reinvited->invite);
    } else if (const auto* const settled = std::get_if<sip::Call::ReinviteAnswered>(&event)) {
        take_reinvite_response(now, entry->second, settled->response);
    } else if (std::holds_alternative<sip::Call::ReinviteFailed>(event)) {
        take_reinvite_failure(now, entry->second);
    } else if (const auto* const request = std::get_if<sip::Call::RequestReceived>(&event)) {
        take_request(now, entry->second, *request);
    } else if (std::holds_alternative<sip::Call::Acknowledged>(event)) {
        if (entry->second.telling == Telling::Held) entry->second.telling = Telling::Open;
    } else if (const auto* const told = std::get_if<sip::Call::RequestAnswered>(&event)) {
        take_info_response(entry->second, *told);
    } else if (const auto* const untold = std::get_if<sip::Call::RequestFailed>(&event)) {
        take_info_failure(entry->second, *untold);
    } else if (const auto* const ended = std::get_if<sip::Call::Ended>(&event)) {
        entry->second.call.reset();
        if (outlives_call(entry->second, *ended)) return;
        if (fall_back(now, entry->second, *ended)) return;
        const bool is_ours = entry->second.ends_at.has_value();
        finish(now, entry,
               is_ours ? Ended{entry->first, EndReason::Local, {}, {}}
                       : ended_by(entry->first, *ended));
    }
}

void Endpoint::take_invite(Instant now, sip::CallId call, const sip::Message& invite) {
    const auto type = invite.content_type();
    if (config_.purpose != Purpose::Serve || !type || type->type != "application" ||
        type->subtype != "sdp") {
        (void)agent_.reject(now, call, sip::status::NotAcceptableHere);
        return;
    }
    if (!has_room()) {
        (void)agent_.reject(now, call, sip::status::BusyHere);
        return;
    }
    const SessionId session{++last_session_};
    Entry& entry = entries_[session];
    entry.call = call;
    entry.peer = peer_of(invite);
    entry.offer = invite.body_text();
    entry.fragments = fragments_of(invite);
    queue_event(Incoming{session, entry.peer});
}

void Endpoint::take_session_events(Instant now, Entries::iterator entry) {
    auto& [id, state] = *entry;
    if (state.ends_at && now >= *state.ends_at) {
        return finish(now, entry, {id, EndReason::Local, {}, {}});
    }
    if (!state.session) return;
    for (Restart restart = Restart::Begun; restart == Restart::Begun;) {
        while (auto event = state.session->poll_event()) {
            if (const auto* const ready = std::get_if<DescriptionReady>(&*event)) {
                if (!describe(now, state, *ready)) {
                    return finish(now, entry, {id, EndReason::Unreachable, {}, {}});
                }
            } else if (const auto* const route = std::get_if<RouteReady>(&*event)) {
                state.restarts.absences = 0;
                queue_event(RouteOpened{id, route->route});
            } else if (std::holds_alternative<RouteLost>(*event)) {
                queue_event(RouteClosed{id});
            } else if (const auto* const wanted = std::get_if<connect::StreamWanted>(&*event)) {
                queue_event(StreamWanted{id, *wanted});
            } else if (const auto* const unwanted = std::get_if<connect::StreamUnwanted>(&*event)) {
                queue_event(StreamUnwanted{id, unwanted->stream});
            } else if (const auto* const name = std::get_if<connect::NameWanted>(&*event)) {
                queue_event(NameWanted{id, name->name});
            } else if (const auto* const failed = std::get_if<Failed>(&*event)) {
                return finish(now, entry,
                              {id, EndReason::SessionFault, failed->fault, state.evidence});
            }
        }
        restart = restart_if_due(now, entry);
        if (restart == Restart::Ended) return;
    }
    // After the description: the call that carries both is there then.
    trickle(now, state);
    follow_ports(now, id, *state.session);
}

bool Endpoint::describe(Instant now, Entry& entry, const DescriptionReady& ready) {
    sip::Body body{.type = std::string{sdp_type}, .octets = to_bytes(ready.sdp)};
    if (!is_first(entry, ready.kind)) {
        send_later(now, entry, ready.kind, std::move(body));
        return true;
    }
    if (ready.kind == DescriptionKind::Answer) {
        return agent_.answer(now, *entry.call, {.body = std::move(body)}).has_value();
    }
    if (!flow_) return false;
    std::vector<sip::HeaderLine> headers{{"Accept-Contact", std::string{serving_wanted}}};
    if (entry.trickling == Trickling::Full) {
        headers.push_back({"Accept-Contact", std::string{trickling_preferred}});
        headers.push_back({"Require", std::string{trickle_option}});
    }
    const auto call = agent_.invite(now, {.flow = *flow_,
                                          .target = *sip::Uri::parse("sip:" + entry.peer),
                                          .route = {},
                                          .headers = std::move(headers),
                                          .body = std::move(body)});
    if (!call) return false;
    entry.call = *call;
    return true;
}

bool Endpoint::is_first(const Entry& entry, DescriptionKind kind) const {
    if (kind == DescriptionKind::Offer) return !entry.session->has_offer();
    const sip::Call* const call = entry.call ? agent_.find(*entry.call) : nullptr;
    return call != nullptr && call->state() == sip::Call::State::Incoming;
}

void Endpoint::finish(Instant now, Entries::iterator entry, Ended ended) {
    if (const auto call = entry->second.call) {
        // Whichever of the three fits how far the call has come.
        if (!agent_.bye(now, *call) && !agent_.cancel(now, *call)) {
            (void)agent_.reject(now, *call, sip::status::TemporarilyUnavailable);
        }
    }
    if (ports_) ports_->leave(connect::UserId{entry->first.value});
    if (entry->second.session) {
        entry->second.session->release(now);
        if (released_.size() == limits::most_released) released_.pop_front();
        released_.push_back(
            {entry->first, *std::move(entry->second.session), now + limits::release_patience});
    }
    entries_.erase(entry);
    queue_event(std::move(ended));
}

Endpoint::Entries::iterator Endpoint::find_call(sip::CallId call) {
    return std::ranges::find_if(entries_,
                                [call](const auto& entry) { return entry.second.call == call; });
}

bool Endpoint::has_room() const {
    return entries_.size() < limits::most_sessions && events_.size() < limits::most_queued_events;
}

void Endpoint::queue_event(EndpointEvent event) {
    // Of Ended there is one a session, and has_room() bounds those.
    if (events_.size() >= limits::most_queued_events && !std::holds_alternative<Ended>(event)) {
        return;
    }
    events_.push_back(std::move(event));
}

}  // namespace stile::session
