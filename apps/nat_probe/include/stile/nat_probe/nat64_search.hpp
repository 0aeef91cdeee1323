// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/nat64.hpp>
#include <stile/drivers/dns.hpp>
#include <stile/drivers/loop.hpp>

#include <memory>
#include <optional>

namespace stile::nat_probe {

// Asks DNS for the network's NAT64 prefix (RFC 7050), and keeps the answer for a while. Nobody
// waits for it.
class Nat64Search {
public:
    // RFC 7050 Section 3 has the answer's TTL decide, which the resolver does not tell; an hour is
    // what DNS64 servers give, and a network that changes calls forget().
    static constexpr Duration validity = std::chrono::hours{1};
    // A resolver that does not answer, or that has no DNS64, is asked again so much later.
    static constexpr Duration retry = std::chrono::minutes{1};

    // Requires: both live longer.
    Nat64Search(drivers::Loop& loop, drivers::NameService& names);
    Nat64Search(const Nat64Search&) = delete;
    Nat64Search& operator=(const Nat64Search&) = delete;
    ~Nat64Search();

    // Asks, unless an answer is fresh or under way. `then` is called once when something was asked.
    void look(drivers::Task then = {});
    // Another network.
    void forget();
    bool is_looking() const { return asked_.has_value(); }
    // The best of the last answer.
    const std::optional<connect::Nat64Prefix>& prefix() const { return prefix_; }

private:
    struct Question;

    drivers::Loop& loop_;
    drivers::NameService& names_;
    std::optional<connect::Nat64Prefix> prefix_;
    std::optional<Instant> fresh_until_;
    std::optional<std::shared_ptr<Question>> asked_;
};

}  // namespace stile::nat_probe
