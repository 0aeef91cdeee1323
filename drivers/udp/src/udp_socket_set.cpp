// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/udp_socket_set.hpp>

#include "send_queue.hpp"
#include "set_buffers.hpp"
#include "socket_options.hpp"
#include "wake_pace.hpp"

#include <stile/base/assert.hpp>
#include <stile/drivers/native_address.hpp>
#include <stile/drivers/watch_group.hpp>

#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <algorithm>
#include <utility>
#include <vector>

namespace stile::drivers {
namespace {

constexpr int most_errors_a_visit = 16;
// A segment that fits every path: if the kernel refuses to segment even this, it never will.
constexpr std::size_t always_fitting_segment = 1200;

// From a socket that was ready in the round before, too, as many as this are taken at once.
constexpr std::size_t most_messages_of_few = 16;

// A socket's number in the loop: its place, and enough of the generation to tell it from the one
// that was there in the same wake-up.
constexpr unsigned place_bits = 20;
constexpr std::uint32_t place_mask = (1U << place_bits) - 1U;

std::uint32_t key_of(UdpSocketSet::Id id) { return id.generation << place_bits | id.place; }

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

struct UdpSocketSet::Impl {
    struct Slot {
        int fd = -1;
        std::uint32_t generation = 0;
        std::uint64_t tag = 0;
        SocketAddress local;
        std::uint32_t receive_buffer = 0;
        std::uint32_t send_buffer = 0;
        std::uint32_t ready_in = 0;  // the round
        Senders senders = Senders::Few;
        std::optional<Fragmentation> fragmentation;  // what the kernel was told
        bool wildcard = false;
        bool reports_icmp = false;
        bool offloads = true;
        bool segments = true;   // UDP_SEGMENT works
        bool receives = false;  // what concerns receiving is set up
        bool sends = false;     // what concerns sending is set up
    };

    Impl(Loop& owner, Handlers callbacks)
        : loop(owner),
          handlers(std::move(callbacks)),
          pace(owner.now()),
          group(
              owner, [this](const WatchGroup::Ready& ready) { serve(ready); },
              [this] { end_round(); }) {}

    Slot* find(Id id) {
        if (id.place >= slots.size()) return nullptr;
        Slot& slot = slots[id.place];
        return slot.generation == id.generation && slot.fd >= 0 ? &slot : nullptr;
    }
    Id add(FileDescriptor socket, const SocketAddress& local, const Options& options);
    FileDescriptor remove(Id id);
    void set_up_receiving(Slot& slot);
    void set_up_sending(Slot& slot);
    void serve(const WatchGroup::Ready& ready);
    // False once the socket is empty or gone.
    bool receive(Id id, std::size_t most);
    void end_round();
    void read_errors(Id id);
    void send(const Departure& departure);
    void send_copy(const Departure& departure);
    void flush();
    // Sends this run and perhaps others after it; how many.
    std::size_t send_runs(std::size_t first);
    void handle_failure(Slot& slot, std::size_t run);
    void send_singly(const Slot& slot, std::size_t run);
    void count_sent(std::size_t first, std::size_t runs);
    void count_failure(int code, std::size_t datagrams);

