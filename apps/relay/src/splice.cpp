// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "splice.hpp"

#include "replay_stream.hpp"

#include <utility>

namespace stile::relay {
namespace {

using drivers::Reading;

// A side that owes more than the streams' low-water mark is waited for.
constexpr std::size_t most_owed_octets = 262'144 + 1;
constexpr std::uint64_t octets_a_report = 65'536;
constexpr Duration report_interval = std::chrono::seconds{1};
constexpr Duration budget_pause = std::chrono::milliseconds{20};

}  // namespace

Splice::Splice(drivers::Loop& loop, std::unique_ptr<drivers::Stream> client,
               std::unique_ptr<drivers::Stream> peer, BytesView early, Handlers handlers)
    : loop_(loop), handlers_(std::move(handlers)), timer_(loop, [this] {
          over_budget_ = false;
          account();
      }) {
    client_.stream = std::move(client);
    peer_.stream = std::move(peer);
    install(client_, peer_, &turn::Traffic::octets_to_peers);
    install(peer_, client_, &turn::Traffic::octets_to_clients);
    if (!early.empty()) carry(client_, peer_, &turn::Traffic::octets_to_peers, early);
    update_reading();
}

Splice::~Splice() = default;

void Splice::install(End& end, End& other, std::uint64_t turn::Traffic::* octets) {
    end.stream->set_handlers(
        {.on_open = {},
         .on_bytes = [this, &end, &other,
                      octets](BytesView bytes) { carry(end, other, octets, bytes); },
         .on_end =
             [&end, &other] {
                 end.ended = true;
                 other.stream->finish();
             },
         .on_writable =
             [this, &other] {
                 other.waits = false;
                 update_reading();
             },
         .on_closed = [this, &end, &other](drivers::Closed) { closed(end, other); }});
}

void Splice::carry(End& from, End& to, std::uint64_t turn::Traffic::* octets, BytesView bytes) {
    if (announced_) return;
    passed_.*octets += bytes.size();
    if (to.stream->write(bytes) == drivers::Written::Full) {
        // Beyond what pausing allows for: the stream keeps its promise or ends.
        from.stream->close();
        return;
    }
    from.waits = to.stream->buffered() >= most_owed_octets;
    const auto sum = passed_.octets_to_peers + passed_.octets_to_clients;
    if (sum >= octets_a_report) {
        account();
    } else if (!timer_.deadline()) {
        timer_.arm_after(report_interval);
    }
    update_reading();
}

void Splice::account() {
    timer_.disarm();
    const turn::Traffic passed = std::exchange(passed_, {});
    over_budget_ = handlers_.on_traffic(passed) == Budget::Spent;
    if (over_budget_) timer_.arm_after(budget_pause);
    update_reading();
}

void Splice::update_reading() {
    for (End* const end : {&client_, &peer_}) {
        end->stream->set_reading(end->waits || over_budget_ ? Reading::Paused : Reading::Flowing);
    }
}

void Splice::closed(End& end, End& other) {
    end.closed = true;
    if (!std::exchange(announced_, true)) {
        timer_.disarm();
        if (passed_ != turn::Traffic{}) handlers_.on_traffic(std::exchange(passed_, {}));
        other.stream->set_reading(Reading::Flowing);
        if (!other.closed) other.stream->close();
        handlers_.on_ended();
    }
    if (client_.closed && peer_.closed && finished_) std::exchange(finished_, {})();
}

void Splice::on_finished(drivers::Task callback) {
    if (client_.closed && peer_.closed) return loop_.post(std::move(callback));
    finished_ = std::move(callback);
}

std::optional<Splice::Connections> Splice::copy() const {
    const drivers::TcpStream* const client = plain_tcp(*client_.stream);
    const drivers::TcpStream* const peer = plain_tcp(*peer_.stream);
    if (announced_ || client == nullptr || peer == nullptr) return std::nullopt;
    Connections both{.client = client->duplicate(), .peer = peer->duplicate()};
    if (!both.client.socket.valid() || !both.peer.socket.valid()) return std::nullopt;
    return both;
}

void Splice::let_go() {
    announced_ = true;
    timer_.disarm();
    for (End* const end : {&client_, &peer_}) {
        if (drivers::TcpStream* const tcp = plain_tcp(*end->stream)) (void)tcp->release();
        end->closed = true;
    }
}

void Splice::close() {
    if (std::exchange(announced_, true)) return;
    timer_.disarm();
    for (End* const end : {&client_, &peer_}) {
        end->stream->set_reading(Reading::Flowing);
        if (!end->closed) end->stream->close();
    }
}

}  // namespace stile::relay
