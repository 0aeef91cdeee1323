// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// usage: bench_ice_memory CANDIDATES AGENTS
//
// Octets of the heap that one agent has, by glibc's own count: while it checks pairs that do not
// answer (the most at any moment of the first minute), and connected, with consent asked for and
// given for a minute. CANDIDATES host candidates a side, each paired with each.
#include <stile/ice/agent.hpp>

#include <malloc.h>
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

namespace {

using namespace stile;
using namespace std::chrono_literals;

constexpr Instant start{Duration{1'000'000'000}};

std::size_t heap() { return mallinfo2().uordblks; }

SocketAddress address(unsigned side, std::size_t index) {
    return {IpAddress::v4(0xC0000200U + side * 256U + static_cast<std::uint32_t>(index)),
            Port{5000}};
}

std::unique_ptr<ice::Agent> make(std::uint64_t seed, ice::Role role, unsigned side,
                                 std::size_t candidates) {
    auto agent = std::make_unique<ice::Agent>(start, ice::AgentConfig{.role = role},
                                              crypto::RandomStream{crypto::seed_from_number(seed)});
    for (std::size_t i = 0; i < candidates; ++i) {
        if (!agent->add_local_candidate(start, ice::host_candidate(address(side, i)))) {
            std::abort();
        }
    }
    return agent;
}

void tell(const ice::Agent& from, ice::Agent& to, const ice::Credentials& credentials) {
    const ice::RemoteParameters remote{.credentials = credentials,
                                       .kind = ice::PeerKind::Full,
                                       .ta = {},
                                       .renomination = ice::Renomination::Offered};
    if (!to.set_remote(start, remote)) std::abort();
    for (std::uint16_t i = 0; i < from.local_candidates().size(); ++i) {
        if (!to.add_remote_candidate(start, from.local_candidates()[i])) std::abort();
    }
    to.end_of_local_candidates(start);
    to.end_of_remote_candidates(start);
}

// Hands over all that `from` has to say. Whether that was something.
bool carry(Instant now, ice::Agent& from, ice::Agent* to) {
    bool moved = false;
    while (const auto datagram = from.poll_transmit()) {
        moved = true;
        if (to == nullptr) continue;
        const Path seen{.local = datagram->path.remote, .remote = datagram->path.local};
        to->handle_datagram(now, seen, datagram->payload);
    }
    while (from.poll_event()) moved = true;
    return moved;
}

void run(ice::Agent& one, ice::Agent* other, Instant end, auto&& look) {
    for (Instant now = start;;) {
        while (carry(now, one, other) || (other != nullptr && carry(now, *other, &one))) {
        }
        look();
        const auto next =
            earlier(one.poll_timeout(), other != nullptr ? other->poll_timeout() : std::nullopt);
        if (!next || *next > end) return;
        now = *next;
        one.handle_timeout(now);
        if (other != nullptr) other->handle_timeout(now);
    }
}

// The most that one has while nothing answers.
std::size_t checking(std::size_t candidates) {
    const auto peer = make(7, ice::Role::Controlled, 1, candidates);
    // What a thread or OpenSSL keeps for all is not one agent's. The first one stays, so that
    // nothing of its own is used again.
    const auto first = make(8, ice::Role::Controlling, 0, candidates);
    tell(*peer, *first, peer->local_credentials());
    run(*first, nullptr, start + 1s, [] {});
    const std::size_t before = heap();
    auto agent = make(1, ice::Role::Controlling, 0, candidates);
    tell(*peer, *agent, peer->local_credentials());
    std::size_t most = 0;
    run(*agent, nullptr, start + 60s, [&] { most = std::max(most, heap() - before); });
    return most;
}

std::size_t connected(std::size_t candidates, std::size_t pairs) {
    std::vector<std::unique_ptr<ice::Agent>> agents;
    agents.reserve(2 * pairs + 2);
    const auto connect = [&](std::uint64_t seed) {
        auto& left = agents.emplace_back(make(seed, ice::Role::Controlling, 0, candidates));
        auto& right = agents.emplace_back(make(seed + 1, ice::Role::Controlled, 1, candidates));
        tell(*left, *right, left->local_credentials());
        tell(*right, *left, right->local_credentials());
        run(*left, right.get(), start + 60s, [] {});
        if (left->state() != ice::State::Completed || right->state() != ice::State::Completed) {
            std::abort();
        }
    };
    connect(1);
    const std::size_t before = heap();
    for (std::size_t i = 1; i <= pairs; ++i) connect(1 + 2 * i);
    return (heap() - before) / (2 * pairs);
}

int number(std::string_view text) {
    int value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) {
        std::exit(2);
    }
    return value;
}

}  // namespace

int main(int count, char** words) {
    if (count != 3) return 2;
    const auto candidates = static_cast<std::size_t>(number(words[1]));
    const auto agents = static_cast<std::size_t>(number(words[2]));
    std::printf("%zu %zu\n", checking(candidates), connected(candidates, (agents + 1) / 2));
    return 0;
}
