// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/ice/limits.hpp>
#include <stile/ice/lite_agent.hpp>

#include <algorithm>
#include <utility>

namespace stile::ice {

static_assert(Machine<LiteAgent>);

namespace {

// RFC 6724 Section 2.1, the default policy table, as far as a host's own addresses are in it.
std::uint16_t precedence(const IpAddress& address) {
    const BytesView octets = address.octets();
    const auto starts_with = [&](std::initializer_list<unsigned> prefix) {
        return std::equal(prefix.begin(), prefix.end(), octets.begin(),
                          [](unsigned wanted, std::byte octet) {
                              return std::byte{static_cast<std::uint8_t>(wanted)} == octet;
                          });
    };
    if (address.is_v4()) return 35;
    if (address.is_loopback()) return 50;
    if (starts_with({0x20, 0x02})) return 30;                        // 6to4
    if (starts_with({0x20, 0x01, 0x00, 0x00})) return 5;             // Teredo
    if ((octets[0] & std::byte{0xFE}) == std::byte{0xFC}) return 3;  // unique local
    return 40;
}

}  // namespace

LiteAgent::LiteAgent(Instant now, LiteConfig config, crypto::RandomStream random)
    : config_(config),
      random_(std::move(random)),
      now_(now),
      role_(config.role),
      session_(new_session(random_)) {
    STILE_ASSERT(config_.components >= 1);
    STILE_ASSERT(config_.components <= limits::most_components);
    for (std::uint16_t id = 1; id <= config_.components; ++id) {
        components_.push_back({.id = {id}});
    }
}

LiteAgent::Session LiteAgent::new_session(crypto::RandomStream& random) {
    Credentials credentials = Credentials::generate(random);
    auto key = stun::IntegrityKey::short_term(credentials.password);
    return {.local = std::move(credentials), .local_key = std::move(key), .remote = {}};
}

// ---- what the application says ---------------------------------------------------------------

std::expected<Candidate, CandidateError> LiteAgent::add_host(Instant now,
                                                             const SocketAddress& socket,
                                                             Families families, ComponentId id) {
    see(now);
    if (id.value < 1 || id.value > config_.components) {
        return std::unexpected(CandidateError::UnknownComponent);
    }
    GatheredCandidate gathered = host_candidate(socket, id);
    const auto is_taken = [&](auto matches) {
        for (std::uint16_t i = 0; i < local_.size(); ++i) {
            if (local_[i].component == id && matches(local_[i])) return true;
        }
        return false;
    };
    // "For each IP address, independent of an IP address family, there MUST be zero or one
    // candidate."
    if (is_taken([&](const Candidate& known) { return known.address.ip == socket.ip; })) {
        return std::unexpected(CandidateError::Redundant);
    }
    std::uint16_t preference = families == Families::V4Alone ? 65535 : precedence(socket.ip);
    const auto has_preference = [&](const Candidate& known) {
        return known.priority == candidate_priority(CandidateType::Host, preference, id);
    };
    // Priorities are unique. As there are fewer candidates than values, one is free.
    while (is_taken(has_preference)) preference = preference == 0 ? 65535 : preference - 1;
    gathered.local_preference = preference;
    const auto index = local_.add(gathered);
    if (!index) return std::unexpected(index.error());
    return local_[*index];
}

std::expected<void, CredentialsError> LiteAgent::set_remote(Instant now,
                                                            const RemoteParameters& remote) {
    see(now);
    if (const auto error = check_credentials(remote.credentials)) return std::unexpected(*error);
    if (session_.remote) {
        if (*session_.remote == remote.credentials) return {};
        return std::unexpected(CredentialsError::AlreadySet);
    }
    session_.remote = remote.credentials;
    peer_ = remote.kind;
    // RFC 8445 Section 6.1.1.
    role_ = peer_ == PeerKind::Full ? Role::Controlled : config_.role;
    renominates_ = config_.renomination == Renomination::Offered &&
                   remote.renomination == Renomination::Offered;
    state_ = State::Running;
    queue_event(StateChanged{state_});
    for (const EarlyNomination& early : std::exchange(early_, {})) {
        if (early.sender == remote.credentials.fragment) take_check(early.path, early.content);
    }
    pair_lite();
    return {};
}

std::expected<void, CandidateError> LiteAgent::add_remote_candidate(Instant now,
                                                                    Candidate candidate) {
    see(now);
    if (candidate.component.value < 1 || candidate.component.value > config_.components) {
        return std::unexpected(CandidateError::UnknownComponent);
    }
    if (remote_ended_) return std::unexpected(CandidateError::AfterEnd);
    const auto added = remote_.add(std::move(candidate));
    if (!added) return std::unexpected(added.error());
    return {};
}

void LiteAgent::end_of_remote_candidates(Instant now) {
    see(now);
    remote_ended_ = true;
    pair_lite();
}

void LiteAgent::restart(Instant now) {
    see(now);
    previous_ = std::exchange(session_, new_session(random_));
    // The peer's last requests with the old credentials are under way.
    answer_until_ = now_ + limits::previous_answered;
    for (Component& its : components_) {
        if (its.selected) its.previous = its.selected;
        its.selected.reset();
        its.selection = Selection::Provisional;
    }
    local_.clear();
    remote_.clear();
    valid_.clear();
    early_.clear();
    remote_ended_ = renominates_ = false;
    state_ = State::Waiting;
    queue_event(StateChanged{state_});
}

// ---- checks ----------------------------------------------------------------------------------

Verdict LiteAgent::handle_datagram(Instant now, const Path& path, BytesView datagram) {
    see(now);
    const auto message = stun::MessageView::parse(datagram);
    if (!message || message->method() != stun::Method::Binding) return Verdict::NotMine;
    switch (message->message_class()) {
        case stun::Class::Request:
            return handle_request(path, *message);
        case stun::Class::Indication:
            // A keepalive. RFC 8445 Section 11.
            return valid_on(path) != nullptr ? Verdict::Consumed : Verdict::NotMine;
        case stun::Class::SuccessResponse:
        case stun::Class::ErrorResponse:
            return Verdict::NotMine;  // nothing was asked
    }
    return Verdict::NotMine;
}

Verdict LiteAgent::handle_request(const Path& path, const stun::MessageView& request) {
    const auto username = request.get<stun::Username>();
    const auto names = username ? split_username(username->text) : std::nullopt;
    if (!names) return Verdict::NotMine;
    const bool is_current = names->receiver == session_.local.fragment;
    const bool is_previous = previous_ && names->receiver == previous_->local.fragment;
    if (!is_current && !is_previous) return Verdict::NotMine;

    const stun::IntegrityKey& key = is_current ? session_.local_key : previous_->local_key;
    auto content = admit_check(request, key);
    if (!content) {
        if (content.error().answer) queue_transmit(path, *std::move(content.error().answer));
        return Verdict::Consumed;
    }
    // Only full agents send checks, and with a lite one they must control: it will repeat the check
    // in that role. RFC 8445 Sections 6.1.1 and 7.3.1.1.
    if (is_current && content->role == Role::Controlled) {
        queue_transmit(path, build_error(request, stun::error::role_conflict, key));
        return Verdict::Consumed;
    }
    queue_transmit(path, build_success(request, path.remote, key));
    if (!is_current || !local_.find_base(path.local)) return Verdict::Consumed;
    if (!session_.remote) {
        remember_early(path, names->sender, *content);
    } else if (names->sender == session_.remote->fragment) {
        take_check(path, *content);
    }
    return Verdict::Consumed;
}

void LiteAgent::remember_early(const Path& path, std::string_view sender,
                               const CheckContent& content) {
    if (content.nomination == Nomination::No && !content.nomination_number) return;
    if (sender.size() > limits::most_credential_size) return;
    const auto known = std::find_if(early_.begin(), early_.end(), [&](const auto& early) {
        return early.path == path && early.sender == sender;
    });
    if (known != early_.end()) {
        known->content = content;
    } else if (early_.size() < limits::most_early_checks) {
        early_.push_back({.path = path, .sender = std::string{sender}, .content = content});
    }
}

// RFC 8445 Section 7.3.2.
void LiteAgent::take_check(const Path& path, const CheckContent& content) {
    const auto local = local_.find_base(path.local);
    if (!local || peer_ == PeerKind::Lite) return;
    Valid* pair = valid_on(path);
    if (pair != nullptr) pair->heard = now_;
    const std::uint32_t number = renominates_ ? content.nomination_number.value_or(0) : 0;
    if (content.nomination == Nomination::Yes || number > 0) {
        if (pair == nullptr) {
            if (valid_.size() >= limits::most_lite_pairs) {
                // The one that was silent longest is not the one in use.
                valid_.erase(std::min_element(
                    valid_.begin(), valid_.end(),
                    [](const Valid& a, const Valid& b) { return a.heard < b.heard; }));
            }
            pair = &valid_.emplace_back(Valid{.component = local_[*local].component,
                                              .path = path,
                                              .priority = {},
                                              .number = number,
                                              .heard = now_});
        }
        pair->number = std::max(pair->number, number);
        pair->priority =
            pair_priority(role_, local_[*local].priority, remote_priority(path, content));
    }
    settle();
}

LiteAgent::Valid* LiteAgent::valid_on(const Path& path) {
    const auto found = std::find_if(valid_.begin(), valid_.end(),
                                    [&](const Valid& pair) { return pair.path == path; });
    return found == valid_.end() ? nullptr : &*found;
}

std::uint32_t LiteAgent::remote_priority(const Path& path, const CheckContent& content) const {
    const auto known = remote_.find(path.remote, local_[*local_.find_base(path.local)].component);
    return known ? remote_[*known].priority : content.priority;
}

// The latest nomination where they have numbers; of those without (RFC 5245's aggressive kind) the
// highest. One on which the peer is heard no longer, while another is, is not what it uses.
bool LiteAgent::is_better(const Valid& candidate, const Valid& than) const {
    const auto is_silent = [&](const Valid& pair) {
        return now_ - pair.heard >= limits::lite_pair_silent;
    };
    if (is_silent(candidate) != is_silent(than)) return is_silent(than);
    if (candidate.number != than.number) return candidate.number > than.number;
    return candidate.priority > than.priority;
}

// "Once there are nominated pairs for each component of a data stream, the pairs become the
// selected pairs": not before. RFC 8445 Sections 8.2 and 12.1.1.
void LiteAgent::settle() {
    std::vector<Path> best;
    for (const Component& its : components_) {
        const Valid* found = nullptr;
        for (const Valid& pair : valid_) {
            if (pair.component != its.id) continue;
            if (found == nullptr || is_better(pair, *found)) found = &pair;
        }
        if (found == nullptr) return;
        best.push_back(found->path);
    }
    const Selection selection =
        peer_ == PeerKind::Full ? Selection::Nominated : Selection::Provisional;
    for (std::size_t i = 0; i < components_.size(); ++i) {
        Component& its = components_[i];
        if (its.selected == best[i]) continue;
        its.selected = best[i];
        its.selection = selection;
        if (selection == Selection::Nominated) its.previous.reset();
        // Those of two lite agents that agree without a word are told by complete().
        if (selection == Selection::Nominated || reconciliation() != Reconciliation::NotNeeded) {
            queue_event(PairPicked{its.id, best[i], selection});
        }
    }
    if (selection == Selection::Nominated && state_ == State::Running) {
        state_ = State::Completed;
        queue_event(StateChanged{state_});
    }
}

// ---- outputs ---------------------------------------------------------------------------------

std::optional<Path> LiteAgent::selected(ComponentId id) const {
    for (const Component& its : components_) {
        if (its.id != id) continue;
        // RFC 8445 Section 12.1: the previous one while a restart runs.
        if (its.previous && state_ != State::Completed) return its.previous;
        return its.selected;
    }
    return std::nullopt;
}

void LiteAgent::handle_timeout(Instant now) {
    see(now);
    if (answer_until_ && now_ >= *answer_until_) {
        answer_until_.reset();
        previous_.reset();
    }
}

std::optional<Instant> LiteAgent::poll_timeout() const { return answer_until_; }

std::optional<Transmit> LiteAgent::poll_transmit() {
    if (transmits_.empty()) {
        if (state_ == State::Completed) session_.local_key.rest();
        return std::nullopt;
    }
    current_transmit_ = std::move(transmits_.front().payload);
    const Path path = transmits_.front().path;
    transmits_.pop_front();
    return Transmit{path, current_transmit_};
}

std::optional<LiteAgent::Event> LiteAgent::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event event = events_.front();
    events_.pop_front();
    return event;
}

void LiteAgent::queue_transmit(const Path& path, Bytes payload) {
    if (transmits_.size() >= limits::most_queued_transmits) return;
    transmits_.push_back({.path = path, .payload = std::move(payload)});
}

void LiteAgent::queue_event(Event event) {
    if (events_.size() >= limits::most_queued_events) events_.pop_front();
    events_.push_back(event);
}

}  // namespace stile::ice
