// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/machine.hpp>
#include <stile/ice/connectivity_check.hpp>
#include <stile/ice/port_mux.hpp>
#include <stile/stun/message_view.hpp>

#include <algorithm>

namespace stile::ice {
namespace {

// Octets by big-endian words, the last one filled up with zeros.
template <std::size_t count>
std::array<std::uint64_t, count> words_of(BytesView octets) {
    std::array<std::uint64_t, count> words{};
    for (std::size_t i = 0; i < octets.size(); ++i) {
        words[i / 8] |= std::to_integer<std::uint64_t>(octets[i]) << (56U - 8U * (i % 8));
    }
    return words;
}

std::array<std::uint64_t, 2> transaction_key(const stun::TransactionId& id) {
    return words_of<2>(id.octets);
}

std::uint64_t end_of(const SocketAddress& address) {
    return std::uint64_t{address.port.value} << 1U | (address.ip.is_v6() ? 1U : 0U);
}

}  // namespace

PortMux::PortMux(HashSeed seed)
    : members_(seed), fragments_(seed), transactions_(seed), paths_(seed) {}

std::optional<PortMux::FragmentKey> PortMux::fragment_key(std::string_view fragment) {
    if (fragment.empty() || fragment.size() > limits::most_mux_fragment_size) return std::nullopt;
    FragmentKey key = words_of<2>(as_bytes(fragment));
    key[1] |= fragment.size();  // its octet is free
    return key;
}

PortMux::PathKey PortMux::path_key(const Path& path) {
    const auto local = words_of<2>(path.local.ip.octets());
    const auto remote = words_of<2>(path.remote.ip.octets());
    return {local[0], local[1], remote[0], remote[1],
            end_of(path.local) << 32U | end_of(path.remote)};
}

// ---- members ---------------------------------------------------------------------------------

std::expected<MemberId, PortMux::Problem> PortMux::join(std::string_view fragment) {
    if (members_.size() >= limits::most_mux_members) return std::unexpected(Problem::Full);
    const MemberId id{last_id_ + 1};
    members_.insert({id.value}, Member{});
    if (const auto added = add_fragment(id, fragment); !added) {
        members_.erase({id.value});
        return std::unexpected(added.error());
    }
    ++last_id_;
    return id;
}

std::expected<void, PortMux::Problem> PortMux::add_fragment(MemberId id,
                                                            std::string_view fragment) {
    Member* member = find(id);
    if (member == nullptr) return std::unexpected(Problem::UnknownMember);
    const auto key = fragment_key(fragment);
    if (!key) return std::unexpected(Problem::FragmentTooLong);
    if (fragments_.find(*key) != nullptr) return std::unexpected(Problem::FragmentTaken);
    if (member->fragments.size() >= limits::most_mux_fragments) {
        return std::unexpected(Problem::Full);
    }
    member->fragments.push_back(*key);
    fragments_.insert(*key, id);
    return {};
}

void PortMux::remove_fragment(MemberId id, std::string_view fragment) {
    Member* member = find(id);
    const auto key = fragment_key(fragment);
    if (member == nullptr || !key) return;
    if (std::erase(member->fragments, *key) != 0) fragments_.erase(*key);
}

// What else there is of it, its claims and transactions, is nobody's from now on, and expires.
void PortMux::leave(MemberId id) {
    Member* member = find(id);
    if (member == nullptr) return;
    for (const FragmentKey& key : member->fragments) fragments_.erase(key);
    members_.erase({id.value});
}

// ---- what leaves -----------------------------------------------------------------------------

void PortMux::sent(Instant now, MemberId member, const Path& path, BytesView datagram) {
    if (find(member) == nullptr) return;
    const auto message = stun::MessageView::parse(datagram);
    if (message && message->message_class() == stun::Class::ErrorResponse) return;
    if (message && message->message_class() == stun::Class::Request) {
        note_request(now, member, transaction_key(message->id()));
    }
    (void)claim(now, member, path, Claimed::Tried);
}

void PortMux::note_request(Instant now, MemberId member, const TransactionKey& key) {
    const Instant expires = now + limits::mux_transaction_lifetime;
    if (transactions_.find(key) != nullptr) return;  // sent again
    while (transactions_due_.size() >= limits::most_mux_transactions) {
        transactions_.erase(transactions_due_.front().key);
        transactions_due_.pop_front();
    }
    transactions_.insert(key, {.member = member, .expires = expires});
    transactions_due_.push_back({.key = key, .when = expires});
}

std::expected<void, PortMux::Problem> PortMux::use(Instant now, MemberId member, const Path& path) {
    if (find(member) == nullptr) return std::unexpected(Problem::UnknownMember);
    if (claim(now, member, path, Claimed::Selected) == nullptr) {
        return std::unexpected(Problem::Full);
    }
    return {};
}

// Makes the claim, or renews it. A path that is only tried has to find room; one that is selected
// takes the place of those that are not.
PortMux::Claim* PortMux::claim(Instant now, MemberId id, const Path& path, Claimed claimed) {
    const PathKey key = path_key(path);
    const Claim made{.member = id, .claimed = claimed, .expires = now + limits::mux_path_lifetime};
    Member* member = find(id);
    std::vector<Claim>* claims = paths_.find(key);
    if (claims != nullptr) {
        const auto known = std::find_if(claims->begin(), claims->end(),
                                        [&](const Claim& one) { return one.member == id; });
        if (known != claims->end()) {
            known->expires = made.expires;
            known->claimed = std::max(known->claimed, claimed);
            return &*known;
        }
    }
    if (claimed == Claimed::Tried && member->paths >= limits::most_mux_paths) return nullptr;
    if (claims == nullptr) {
        claims = &paths_.insert(key, {});
        paths_due_.push_back({.key = key, .when = made.expires});
    } else if (claims->size() >= limits::most_mux_sharers) {
        const auto gives_way = std::find_if(claims->begin(), claims->end(), [&](const Claim& one) {
            return one.expires <= now || find(one.member) == nullptr ||
                   (claimed == Claimed::Selected && one.claimed == Claimed::Tried);
        });
        if (gives_way == claims->end()) return nullptr;
        if (Member* other = find(gives_way->member)) --other->paths;
        claims->erase(gives_way);
    }
    ++member->paths;
    return &claims->emplace_back(made);
}

// ---- what arrives ----------------------------------------------------------------------------

std::span<const MemberId> PortMux::one(MemberId member) {
    routed_[0] = member;
    return std::span{routed_}.first(1);
}

std::span<const MemberId> PortMux::route(Instant now, const Path& path, BytesView datagram) {
    if (const auto message = stun::MessageView::parse(datagram)) {
        switch (message->message_class()) {
            case stun::Class::Request: {
                const auto username = message->get<stun::Username>();
                const auto names = username ? split_username(username->text) : std::nullopt;
                const auto key = names ? fragment_key(names->receiver) : std::nullopt;
                const MemberId* member = key ? fragments_.find(*key) : nullptr;
                if (member == nullptr) return {};
                return one(*member);
            }
            case stun::Class::SuccessResponse:
            case stun::Class::ErrorResponse: {
                const Transaction* asked = transactions_.find(transaction_key(message->id()));
                if (asked == nullptr || asked->expires <= now) return {};
                if (find(asked->member) == nullptr) return {};
                return one(asked->member);
            }
            case stun::Class::Indication:
                break;
        }
    }
    const std::vector<Claim>* claims = paths_.find(path_key(path));
    if (claims == nullptr) return {};
    std::size_t count = 0;
    for (const Claimed rank : {Claimed::Selected, Claimed::Tried}) {
        // The latest claim first.
        for (auto claim = claims->rbegin(); claim != claims->rend(); ++claim) {
            if (claim->claimed != rank || claim->expires <= now) continue;
            if (find(claim->member) != nullptr) routed_[count++] = claim->member;
        }
    }
    return std::span{routed_}.first(count);
}

// ---- time ------------------------------------------------------------------------------------

void PortMux::handle_timeout(Instant now) {
    while (!transactions_due_.empty() && transactions_due_.front().when <= now) {
        transactions_.erase(transactions_due_.front().key);
        transactions_due_.pop_front();
    }
    while (!paths_due_.empty() && paths_due_.front().when <= now) {
        const PathKey key = paths_due_.front().key;
        paths_due_.pop_front();
        expire_path(now, key);
    }
}

void PortMux::expire_path(Instant now, const PathKey& key) {
    std::vector<Claim>* claims = paths_.find(key);
    std::erase_if(*claims, [&](const Claim& claim) {
        Member* member = find(claim.member);
        if (member != nullptr && claim.expires > now) return false;
        if (member != nullptr) --member->paths;
        return true;
    });
    if (claims->empty()) {
        paths_.erase(key);
    } else {
        // A lifetime from now, so that the queue stays in order; route() looks at the hour itself.
        paths_due_.push_back({.key = key, .when = now + limits::mux_path_lifetime});
    }
}

std::optional<Instant> PortMux::poll_timeout() const {
    std::optional<Instant> next;
    if (!transactions_due_.empty()) next = transactions_due_.front().when;
    if (!paths_due_.empty()) next = earlier(next, paths_due_.front().when);
    return next;
}

}  // namespace stile::ice
