// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/sip_server/flow_successors.hpp>

#include <utility>

namespace stile::sip_server {

void FlowSuccessors::note_lost(std::string_view user, std::string_view key, sip::FlowId flow) {
    Binding binding{std::string{user}, std::string{key}};
    Lost& lost = lost_[binding];
    if (lost.order != 0) lost_order_.erase(lost.order);
    lost = Lost{.flow = flow, .order = ++last_order_};
    lost_order_.emplace(lost.order, std::move(binding));
    if (lost_.size() <= most_) return;
    lost_.erase(lost_order_.begin()->second);
    lost_order_.erase(lost_order_.begin());
}

void FlowSuccessors::note_registered(std::string_view user, std::string_view key,
                                     std::optional<sip::FlowId> old, sip::FlowId flow) {
    const auto lost = lost_.find({std::string{user}, std::string{key}});
    if (lost != lost_.end()) {
        if (!old) old = lost->second.flow;
        lost_order_.erase(lost->second.order);
        lost_.erase(lost);
    }
    if (old) note_moved(*old, flow);
}

void FlowSuccessors::note_moved(sip::FlowId old, sip::FlowId flow) {
    // A flow number is never used twice, so a successor is always the later one: no circles.
    if (flow <= old || !successors_.emplace(old, flow).second) return;
    successor_order_.push_back(old);
    if (successors_.size() <= most_) return;
    successors_.erase(successor_order_.front());
    successor_order_.pop_front();
}

sip::FlowId FlowSuccessors::resolve(sip::FlowId flow) const {
    for (auto next = successors_.find(flow); next != successors_.end();
         next = successors_.find(flow)) {
        flow = next->second;
    }
    return flow;
}

}  // namespace stile::sip_server
