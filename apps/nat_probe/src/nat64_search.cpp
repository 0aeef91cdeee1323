// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/nat_probe/nat64_search.hpp>

#include <stile/connect/nat64_discovery.hpp>

#include <string>
#include <utility>

namespace stile::nat_probe {

// What an answer finds, whether this is still there or not.
struct Nat64Search::Question {
    Nat64Search* search;
};

Nat64Search::Nat64Search(drivers::Loop& loop, drivers::NameService& names)
    : loop_(loop), names_(names) {}

Nat64Search::~Nat64Search() { forget(); }

void Nat64Search::forget() {
    if (asked_) (*asked_)->search = nullptr;
    asked_.reset();
    fresh_until_.reset();
    prefix_.reset();
}

void Nat64Search::look(drivers::Task then) {
    if (asked_ || (fresh_until_ && loop_.now() < *fresh_until_)) return;
    asked_ = std::make_shared<Question>(this);
    names_.addresses(
        std::string{connect::ipv4_only_name},
        [question = *asked_, then = std::move(then)](drivers::DnsAnswer<IpAddress> answer) mutable {
            if (question->search == nullptr) return;
            Nat64Search& search = *question->search;
            const auto found =
                answer ? connect::nat64_prefixes(*answer) : std::vector<connect::Nat64Prefix>{};
            search.prefix_ = found.empty() ? std::nullopt : std::optional{found.front()};
            search.fresh_until_ = search.loop_.now() + (found.empty() ? retry : validity);
            search.asked_.reset();
            if (then) then();
        });
}

}  // namespace stile::nat_probe
