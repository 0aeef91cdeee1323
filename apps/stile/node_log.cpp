// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// What is kept and told of the node's sessions while they go on.
#include "describe.hpp"
#include "event_log.hpp"
#include "node.hpp"
#include "report_output.hpp"

namespace stile::peer {
namespace {

nlohmann::ordered_json about(const Link& link) {
    return {{"session", link.session().value}, {"peer", link.peer()}};
}

}  // namespace

void Node::keep_reports() {
    if (log_ == nullptr && reported_.empty()) return;
    for (auto& [id, entry] : entries_) {
        const bool is_asked_for = entry.link->peer() == reported_;
        // What the path was once it worked is told with each route.
        if (!is_asked_for && entry.meeting) continue;
        refresh_report(entry);
        if (is_asked_for) report_ = entry.report;
    }
}

void Node::refresh_report(Entry& entry) {
    const session::HttpSession* const session = endpoint_.find(entry.link->session());
    if (session == nullptr) return;
    entry.report.path = session->path().report();
    entry.report.milestones = session->milestones();
}

void Node::log(const char* event, nlohmann::ordered_json fields) {
    if (log_ != nullptr) log_->write(event, std::move(fields));
}

void Node::log_network_changed(const std::vector<IpAddress>& addresses) {
    if (log_ == nullptr) return;
    auto told = nlohmann::ordered_json::array();
    for (const IpAddress& address : addresses) told.push_back(address.to_string());
    log("network-changed", {{"addresses", std::move(told)}});
}

void Node::log_session(const Link& link, session::Part part) {
    if (log_ == nullptr) return;
    auto fields = about(link);
    fields["part"] = part == session::Part::Offerer ? "asks" : "answers";
    log("session", std::move(fields));
}

void Node::log_route(Entry& entry, const connect::Route& route) {
    if (log_ == nullptr) return;
    refresh_report(entry);
    auto fields = about(*entry.link);
    fields["path"] = describe(route);
    fields["transport"] = connect::to_string(route.transport);
    add_report(fields, entry);
    log("route", std::move(fields));
}

void Node::log_met(Entry& entry) {
    if (log_ == nullptr) return;
    refresh_report(entry);
    auto fields = about(*entry.link);
    fields["standing"] = describe(entry.meeting->standing);
    fields["phases"] = to_json(phases(entry.report));
    log("met", std::move(fields));
}

void Node::log_route_lost(const Link& link) {
    if (log_ != nullptr) log("route-lost", about(link));
}

void Node::log_ended(const Entry& entry, const app::Problem& problem) {
    if (log_ == nullptr) return;
    auto fields = about(*entry.link);
    fields["why"] = to_json(problem);
    // A session that worked has told its path already.
    if (!entry.meeting) add_report(fields, entry);
    log("ended", std::move(fields));
}

void Node::add_report(nlohmann::ordered_json& fields, const Entry& entry) {
    const auto explanation = connect::explain(entry.report.path);
    fields["phases"] = to_json(phases(entry.report));
    fields["report"] = to_json(explanation, entry.report.path, entry.link->peer());
}

}  // namespace stile::peer
