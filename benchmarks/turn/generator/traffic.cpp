// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "traffic.hpp"

#include "network.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace stile::bench {
namespace {

constexpr std::int64_t stall = 20'000'000;  // after which a full window counts as lost
constexpr std::int64_t look_again = 1'000'000;
constexpr std::int64_t settle = 200'000'000;  // for what is under way at the end
constexpr double most_late_seconds = 0.02;    // what is due for longer is not sent at all
constexpr std::size_t most_at_once = 512;     // packets of one tick
constexpr std::size_t batch = 64;
constexpr std::size_t most_datagram = 2048;

// Where recvmmsg puts datagrams, their sources and times.
struct Inbox {
    std::array<mmsghdr, batch> messages{};
    std::array<iovec, batch> parts{};
    std::array<sockaddr_storage, batch> sources{};
    std::array<std::array<char, 64>, batch> controls{};
    std::array<std::array<std::byte, most_datagram>, batch> buffers{};

    void prepare() {
        for (std::size_t i = 0; i < batch; ++i) {
            parts[i] = {buffers[i].data(), buffers[i].size()};
            msghdr& header = messages[i].msg_hdr;
            header = {};
            header.msg_name = &sources[i];
            header.msg_namelen = sizeof sources[i];
            header.msg_iov = &parts[i];
            header.msg_iovlen = 1;
            header.msg_control = controls[i].data();
            header.msg_controllen = controls[i].size();
        }
    }
    // When the kernel got it, by the wall clock; 0 where it does not say.
    std::int64_t arrived(std::size_t i) {
        for (cmsghdr* part = CMSG_FIRSTHDR(&messages[i].msg_hdr); part != nullptr;
             part = CMSG_NXTHDR(&messages[i].msg_hdr, part)) {
            if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SO_TIMESTAMPNS) continue;
            timespec time{};
            std::memcpy(&time, CMSG_DATA(part), sizeof time);
            return time.tv_sec * 1'000'000'000 + time.tv_nsec;
        }
        return 0;
    }
};

std::int64_t nanoseconds(std::chrono::duration<double> duration) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
}

}  // namespace

Traffic::Traffic(const Options& options, const CpuAccounting& accounting, std::vector<Lane> lanes,
                 std::vector<Receiver> receivers)
    : options_(options),
      accounting_(accounting),
      lanes_(std::move(lanes)),
      receivers_(std::move(receivers)),
      payloads_(options.payload),
      book_(lanes_.size()),
      sequences_(lanes_.size()),
      poll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < receivers_.size(); ++i) {
        // A lone one is asked without: what it costs to tell us would count as the server's.
        epoll_event wish{.events = EPOLLIN, .data = {.u64 = i}};
        if (receivers_.size() > 1) epoll_ctl(poll_.get(), EPOLL_CTL_ADD, receivers_[i].fd, &wish);
        const int on = 1;
        if (is_counting_latency()) {
            setsockopt(receivers_[i].fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
        }
    }
}

TrafficResult Traffic::run() {
    started_ = steady_now();
    last_arrival_ = started_;
    const std::int64_t measure_from = started_ + nanoseconds(options_.warm_up);
    const std::int64_t measure_until = measure_from + nanoseconds(options_.measured);
    CpuTimes before;
    const std::int64_t tick = nanoseconds(options_.tick);
    std::int64_t now = started_;
    while (now < measure_until) {
        if (!measuring_ && now >= measure_from) {
            measuring_ = true;
            before = accounting_.now();
            now = steady_now();
        }
        send_due(now);
        receive();
        const std::int64_t next = started_ + ((now - started_) / tick + 1) * tick;
        sleep_until(next);
        now = steady_now();
    }
    result_.used = accounting_.now() - before;
    measuring_ = false;
    last_arrival_ = steady_now();
    while (!receivers_.empty() && result_.received < result_.sent &&
           steady_now() - last_arrival_ < settle) {
        receive();
        sleep_until(steady_now() + look_again);
    }
    result_.reordered = book_.reordered();
    return std::move(result_);
}

