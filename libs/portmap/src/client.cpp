// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/assert.hpp>
#include <stile/portmap/client.hpp>

#include <algorithm>
#include <utility>

namespace stile::portmap {

static_assert(Machine<Client>);

Client::Client(ClientConfig config, crypto::RandomStream random)
    : config_(std::move(config)), random_(std::move(random)) {
    STILE_ASSERT(config_.gateway.family() == config_.local.family());
    STILE_ASSERT(config_.lifetime > std::chrono::seconds{0});
}

// ---- commands -----------------------------------------------------------------------------------

std::expected<MappingId, MapError> Client::map(Instant now, Protocol protocol, Port internal) {
    STILE_ASSERT(internal.value != 0);
    if (Mapping* const known = find(protocol, internal)) {
        if (known->phase != Phase::Removing) return std::unexpected(MapError::Known);
        std::erase_if(mappings_, [&](const Mapping& mapping) { return &mapping == known; });
    }
    if (mappings_.size() == limits::most_mappings) return std::unexpected(MapError::TooMany);
    Mapping mapping{.id = {++last_id_},
                    .protocol = protocol,
                    .internal = internal,
                    .nonce = random_.array<12>()};
    begin_asking(now, mapping);
    mappings_.push_back(std::move(mapping));
    attend(now);
    return MappingId{last_id_};
}

void Client::unmap(Instant now, MappingId id) {
    const auto mapping = std::ranges::find(mappings_, id, &Mapping::id);
    if (mapping == mappings_.end() || mapping->phase == Phase::Removing) return;
    // What was never asked for needs no removal.
    const bool asked = mapping->phase == Phase::Mapped || mapping->requests > 0;
    if (!asked) {
        mappings_.erase(mapping);
        return;
    }
    mapping->phase = Phase::Removing;
    mapping->exchange = Exchange::Idle;
    mapping->requests = 0;
    mapping->next_request = now;
    attend(now);
}

// ---- outputs ------------------------------------------------------------------------------------

std::optional<Transmit> Client::poll_transmit() {
    if (transmits_.empty()) return std::nullopt;
    current_transmit_ = std::move(transmits_.front());
    transmits_.pop_front();
    return Transmit{{.local = {config_.local, Port{0}}, .remote = {config_.gateway, server_port}},
                    current_transmit_};
}

std::optional<Client::Event> Client::poll_event() {
    if (events_.empty()) return std::nullopt;
    const Event event = events_.front();
    events_.pop_front();
    return event;
}

std::optional<Instant> Client::poll_timeout() const {
    std::optional<Instant> next;
    if (question_) next = question_->next_request;
    for (const Mapping& mapping : mappings_) {
        if (has_turn(mapping)) next = earlier(next, mapping.next_request);
        if (mapping.phase == Phase::Mapped) next = earlier(next, mapping.expires);
        if (mapping.phase == Phase::Asking && !mapping.said) next = earlier(next, mapping.patience);
    }
    return next;
}

std::optional<SocketAddress> Client::external(MappingId id) const {
    const Mapping* const mapping = find(id);
    if (mapping == nullptr || mapping->phase != Phase::Mapped) return std::nullopt;
    return mapping->external;
}

const Client::Mapping* Client::find(MappingId id) const {
    const auto found = std::ranges::find(mappings_, id, &Mapping::id);
    return found == mappings_.end() ? nullptr : &*found;
}

Client::Mapping* Client::find(Protocol protocol, Port internal) {
    const auto found = std::ranges::find_if(mappings_, [&](const Mapping& mapping) {
        return mapping.protocol == protocol && mapping.internal == internal;
    });
    return found == mappings_.end() ? nullptr : &*found;
}

void Client::queue_event(Event event) {
    if (events_.size() == limits::most_queued_events) events_.pop_front();
    events_.push_back(event);
}

}  // namespace stile::portmap