    Loop& loop;
    Handlers handlers;
    std::vector<Slot> slots;
    std::vector<std::uint32_t> free_places;
    SetBuffers buffers;
    SendQueue queue;
    std::vector<std::byte> copies;  // of most_copied octets, of which so many are in use
    std::size_t copied = 0;
    UdpSetCounters counters;
    WakePace pace;
    std::uint32_t round = 1;
    std::size_t messages_in_round = 0;
    WatchGroup group;
};

UdpSocketSet::Id UdpSocketSet::Impl::add(FileDescriptor socket, const SocketAddress& local,
                                         const Options& options) {
    const int fd = socket.release();
    if (free_places.empty()) {
        free_places.push_back(static_cast<std::uint32_t>(slots.size()));
        slots.emplace_back();
    }
    const std::uint32_t place = free_places.back();
    free_places.pop_back();
    Slot& slot = slots[place];
    slot = {.fd = fd,
            .generation = slot.generation + 1,
            .tag = options.tag,
            .local = local,
            .receive_buffer = static_cast<std::uint32_t>(options.receive_buffer),
            .send_buffer = static_cast<std::uint32_t>(options.send_buffer),
            .senders = options.senders,
            .fragmentation = {}};
    slot.wildcard = local.ip.is_unspecified();
    slot.reports_icmp = options.icmp_errors == UdpOptions::IcmpErrors::Reported;
    slot.offloads = slot.segments = options.offload == UdpOptions::Offload::Automatic;
    if (options.setup == Setup::AtOnce) {
        set_up_receiving(slot);
        set_up_sending(slot);
    }
    const Id id{place, slot.generation};
    group.add(fd, key_of(id));
    return id;
}

void UdpSocketSet::Impl::set_up_receiving(Slot& slot) {
    slot.receives = true;
    if (slot.offloads) set_option(slot.fd, SOL_UDP, UDP_GRO, 1);  // a kernel without it merges none
    set_receive_buffer(slot.fd, slot.receive_buffer);
}

void UdpSocketSet::Impl::set_up_sending(Slot& slot) {
    slot.sends = true;
    if (slot.reports_icmp) report_icmp_errors(slot.fd, slot.local.ip.family());
    set_send_buffer(slot.fd, slot.send_buffer);
}

FileDescriptor UdpSocketSet::Impl::remove(Id id) {
    Slot* const slot = find(id);
    if (slot == nullptr) return {};
    if (queue.has(id)) flush();
    const int fd = std::exchange(slot->fd, -1);
    group.remove(fd);
    free_places.push_back(id.place);
    return FileDescriptor{fd};
}

void UdpSocketSet::Impl::end_round() {
    if (handlers.on_round) handlers.on_round();
    flush();
    ++round;
    const std::size_t messages = std::exchange(messages_in_round, 0);
    const Duration patience = pace.after_round(loop.now(), messages);
    if (patience != Duration::zero()) loop.pause_once(patience);
}

void UdpSocketSet::Impl::serve(const WatchGroup::Ready& ready) {
    const std::uint32_t place = ready.key & place_mask;
    const Id id{place, slots[place].generation};
    if (slots[place].fd < 0 || key_of(id) != ready.key) return;  // closed by what came before
    if (ready.error == WatchGroup::Ready::Error::Yes) {
        read_errors(id);
        if (find(id) == nullptr) return;
    }
    if (!ready.readable) return;
    Slot& slot = slots[place];
    const bool again = std::exchange(slot.ready_in, round) + 1 == round;
    if (slot.senders == Senders::Few) {
        receive(id, again ? most_messages_of_few : 1);
        return;
    }
    std::size_t taken = 0;
    while (taken < most_messages_a_round && receive(id, most_messages_a_call)) {
        taken += most_messages_a_call;
    }
}

bool UdpSocketSet::Impl::receive(Id id, std::size_t most) {
    if (buffers.left() < most) flush();
    // Once nothing waits to be sent, nothing looks at what came before.
    if (queue.empty()) buffers.reset();
    Slot& slot = slots[id.place];
    const int count = buffers.receive(slot.fd, most);
    // A failure is "nothing there", or an ICMP message about an earlier send; never the end.
    if (count <= 0) return false;
    if (!slot.receives) set_up_receiving(slot);
    ++counters.receive_calls;
    const auto messages = static_cast<std::size_t>(count);
    messages_in_round += messages;
    const auto arrivals = buffers.arrivals(count, slot.local, counters);
    if (!arrivals.empty()) handlers.on_arrivals(id, slot.tag, arrivals);
    return messages == most && find(id) != nullptr;
}

void UdpSocketSet::Impl::read_errors(Id id) {
    for (int i = 0; i < most_errors_a_visit; ++i) {
        const Slot* const slot = find(id);
        if (slot == nullptr) return;
        IcmpError error;
        const ErrorRead read = read_error_queue(slot->fd, error);
        if (read == ErrorRead::None) {
            int pending = 0;
            socklen_t size = sizeof pending;
            ::getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &pending, &size);
            return;
        }
        if (read == ErrorRead::Icmp && handlers.on_icmp_error) {
            handlers.on_icmp_error(id, slot->tag, error);
        }
    }
}

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

UdpSocketSet::UdpSocketSet(Loop& loop, Handlers handlers)
    : impl_(std::make_unique<Impl>(loop, std::move(handlers))) {}

UdpSocketSet::~UdpSocketSet() {
    for (const Impl::Slot& slot : impl_->slots) {
        if (slot.fd < 0) continue;
        impl_->group.remove(slot.fd);
        FileDescriptor{slot.fd}.reset();
    }
}

std::expected<UdpSocketSet::Id, OsError> UdpSocketSet::open(const SocketAddress& local,
                                                            const Options& options) {
    auto socket = make_udp_socket(local, options.reuse_port);
    if (!socket) return std::unexpected(socket.error());
    if (impl_->slots.size() > place_mask && impl_->free_places.empty()) {
        return std::unexpected(os_error("one more UDP socket in a set", ENFILE));
    }
    const int fd = socket->get();
    if (local.ip.is_unspecified() && !report_destination(fd, local.ip.family())) {
        return std::unexpected(os_error("UDP socket on " + local.to_string() + ", IP_PKTINFO"));
    }
    NativeEndpoint native;
    const socklen_t size = fill_endpoint(native, local);
    if (::bind(fd, &native.any, size) != 0) {
        const int code = errno;
        return std::unexpected(os_error("bind UDP socket on " + local.to_string(), code));
    }
    if (options.peer) {
        const socklen_t peer_size = fill_endpoint(native, *options.peer);
        if (::connect(fd, &native.any, peer_size) != 0) {
            const int code = errno;
            return std::unexpected(os_error("connect UDP socket on " + local.to_string(), code));
        }
    }
    // What was bound to a port by its name need not be asked for it.
    const SocketAddress bound = local.port.value == 0 ? bound_address(fd) : local;
    return impl_->add(*std::move(socket), bound, options);
}

std::expected<UdpSocketSet::Id, OsError> UdpSocketSet::adopt(FileDescriptor socket,
                                                             const Options& options) {
    const SocketAddress local = bound_address(socket.get());
    if (local.port.value == 0) return std::unexpected(os_error("adopt a UDP socket", EBADF));
    return impl_->add(std::move(socket), local, options);
}

void UdpSocketSet::close(Id id) { (void)impl_->remove(id); }
FileDescriptor UdpSocketSet::release(Id id) { return impl_->remove(id); }

FileDescriptor UdpSocketSet::duplicate(Id id) const {
    const Impl::Slot* const slot = impl_->find(id);
    return FileDescriptor{slot == nullptr ? -1 : ::fcntl(slot->fd, F_DUPFD_CLOEXEC, 0)};
}

SocketAddress UdpSocketSet::local_address(Id id) const {
    const Impl::Slot* const slot = impl_->find(id);
    return slot == nullptr ? SocketAddress{} : slot->local;
}

std::size_t UdpSocketSet::size() const { return impl_->slots.size() - impl_->free_places.size(); }
void UdpSocketSet::set_up(Id id) {
    Impl::Slot* const slot = impl_->find(id);
    if (slot == nullptr) return;
    if (!slot->receives) impl_->set_up_receiving(*slot);
    if (!slot->sends) impl_->set_up_sending(*slot);
}
void UdpSocketSet::send(const Departure& departure) { impl_->send(departure); }
void UdpSocketSet::send_copy(const Departure& departure) { impl_->send_copy(departure); }
void UdpSocketSet::flush() { impl_->flush(); }
const UdpSetCounters& UdpSocketSet::counters() const { return impl_->counters; }

std::uint64_t UdpSocketSet::kernel_drops(Id id) const {
    const Impl::Slot* const slot = impl_->find(id);
    std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
    socklen_t size = sizeof memory;
    if (slot == nullptr ||
        ::getsockopt(slot->fd, SOL_SOCKET, SO_MEMINFO, memory.data(), &size) != 0) {
        return 0;
    }
    return memory[SK_MEMINFO_DROPS];
}

}  // namespace stile::drivers
