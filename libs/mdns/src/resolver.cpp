// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/mdns/resolver.hpp>

#include <algorithm>
#include <utility>

namespace stile::mdns {

static_assert(Machine<Resolver>);

void Resolver::resolve(Instant now, const HostName& name) {
    if (std::ranges::find(wanted_, name, &Wanted::name) != wanted_.end()) return;
    if (wanted_.size() == limits::most_wanted) return queue_event(Failed{name, Failure::TooMany});
    wanted_.push_back({.name = name});
    ask(now, wanted_.back());
}

void Resolver::ask(Instant now, Wanted& wanted) {
    for (const RecordType type : {RecordType::A, RecordType::Aaaa}) {
        if (transmits_.size() >= limits::most_queued_transmits) break;
        Message query;
        query.questions.push_back({wanted.name, type, Question::Reply::Multicast});
        transmits_.push_back(query.to_bytes());
    }
    ++wanted.queries;
    wanted.interval = wanted.queries == 1 ? limits::first_query_interval : wanted.interval * 2;
    wanted.next =
        now + (wanted.queries == limits::most_queries ? limits::last_wait : wanted.interval);
}

void Resolver::handle_response(Instant, const Message& message) {
    if (message.kind != Message::Kind::Response) return;
    std::vector<Event> found;
    for (const Wanted& wanted : wanted_) {
        std::optional<IpAddress> address;
        bool ambiguous = false;
        for (const AddressRecord& record : message.answers) {
            if (record.name != wanted.name || record.time_to_live == std::chrono::seconds{0}) {
                continue;
            }
            ambiguous = ambiguous || (address && *address != record.ip);
            address = record.ip;
        }
        if (ambiguous) {
            found.emplace_back(Failed{wanted.name, Failure::Ambiguous});
        } else if (address) {
            found.emplace_back(Resolved{wanted.name, *address});
        }
    }
    for (Event& event : found) {
        const HostName name = std::visit([](const auto& one) { return one.name; }, event);
        std::erase_if(wanted_, [&](const Wanted& wanted) { return wanted.name == name; });
        queue_event(std::move(event));
    }
}

void Resolver::handle_timeout(Instant now) {
    for (Wanted& wanted : wanted_) {
        if (now < wanted.next) continue;
        if (wanted.queries < limits::most_queries) {
            ask(now, wanted);
        } else {
            queue_event(Failed{wanted.name, Failure::Silent});
        }
    }
    std::erase_if(wanted_, [&](const Wanted& wanted) { return now >= wanted.next; });
}

std::optional<BytesView> Resolver::poll_transmit() {
    if (transmits_.empty()) return std::nullopt;
    current_ = std::move(transmits_.front());
    transmits_.pop_front();
    return BytesView{current_};
}

std::optional<Resolver::Event> Resolver::poll_event() {
    if (events_.empty()) return std::nullopt;
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
}

std::optional<Instant> Resolver::poll_timeout() const {
    std::optional<Instant> next;
    for (const Wanted& wanted : wanted_) next = earlier(next, wanted.next);
    return next;
}

void Resolver::queue_event(Event event) {
    if (events_.size() == limits::most_queued_events) events_.pop_front();
    events_.push_back(std::move(event));
}

}  // namespace stile::mdns
