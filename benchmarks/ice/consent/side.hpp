// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/deadline_queue.hpp>
#include <stile/ice/agent.hpp>
#include <stile/ice/port_mux.hpp>

#include <cstdlib>
#include <functional>
#include <vector>

namespace bench {

using namespace stile;

// Many agents on one port by one mux and one pacer, each with a peer of its own.
class Side {
public:
    using Send = std::function<void(const Path&, BytesView)>;

    Side(ice::Role role, std::uint64_t seed, Instant now, std::size_t count, Send send)
        : send_(std::move(send)) {
        agents_.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            agents_.push_back({.agent = {now,
                                         {.role = role},
                                         crypto::RandomStream{crypto::seed_from_number(seed + i)}},
                               .member = {},
                               .queued = {}});
            const auto member = mux_.join(agents_[i].agent.local_credentials().fragment);
            if (!member || member->value != i + 1) std::abort();
            agents_[i].member = *member;
        }
    }

    ice::Agent& agent(std::size_t i) { return agents_[i].agent; }
    std::size_t size() const { return agents_.size(); }
    void send_by(Send send) { send_ = std::move(send); }

    void handle_datagram(Instant now, const Path& path, BytesView payload) {
        const auto members = mux_.route(now, path, payload);
        if (members.empty()) {
            ++unrouted;
            return;
        }
        const std::size_t index = members[0].value - 1;
        agents_[index].agent.handle_datagram(now, path, payload);
        flush(now, index);
    }

    // What is due, with how late it is.
    void handle_timeout(Instant now, auto&& late) {
        mux_.handle_timeout(now);
        while (const auto index = deadlines_.expired(now)) {
            late(now - *agents_[*index].queued);
            agents_[*index].agent.handle_timeout(now, pacer_);
            flush(now, *index);
        }
    }
    std::optional<Instant> poll_timeout() const {
        return earlier(deadlines_.next(), mux_.poll_timeout());
    }

    void flush(Instant now, std::size_t index) {
        One& one = agents_[index];
        while (const auto transmit = one.agent.poll_transmit()) {
            mux_.sent(now, one.member, transmit->path, transmit->payload);
            ++sent;
            send_(transmit->path, transmit->payload);
        }
        while (const auto event = one.agent.poll_event()) {
            if (const auto* selected = std::get_if<ice::PairSelected>(&*event)) {
                if (!mux_.use(now, one.member, selected->path)) std::abort();
            } else if (std::holds_alternative<ice::ConsentExpired>(*event)) {
                ++expired;
            }
        }
        deadlines_.update(static_cast<std::uint32_t>(index), one.queued, one.agent.poll_timeout());
    }

    std::size_t completed() const {
        std::size_t count = 0;
        for (const One& one : agents_)
            count += one.agent.state() == ice::State::Completed ? 1U : 0U;
        return count;
    }

    std::uint64_t sent = 0;
    std::uint64_t unrouted = 0;
    std::uint64_t expired = 0;

private:
    struct One {
        ice::Agent agent;
        ice::MemberId member;
        std::optional<Instant> queued;
    };

    Send send_;
    std::vector<One> agents_;
    ice::PortMux mux_{HashSeed{1, 2}};
    ice::Pacer pacer_;
    DeadlineQueue<std::uint32_t> deadlines_;
};

}  // namespace bench
