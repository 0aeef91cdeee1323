// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/bytes.hpp>
#include <stile/base/keyed_table.hpp>
#include <stile/base/socket_address.hpp>
#include <stile/base/time.hpp>
#include <stile/ice/limits.hpp>

#include <array>
#include <deque>
#include <expected>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace stile::ice {

// Names an agent on a shared port for as long as the port is open; never given twice.
struct MemberId {
    std::uint32_t value = 0;
    friend constexpr auto operator<=>(MemberId, MemberId) = default;
};

// Many agents, full or lite, on one UDP port: says whose an arriving datagram is.
//
// - a request by our fragment in USERNAME: the receiver's comes first (RFC 8445 Section 7.2.2);
// - its answer by the transaction, if the request left from here;
// - anything else by the path, if a request or an answer to one has left on it.
//
// Nothing that arrives changes what is known: who sends from a forged address, or guesses names, is
// given to an agent that then checks the integrity, or to nobody. Of those that share a path, who
// has selected it comes before who only tried it.
//
// Each datagram that an agent sends goes through sent(), and what the agent selects through use().
// Relays cannot share a port: a TURN server tells clients apart by it (RFC 8656 Section 3.2).
class PortMux {
public:
    explicit PortMux(HashSeed seed);

    enum class Problem : std::uint8_t {
        FragmentTaken,    // by another member, or by this one: make new credentials
        FragmentTooLong,  // or empty
        Full,             // limits::most_mux_members, most_mux_fragments or most_mux_sharers
        UnknownMember,
    };
    // An agent, with the fragment of its local_credentials().
    [[nodiscard]] std::expected<MemberId, Problem> join(std::string_view fragment);
    // After a restart: from then on both are its own.
    [[nodiscard]] std::expected<void, Problem> add_fragment(MemberId member,
                                                            std::string_view fragment);
    // The agent has done with the generation before.
    void remove_fragment(MemberId member, std::string_view fragment);
    void leave(MemberId member);

    // The agent sends this datagram.
    void sent(Instant now, MemberId member, const Path& path, BytesView datagram);
    // The agent has selected the path: data that arrives on it is for who did so. The claim lives
    // as long as the agent goes on sending there.
    [[nodiscard]] std::expected<void, Problem> use(Instant now, MemberId member, const Path& path);

    // Whose it may be, the likeliest first; mostly one. Valid until the next call. Several only
    // where members share the path and it is no request and no answer: offer it to each, what is on
    // top can tell (a QUIC connection by its id).
    std::span<const MemberId> route(Instant now, const Path& path, BytesView datagram);

    void handle_timeout(Instant now);
    std::optional<Instant> poll_timeout() const;

    std::size_t members() const { return members_.size(); }
    std::size_t fragments() const { return fragments_.size(); }
    std::size_t paths() const { return paths_.size(); }
    std::size_t transactions() const { return transactions_.size(); }

private:
    using FragmentKey = std::array<std::uint64_t, 2>;
    using TransactionKey = std::array<std::uint64_t, 2>;
    using PathKey = std::array<std::uint64_t, 5>;

    struct Member {
        std::vector<FragmentKey> fragments;
        std::size_t paths = 0;
    };
    enum class Claimed : std::uint8_t { Tried, Selected };
    struct Claim {
        MemberId member;
        Claimed claimed = Claimed::Tried;
        Instant expires;
    };
    struct Transaction {
        MemberId member;
        Instant expires;
    };
    template <class Key>
    struct Due {
        Key key;
        Instant when;
    };

    static std::optional<FragmentKey> fragment_key(std::string_view fragment);
    static PathKey path_key(const Path& path);
    Member* find(MemberId member) { return members_.find({member.value}); }
    Claim* claim(Instant now, MemberId member, const Path& path, Claimed claimed);
    void note_request(Instant now, MemberId member, const TransactionKey& key);
    void expire_path(Instant now, const PathKey& key);
    std::span<const MemberId> one(MemberId member);

    KeyedTable<1, Member> members_;
    KeyedTable<2, MemberId> fragments_;
    KeyedTable<2, Transaction> transactions_;
    KeyedTable<5, std::vector<Claim>> paths_;  // none is empty
    // When to look at an entry again, oldest first. It may be renewed, or gone, by then.
    std::deque<Due<TransactionKey>> transactions_due_;
    std::deque<Due<PathKey>> paths_due_;
    std::uint32_t last_id_ = 0;
    std::array<MemberId, limits::most_mux_sharers> routed_{};
};

}  // namespace stile::ice