void Traffic::send_due(std::int64_t now) {
    std::size_t due = 0;
    if (options_.rate) {
        const double wanted = static_cast<double>(now - started_) * 1e-9 * *options_.rate -
                              static_cast<double>(result_.sent) - skipped_;
        const double most = std::max(*options_.rate * most_late_seconds, 1.0);
        if (wanted > most) skipped_ += wanted - most;
        due = static_cast<std::size_t>(std::clamp(wanted, 0.0, most));
    } else {
        if (now - last_arrival_ > stall) {
            written_off_ = result_.sent - result_.received;
            last_arrival_ = now;
        }
        const std::uint64_t under_way = result_.sent - result_.received -
                                        std::min(written_off_, result_.sent - result_.received);
        if (under_way < options_.window) due = options_.window - under_way;
    }
    due = std::min(due, most_at_once);
    for (std::size_t sent = 0; sent + options_.train <= due; sent += options_.train) {
        if (!send_one()) return;
    }
}

bool Traffic::send_one() {
    const std::size_t index = next_lane_;
    const Lane& lane = lanes_[index];
    const std::size_t header = lane.sent_on ? turn::channel_header_octets : 0;
    outgoing_.resize((header + options_.payload) * options_.train);
    MutableBytes rest{outgoing_};
    for (std::size_t i = 0; i < options_.train; ++i) {
        if (lane.sent_on) {
            std::ranges::copy(turn::channel_header(*lane.sent_on, options_.payload), rest.begin());
        }
        payloads_.write(rest.subspan(header, options_.payload),
                        {static_cast<std::uint32_t>(index),
                         sequences_[index] + static_cast<std::uint32_t>(i), wall_now()});
        rest = rest.subspan(header + options_.payload);
    }
    if (!send_train(lane.sender, lane.to ? &*lane.to : nullptr, BytesView{outgoing_},
                    options_.train)) {
        ++result_.refused_sends;
        return false;
    }
    sequences_[index] += static_cast<std::uint32_t>(options_.train);
    result_.sent += options_.train;
    if (measuring_) result_.measured_sent += options_.train;
    next_lane_ = (index + 1) % lanes_.size();
    return true;
}

void Traffic::receive() {
    if (receivers_.size() == 1) {
        while (receive_from(receivers_.front()) == batch) {
        }
        return;
    }
    std::array<epoll_event, 128> events{};
    const int ready =
        receivers_.empty() ? 0 : epoll_wait(poll_.get(), events.data(), events.size(), 0);
    for (int i = 0; i < ready; ++i) {
        receive_from(receivers_[events[static_cast<std::size_t>(i)].data.u64]);
    }
}

std::size_t Traffic::receive_from(const Receiver& receiver) {
    static Inbox inbox;
    inbox.prepare();
    const int count = recvmmsg(receiver.fd, inbox.messages.data(), batch, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i);
        judge(receiver, BytesView{inbox.buffers[at]}.first(inbox.messages[at].msg_len),
              drivers::from_native(inbox.sources[at]),
              is_counting_latency() ? inbox.arrived(at) : 0);
    }
    return count > 0 ? static_cast<std::size_t>(count) : 0;
}

void Traffic::judge(const Receiver& receiver, BytesView datagram, const SocketAddress& source,
                    std::int64_t arrived) {
    const bool has_header = lanes_.front().arrives_on.has_value();
    const std::size_t header = has_header ? turn::channel_header_octets : 0;
    if (datagram.size() < header) {
        ++result_.corrupt;
        return;
    }
    const std::optional<Stamp> stamp = payloads_.read(datagram.subspan(header));
    if (!stamp || stamp->flow >= lanes_.size() || stamp->sequence >= sequences_[stamp->flow]) {
        ++result_.corrupt;
        return;
    }
    const Lane& lane = lanes_[stamp->flow];
    const bool right_channel =
        !has_header || std::ranges::equal(datagram.first(header),
                                          turn::channel_header(*lane.arrives_on, options_.payload));
    if (!right_channel || (lane.source && *lane.source != source) ||
        (receiver.flow && *receiver.flow != stamp->flow)) {
        ++result_.misrouted;
        return;
    }
    if (book_.note(*stamp) == Received::Arrival::Duplicate) {
        ++result_.duplicates;
        return;
    }
    ++result_.received;
    last_arrival_ = steady_now();
    if (!measuring_) return;
    ++result_.measured_received;
    if (arrived != 0) result_.latencies.push_back(arrived - stamp->sent_at);
}

}  // namespace stile::bench
