// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/ice/agent.hpp>

#include <algorithm>
#include <utility>

namespace stile::ice {

static_assert(Machine<Agent>);

Agent::Agent(Instant now, AgentConfig config, crypto::RandomStream random)
    : config_(config),
      random_(std::move(random)),
      now_(now),
      role_(config.role),
      tie_breaker_(config.tie_breaker ? *config.tie_breaker : random_.u64()),
      session_(new_session(random_)),
      checklist_(config.most_pairs),
      pacer_(config.ta) {
    STILE_ASSERT(config_.components >= 1);
    STILE_ASSERT(config_.components <= limits::most_components);
    STILE_ASSERT(config_.nomination_patience >= Duration::zero());
    STILE_ASSERT(config_.relayed_nomination_patience >= Duration::zero());
    STILE_ASSERT(config_.pac > Duration::zero());
    STILE_ASSERT(config_.ti > Duration::zero());
    for (std::uint16_t id = 1; id <= config_.components; ++id) {
        components_.push_back({.id = {id}});
    }
}

Agent::Session Agent::new_session(crypto::RandomStream& random) {
    Credentials credentials = Credentials::generate(random);
    auto key = stun::IntegrityKey::short_term(credentials.password);
    return {.local = std::move(credentials), .local_key = std::move(key)};
}

void Agent::see(Instant now) { now_ = std::max(now_, now); }

std::expected<void, CredentialsError> Agent::set_remote(Instant now,
                                                        const RemoteParameters& remote) {
    see(now);
    if (const auto error = check_credentials(remote.credentials)) return std::unexpected(*error);
    if (session_.remote) {
        if (*session_.remote == remote.credentials) return {};
        return std::unexpected(CredentialsError::AlreadySet);
    }
    session_.remote = remote.credentials;
    session_.remote_key = stun::IntegrityKey::short_term(remote.credentials.password);
    session_.check_username = remote.credentials.fragment + ":" + session_.local.fragment;

    // RFC 8445 Section 6.1.1: of a full and a lite agent the full one controls.
    if (remote.kind == PeerKind::Lite) role_ = Role::Controlling;
    constexpr Duration default_ta = std::chrono::milliseconds{50};
    const Duration theirs = std::min(remote.ta.value_or(default_ta), limits::most_ta);
    pacer_ = Pacer{std::max(config_.ta, theirs)};

    renominates_ = config_.renomination == Renomination::Offered &&
                   remote.renomination == Renomination::Offered;

    pac_deadline_ = now_ + config_.pac;
    set_state(State::Running);
    for (std::uint16_t local = 0; local < local_.size(); ++local) pair_local(local);
    checklist_.compute_initial_states();
    process_early_checks(now_);
    return {};
}

std::expected<Candidate, CandidateError> Agent::add_local_candidate(
    Instant now, const GatheredCandidate& gathered) {
    see(now);
    if (gathered.component.value < 1 || gathered.component.value > config_.components) {
        return std::unexpected(CandidateError::UnknownComponent);
    }
    const std::uint16_t known = local_.size();
    const auto index = local_.add(gathered);
    if (!index) return std::unexpected(index.error());
    if (*index < known) recompute_priorities();  // it took a lower one's place
    pair_local(*index);
    return local_[*index];
}

std::expected<void, CandidateError> Agent::add_remote_candidate(Instant now, Candidate candidate) {
    see(now);
    if (candidate.component.value < 1 || candidate.component.value > config_.components) {
        return std::unexpected(CandidateError::UnknownComponent);
    }
    // "it MUST ignore any newly received candidates": RFC 8838 Section 14.
    if (remote_ended_) return std::unexpected(CandidateError::AfterEnd);
    const std::uint16_t known = remote_.size();
    const auto index = remote_.add(std::move(candidate));
    if (!index) return std::unexpected(index.error());
    if (*index < known) recompute_priorities();  // a discovered one was signalled after all
    pair_remote(*index);
    return {};
}

void Agent::end_of_local_candidates(Instant now) {
    see(now);
    local_ended_ = true;
    consider_nominations(now_);
}

void Agent::end_of_remote_candidates(Instant now) {
    see(now);
    remote_ended_ = true;
    consider_nominations(now_);
}

void Agent::remove_base(Instant now, const SocketAddress& base, Transport transport) {
    see(now);
    const PairError error{.kind = PairError::Kind::BaseLost};
    local_.retire(base, transport);
    // By name: what takes a lost pair's place may move the others.
    std::vector<PairId> lost;
    for (const CandidatePair& pair : checklist_.pairs()) {
        if (pair.path.local == base && pair.transport == transport) lost.push_back(pair.id);
    }
    // The selected one last: another one with this base must not take its place.
    std::ranges::stable_partition(lost, [&](PairId id) {
        const auto& chosen = component(checklist_.find(id)->component).selected;
        return !chosen || chosen->pair != id;
    });
    for (const PairId id : lost) {
        erase_checks(id);
        if (CandidatePair* pair = checklist_.find(id)) fail_pair(now_, *pair, error);
    }
    if (previous_) {
        for (std::size_t i = previous_->pairs.size(); i-- > 0;) {
            const Selected& selected = previous_->pairs[i].selected;
            const bool is_tcp = selected.flow.connection.has_value();
            if (selected.base == base && is_tcp == (transport == Transport::Tcp)) {
                lose_previous(now_, i, error);
            }
        }
    }
    consider_nominations(now_);
    evaluate_failure();
}

void Agent::handle_send_failed(Instant now, const Path& path) {
    see(now);
    CandidatePair* pair = checklist_.find(path);
    // Of a pair that works a single failure says little: its consent decides.
    if (pair == nullptr || pair->state != PairState::InProgress) return;
    erase_checks(pair->id);
    fail_pair(now_, *pair, {.kind = PairError::Kind::SendFailed});
    consider_nominations(now_);
    evaluate_failure();
}

void Agent::restart(Instant now, PreviousPair previous) {
    see(now);
    Session old = std::exchange(session_, new_session(random_));
    std::vector<Previous::Pair> kept;
    for (Component& component : components_) {
        if (component.selected) {
            kept.push_back({.component = component.id, .selected = *std::move(component.selected)});
        }
        component = Component{.id = component.id};
    }
    if (previous == PreviousPair::Abandon) {
        previous_.reset();
    } else if (!kept.empty()) {
        previous_ = Previous{.session = std::move(old), .pairs = std::move(kept)};
    }  // else a restart before there was a new pair: what the first one kept stays

    local_.clear();
    remote_.clear();
    local_ended_ = remote_ended_ = renominates_ = false;
    role_changes_ = 0;
    checklist_ = Checklist{config_.most_pairs};
    for (Connection& connection : connections_.all()) connection.pair.reset();
    checks_.clear();
    early_checks_.clear();
    pac_deadline_.reset();
    set_state(State::Waiting);
}

Verdict Agent::handle_datagram(Instant now, const Path& path, BytesView datagram) {
    see(now);
    const auto message = stun::MessageView::parse(datagram);
    if (!message) return Verdict::NotMine;
    return handle_message(now_, {.path = path, .connection = {}}, *message);
}

Verdict Agent::handle_message(Instant now, const Flow& flow, const stun::MessageView& message) {
    if (message.method() != stun::Method::Binding) return Verdict::NotMine;
    switch (message.message_class()) {
        case stun::Class::Request:
            return handle_request(now, flow, message);
        case stun::Class::SuccessResponse:
        case stun::Class::ErrorResponse:
            return handle_response(now, flow, message);
        case stun::Class::Indication:
            // A keepalive: nothing to do (RFC 8445 Section 11). It bears no name, so only the path
            // can tell whose it is.
            return pair_on(flow) != nullptr ? Verdict::Consumed : Verdict::NotMine;
    }
    return Verdict::NotMine;
}

void Agent::handle_timeout(Instant now) { advance(now, nullptr); }
void Agent::handle_timeout(Instant now, Pacer& shared) { advance(now, &shared); }

void Agent::advance(Instant now, Pacer* shared) {
    see(now);
    update_consents(now_);
    update_connections(now_);
    drop_cancelled(now_);
    if (pac_deadline_ && now_ >= *pac_deadline_) pac_deadline_.reset();
    check_spares(now_);
    consider_nominations(now_);
    while (has_due_check(now_) && take_slot(now_, shared)) {
        if (send_one_check(now_)) {
            (void)pacer_.reserve(now_);
            break;
        }
        // What was due was the end of a transaction; the slot is still free.
        consider_nominations(now_);
    }
    evaluate_failure();
}

std::optional<AgentTransmit> Agent::poll_transmit() {
    if (transmits_taken_ == transmits_.size()) {
        transmits_.clear();
        transmits_taken_ = 0;
        if (state_ == State::Completed) rest();
        return std::nullopt;
    }
    Outgoing& next = transmits_[transmits_taken_++];
    current_transmit_ = std::move(next.payload);
    AgentTransmit transmit;
    transmit.path = next.flow.path;
    transmit.payload = current_transmit_;
    transmit.connection = next.flow.connection;
    return transmit;
}

std::optional<Event> Agent::poll_event() {
    if (events_.empty()) {
        // What is wanted of connections follows from all else, and is worked out when asked for.
        release_unneeded();
        if (auto wish = connections_.poll()) {
            if (const auto* wanted = std::get_if<ConnectionWanted>(&*wish)) return *wanted;
            checklist_.release_held();
            return std::get<ConnectionReleased>(*wish);
        }
        return std::nullopt;
    }
    Event event = std::move(events_.front());
    events_.erase(events_.begin());
    return event;
}

std::optional<Instant> Agent::poll_timeout() const {
    std::optional<Instant> next = next_check_time();
    for (const OutstandingCheck& check : checks_) {
        if (check.is_cancelled()) next = earlier(next, check.deadline());
    }
    next = earlier(next, pac_deadline_);
    next = earlier(next, connections_.next_deadline());
    for (const Component& component : components_) {
        if (component.selected) {
            next = earlier(next, component.selected->consent.next_deadline());
        }
        next = earlier(next, nomination_deadline(component));
        next = earlier(next, component.takeover_until);
    }
    for (const CandidatePair& pair : checklist_.pairs()) {
        next = earlier(next, spare_check_due(pair));
    }
    if (previous_) {
        for (const Previous::Pair& pair : previous_->pairs) {
            next = earlier(next, pair.selected.consent.next_deadline());
        }
        next = earlier(next, previous_->answer_until);
    }
    // What could not be done earlier is due now, not in the past.
    if (next) next = std::max(*next, now_);
    return next;
}

void Agent::queue_transmit(const Flow& flow, Bytes payload) {
    if (transmits_.size() - transmits_taken_ >= limits::most_queued_transmits) return;
    if (transmits_taken_ == transmits_.size()) {
        transmits_.clear();
        transmits_taken_ = 0;
    }
    transmits_.push_back({.flow = flow, .payload = std::move(payload)});
}

// Connected, and nothing to say: what is kept until the next consent request is what has a meaning.
// A server has thousands of agents in this state.
void Agent::rest() {
    transmits_.shrink_to_fit();
    current_transmit_ = {};
    if (checks_.empty()) checks_.shrink_to_fit();
    if (events_.empty()) events_.shrink_to_fit();
    early_checks_.shrink_to_fit();
    for (const Session* session : {&session_, previous_ ? &previous_->session : nullptr}) {
        if (session == nullptr) continue;
        session->local_key.rest();
        if (session->remote_key) session->remote_key->rest();
    }
}

void Agent::queue_event(Event event) {
    if (events_.size() >= limits::most_queued_events) events_.erase(events_.begin());
    events_.push_back(std::move(event));
}

}  // namespace stile::ice
