// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "socket_options.hpp"
#include "udp_socket_set_impl.hpp"

#include <stile/base/assert.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <algorithm>
#include <cerrno>

namespace stile::drivers {
namespace {

// A segment that fits every path: if the kernel refuses to segment even this, it never will.
constexpr std::size_t always_fitting_segment = 1200;

bool is_full(int code) { return code == EAGAIN || code == EWOULDBLOCK || code == ENOBUFS; }

// What an earlier datagram's ICMP error makes a later call on the socket say.
bool is_old_news(int code) {
    return code == ECONNREFUSED || code == EHOSTUNREACH || code == ENETUNREACH ||
           code == EHOSTDOWN || code == EPROTO || code == ENOPROTOOPT || code == EACCES;
}

void set_fragmentation(int fd, AddressFamily family, UdpSocketSet::Fragmentation fragmentation) {
    const bool allowed = fragmentation == UdpSocketSet::Fragmentation::Allowed;
    if (family == AddressFamily::V4) {
        set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, allowed ? IP_PMTUDISC_DONT : IP_PMTUDISC_PROBE);
    } else {
        set_option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                   allowed ? IPV6_PMTUDISC_WANT : IPV6_PMTUDISC_PROBE);
        set_option(fd, IPPROTO_IPV6, IPV6_DONTFRAG, allowed ? 0 : 1);
    }
}

// As the system call. sendto is the cheaper one where it can say it all.
ssize_t send_message(int fd, const msghdr& message) {
    if (message.msg_iovlen != 1 || message.msg_controllen != 0) {
        return ::sendmsg(fd, &message, MSG_DONTWAIT);
    }
    return ::sendto(fd, message.msg_iov->iov_base, message.msg_iov->iov_len, MSG_DONTWAIT,
                    static_cast<const sockaddr*>(message.msg_name), message.msg_namelen);
}

}  // namespace

void UdpSocketSet::Impl::send(const Departure& departure) {
    Slot* const slot = find(departure.from);
    if (slot == nullptr) {
        ++counters.send_errors;
        return;
    }
    if (!slot->sends) set_up_sending(*slot);
    if (queue.full()) flush();
    const auto source = slot->wildcard ? SendQueue::Source::OfPath : SendQueue::Source::OfSocket;
    const auto merging = slot->segments ? SendQueue::Merging::On : SendQueue::Merging::Off;
    if (!departure.prefix.empty()) {
        const BytesView whole = buffers.prepend(departure.prefix, departure.payload);
        if (!whole.empty()) {
            Departure joined = departure;
            joined.prefix = {};
            joined.payload = whole;
            return queue.add(joined, source, merging);
        }
    }
    queue.add(departure, source, merging);
}

void UdpSocketSet::Impl::send_copy(const Departure& departure) {
    const std::size_t size = departure.payload.size();
    STILE_ASSERT(size <= most_copied);
    if (copies.empty()) copies.resize(most_copied);
    if (copied + size > most_copied || queue.full()) flush();
    Departure kept = departure;
    const MutableBytes place = MutableBytes{copies}.subspan(copied, size);
    std::ranges::copy(departure.payload, place.begin());
    kept.payload = place;
    copied += size;
    send(kept);
}

void UdpSocketSet::Impl::flush() {
    if (!queue.empty()) {
        queue.build();
        for (std::size_t run = 0; run < queue.runs();) run += send_runs(run);
        queue.clear();
    }
    copied = 0;
}

std::size_t UdpSocketSet::Impl::send_runs(std::size_t first) {
    Slot& slot = slots[queue.from(first).place];
    if (slot.fragmentation != queue.fragmentation(first)) {
        slot.fragmentation = queue.fragmentation(first);
        set_fragmentation(slot.fd, slot.local.ip.family(), *slot.fragmentation);
    }
    const std::size_t together = queue.sendable_together(first);
    if (together > 1) {
        const int sent = ::sendmmsg(slot.fd, &queue.message(first), static_cast<unsigned>(together),
                                    MSG_DONTWAIT);
        if (sent > 0) {
            count_sent(first, static_cast<std::size_t>(sent));
            return static_cast<std::size_t>(sent);
        }
    } else if (send_message(slot.fd, queue.message(first).msg_hdr) >= 0) {
        count_sent(first, 1);
        return 1;
    }
    handle_failure(slot, first);
    return 1;
}

void UdpSocketSet::Impl::handle_failure(Slot& slot, std::size_t run) {
    if (errno == EINTR || (slot.reports_icmp && is_old_news(errno))) {
        if (send_message(slot.fd, queue.message(run).msg_hdr) >= 0) return count_sent(run, 1);
    }
    if (queue.count(run) > 1 && (errno == EIO || errno == EINVAL || errno == EMSGSIZE)) {
        // EIO: the interface cannot. Otherwise perhaps only these segments are too large for it.
        if (errno == EIO || queue.segment_size(run) <= always_fitting_segment) {
            slot.segments = false;
        }
        return send_singly(slot, run);
    }
    count_failure(errno, queue.count(run));
}

void UdpSocketSet::Impl::send_singly(const Slot& slot, std::size_t run) {
    for (std::size_t i = 0; i < queue.count(run); ++i) {
        const ssize_t sent = ::sendmsg(slot.fd, &queue.single(run, i), MSG_DONTWAIT);
        if (sent < 0) {
            count_failure(errno, 1);
            continue;
        }
        ++counters.send_calls;
        ++counters.sent_messages;
        ++counters.sent;
    }
}

void UdpSocketSet::Impl::count_sent(std::size_t first, std::size_t runs) {
    ++counters.send_calls;
    counters.sent_messages += runs;
    for (std::size_t i = 0; i < runs; ++i) counters.sent += queue.count(first + i);
}

void UdpSocketSet::Impl::count_failure(int code, std::size_t datagrams) {
    (is_full(code) ? counters.send_drops : counters.send_errors) += datagrams;
}

}  // namespace stile::drivers
