// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/sip/flow.hpp>
#include <stile/sip_server/limits.hpp>

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace stile::sip_server {

// Which flow took the place of another. A client that lost its connection registers its instance
// and reg-id anew (RFC 5626 Section 4.5), or, where it does not register, goes on with its dialogs;
// these name the old flow in their route sets, and their requests are to find it by the new one.
// The oldest are forgotten first.
class FlowSuccessors {
public:
    explicit FlowSuccessors(std::size_t most = most_flow_successors) : most_(most) {}

    // The binding `key` of `user` was of a flow that has closed.
    void note_lost(std::string_view user, std::string_view key, sip::FlowId flow);
    // It was registered anew. `old` is the flow that it had, if it still had one.
    void note_registered(std::string_view user, std::string_view key,
                         std::optional<sip::FlowId> old, sip::FlowId flow);
    // Whoever had the flow `old` has gone on by `flow`.
    void note_moved(sip::FlowId old, sip::FlowId flow);
    // The flow that stands for this one now: itself where it has no successor.
    sip::FlowId resolve(sip::FlowId flow) const;

    std::size_t lost_count() const { return lost_.size(); }
    std::size_t successor_count() const { return successors_.size(); }

private:
    using Binding = std::pair<std::string, std::string>;  // user, key
    struct Lost {
        sip::FlowId flow;
        std::uint64_t order = 0;
    };

    std::size_t most_;
    std::uint64_t last_order_ = 0;
    std::map<Binding, Lost> lost_;
    std::map<std::uint64_t, Binding> lost_order_;
    std::map<sip::FlowId, sip::FlowId> successors_;
    std::deque<sip::FlowId> successor_order_;
};

}  // namespace stile::sip_server
