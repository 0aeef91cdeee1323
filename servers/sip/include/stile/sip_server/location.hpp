// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/deadline_queue.hpp>
#include <stile/base/time.hpp>
#include <stile/sip/contact.hpp>
#include <stile/sip/flow.hpp>
#include <stile/sip_server/limits.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

namespace stile::sip_server {

// A binding as a store keeps it: text alone. `user` and `key` together name it.
struct BindingRecord {
    std::string user;
    std::string key;
    std::string contact;  // the Contact value with its parameters, without expires
    std::vector<std::string> path;
    std::string call_id;
    std::uint32_t sequence = 0;
    WallTime expires_at{};
};

// What makes a store equal to the table again.
struct BindingRemoved {
    std::string user;
    std::string key;
};
using BindingChange = std::variant<BindingRecord, BindingRemoved>;

struct Binding {
    std::string key;
    sip::Contact contact;  // without expires
    std::vector<sip::NameAddr> path;
    std::string call_id;
    std::uint32_t sequence = 0;
    Instant expires_at;
    WallTime expires_at_wall{};
    // The flow of a client that registered directly; absent after a restart, and for bindings that
    // came through another proxy.
    std::optional<sip::FlowId> flow;
    // Registered with outbound: only its flow leads there. RFC 5626 Section 6.
    std::optional<std::uint32_t> reg_id;
    std::uint64_t order =
        0;  // of the last registration; the newest flow of an instance is tried first
};

// RFC 5626 Section 6 for a registration with instance and reg-id, otherwise RFC 3261 Section 10.3:
// the Contact's URI.
std::string binding_key(const sip::ContactView& contact,
                        const std::optional<std::uint32_t>& reg_id);

// Which contacts stand for which user of the domain. Contacts whose time is over are not returned.
class LocationTable {
public:
    explicit LocationTable(std::size_t most) : most_(most) {}

    // In the order of their keys.
    std::vector<const Binding*> find(std::string_view user, Instant now) const;
    const Binding* find(std::string_view user, std::string_view key) const;
    std::size_t count(std::string_view user) const;

    bool has_room_for(std::size_t more) const { return more <= most_ - size_; }
    // False when the table is full; a binding that is there is replaced in any case.
    bool put(std::string_view user, Binding binding);
    void remove(std::string_view user, std::string_view key);
    // Outbound bindings of a flow that is gone are removed, others lose it. Returns the removed.
    std::vector<BindingRemoved> close_flow(sip::FlowId flow);
    // Removes what has expired, and says what.
    std::vector<BindingRemoved> expire(Instant now);
    std::optional<Instant> next_expiry() const { return deadlines_.next(); }

    std::size_t size() const { return size_; }
    std::size_t user_count() const { return users_.size(); }

private:
    using Id = std::pair<std::string, std::string>;  // user, key
    struct Entry {
        Binding binding;
        std::optional<Instant> queued;
    };
    using Bindings = std::map<std::string, Entry, std::less<>>;

    std::size_t most_;
    std::size_t size_ = 0;
    std::uint64_t last_order_ = 0;
    std::map<std::string, Bindings, std::less<>> users_;
    std::set<std::tuple<sip::FlowId, std::string, std::string>> flows_;
    DeadlineQueue<Id> deadlines_;
};

}  // namespace stile::sip_server
