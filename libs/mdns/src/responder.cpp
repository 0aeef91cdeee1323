// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/mdns/responder.hpp>

#include <algorithm>
#include <utility>

namespace stile::mdns {

static_assert(Machine<Responder>);

namespace {

bool asks_for(const Question& question, const HostName& name, const IpAddress& address) {
    if (question.name != name) return false;
    switch (question.type) {
        case RecordType::A:
            return address.is_v4();
        case RecordType::Aaaa:
            return address.is_v6();
        case RecordType::Any:
            return true;
    }
    return false;
}

// Known-answer suppression: at least half of the lifetime is left. RFC 6762 Section 7.1.
bool is_known(const Message& query, const HostName& name, const IpAddress& address) {
    return std::ranges::any_of(query.answers, [&](const AddressRecord& record) {
        return record.name == name && record.ip == address &&
               record.time_to_live * 2 >= limits::time_to_live;
    });
}

}  // namespace

bool Responder::publish(const HostName& name, const IpAddress& address, Link link) {
    if (published_.size() == limits::most_published) return false;
    published_.push_back({.name = name, .address = address, .link = link});
    return true;
}

void Responder::withdraw(const HostName& name) {
    for (Published& published : published_) {
        if (published.name != name) continue;
        for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6}) {
            if (!published.told(family).last) continue;
            Message goodbye;
            goodbye.kind = Message::Kind::Response;
            goodbye.answers.push_back({name, published.address, std::chrono::seconds{0}});
            queue({published.link, family, std::nullopt, goodbye.to_bytes()});
        }
    }
    std::erase_if(published_, [&](const Published& published) { return published.name == name; });
}

void Responder::handle_query(Instant now, Link link, const SocketAddress& source,
                             const Message& query) {
    if (query.kind != Message::Kind::Query) return;
    const bool is_legacy = source.port != port;
    Message response;
    response.kind = Message::Kind::Response;
    for (const Question& question : query.questions) {
        for (Published& published : published_) {
            if (published.link != link) continue;
            if (!asks_for(question, published.name, published.address)) continue;
            if (is_known(query, published.name, published.address)) continue;
            if (!is_legacy && question.reply == Question::Reply::Multicast) {
                multicast(now, published, source.ip.family());
                continue;
            }
            response.answers.push_back(
                {published.name, published.address,
                 is_legacy ? limits::legacy_time_to_live : limits::time_to_live});
        }
        if (is_legacy) response.questions.push_back(question);
        if (response.answers.size() == limits::most_entries) break;
    }
    if (response.answers.empty()) return;
    // RFC 6762 Section 6.7: a resolver of ordinary DNS knows its query by these.
    if (is_legacy) response.id = query.id;
    for (Question& question : response.questions) question.reply = Question::Reply::Multicast;
    queue({link, source.ip.family(), source, response.to_bytes()});
}

// RFC 6762 Section 6: not twice within a second; who asks meanwhile is answered after it.
void Responder::multicast(Instant now, Published& published, AddressFamily family) {
    Told& told = published.told(family);
    const bool is_early = told.last && now < *told.last + limits::least_response_interval;
    if (is_early) {
        told.due = *told.last + limits::least_response_interval;
        return;
    }
    told.last = now;
    told.due.reset();
    Message response;
    response.kind = Message::Kind::Response;
    response.answers.push_back({published.name, published.address, limits::time_to_live});
    queue({published.link, family, std::nullopt, response.to_bytes()});
}

void Responder::handle_timeout(Instant now) {
    for (Published& published : published_) {
        for (const AddressFamily family : {AddressFamily::V4, AddressFamily::V6}) {
            const auto due = published.told(family).due;
            if (due && now >= *due) multicast(now, published, family);
        }
    }
}

void Responder::queue(Queued queued) {
    if (transmits_.size() == limits::most_queued_transmits) return;  // who asked asks again
    transmits_.push_back(std::move(queued));
}

std::optional<Responder::Outgoing> Responder::poll_transmit() {
    if (transmits_.empty()) return std::nullopt;
    Queued queued = std::move(transmits_.front());
    transmits_.pop_front();
    current_ = std::move(queued.octets);
    return Outgoing{queued.link, queued.family, queued.to, current_};
}

std::optional<Instant> Responder::poll_timeout() const {
    std::optional<Instant> next;
    for (const Published& published : published_) {
        next = earlier(next, earlier(published.v4.due, published.v6.due));
    }
    return next;
}

}  // namespace stile::mdns
