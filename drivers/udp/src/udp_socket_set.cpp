// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/udp_socket_set.hpp>

#include "send_run.hpp"
#include "set_buffers.hpp"
#include "socket_options.hpp"

#include <stile/drivers/native_address.hpp>
#include <stile/drivers/watch_group.hpp>

#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <utility>
#include <vector>

namespace stile::drivers {
namespace {

constexpr int most_errors_a_visit = 16;
// A segment that fits every path: if the kernel refuses to segment even this, it never will.
constexpr std::size_t always_fitting_segment = 1200;

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

}  // namespace

struct UdpSocketSet::Impl {
    struct Slot {
        int fd = -1;
        std::uint32_t generation = 0;
        std::uint64_t tag = 0;
        SocketAddress local;
        Senders senders = Senders::Few;
        Fragmentation fragmentation = Fragmentation::Allowed;
        bool wildcard = false;
        bool reports_icmp = false;
        bool segments = true;  // UDP_SEGMENT works
    };

    Impl(Loop& owner, Handlers callbacks)
        : handlers(std::move(callbacks)),
          group(
              owner, [this](const WatchGroup::Ready& ready) { serve(ready); },
              handlers.on_round ? Task{[this] { end_round(); }} : Task{}) {}

    Slot* find(Id id) {
        if (id.place >= slots.size()) return nullptr;
        Slot& slot = slots[id.place];
        return slot.generation == id.generation && slot.fd >= 0 ? &slot : nullptr;
    }
    Id add(FileDescriptor socket, const Options& options);
    FileDescriptor remove(Id id);
    void serve(const WatchGroup::Ready& ready);
    void end_round();
    void read_errors(Id id);
    void send(const Departure& departure);
    void flush();
    // -1 with errno as the system call.
    ssize_t transmit(const Slot& slot);
    void flush_singly(Slot& slot);
    void count_failure(int code, std::size_t datagrams);

    Handlers handlers;
    std::vector<Slot> slots;
    std::vector<std::uint32_t> free_places;
    SetBuffers buffers;
    SendRun run;
    UdpSetCounters counters;
    WatchGroup group;
};

UdpSocketSet::Id UdpSocketSet::Impl::add(FileDescriptor socket, const Options& options) {
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
            .local = bound_address(fd),
            .senders = options.senders};
    slot.wildcard = slot.local.ip.is_unspecified();
    slot.reports_icmp = options.icmp_errors == UdpOptions::IcmpErrors::Reported;
    slot.segments = options.offload == UdpOptions::Offload::Automatic;
    const Id id{place, slot.generation};
    group.add(fd, key_of(id));
    return id;
}

FileDescriptor UdpSocketSet::Impl::remove(Id id) {
    Slot* const slot = find(id);
    if (slot == nullptr) return {};
    if (run.from() == id) flush();
    const int fd = std::exchange(slot->fd, -1);
    group.remove(fd);
    free_places.push_back(id.place);
    return FileDescriptor{fd};
}

void UdpSocketSet::Impl::end_round() {
    handlers.on_round();
    flush();
}

void UdpSocketSet::Impl::serve(const WatchGroup::Ready& ready) {
    const std::uint32_t place = ready.key & place_mask;
    const Slot* slot = &slots[place];
    const Id id{place, slot->generation};
    if (slot->fd < 0 || key_of(id) != ready.key) return;  // closed by what came before
    if (ready.error == WatchGroup::Ready::Error::Yes) {
        read_errors(id);
        slot = find(id);
        if (slot == nullptr) return;
    }
    if (!ready.readable) return;
    const int count = slot->senders == Senders::Few ? buffers.receive_one(slot->fd)
                                                    : buffers.receive_many(slot->fd);
    // A failure is "nothing there", or an ICMP message about an earlier send; never the end.
    if (count <= 0) return;
    ++counters.receive_calls;
    const auto arrivals = buffers.arrivals(count, slot->local, counters);
    if (!arrivals.empty()) handlers.on_arrivals(id, slot->tag, arrivals);
    flush();
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
    if (!run.empty()) {
        if (slots[run.from().place].segments && run.extend(departure)) return;
        flush();
    }
    const Slot* const slot = find(departure.from);
    if (slot == nullptr) {
        ++counters.send_errors;
        return;
    }
    run.begin(departure, slot->wildcard);
}

void UdpSocketSet::Impl::flush() {
    if (run.empty()) return;
    Slot& slot = slots[run.from().place];
    if (slot.fragmentation != run.fragmentation()) {
        slot.fragmentation = run.fragmentation();
        set_fragmentation(slot.fd, slot.local.ip.family(), slot.fragmentation);
    }
    ssize_t sent = transmit(slot);
    if (sent < 0 && (errno == EINTR || (slot.reports_icmp && is_old_news(errno)))) {
        sent = transmit(slot);
    }
    if (sent >= 0) {
        ++counters.send_calls;
        counters.sent += run.count();
    } else if (run.count() > 1 && (errno == EIO || errno == EINVAL || errno == EMSGSIZE)) {
        // EIO: the interface cannot. Otherwise perhaps only these segments are too large for it.
        if (errno == EIO || run.segment_size() <= always_fitting_segment) slot.segments = false;
        flush_singly(slot);
    } else {
        count_failure(errno, run.count());
    }
    run.clear();
}

ssize_t UdpSocketSet::Impl::transmit(const Slot& slot) {
    if (run.is_plain()) {
        BytesView datagram = run.payload();
        bool in_one_piece = true;
        if (run.has_prefix()) {
            const BytesView prefix = run.prefix();
            in_one_piece = buffers.starts_a_buffer(datagram);
            if (in_one_piece) {
                auto* const start = const_cast<std::byte*>(datagram.data()) - prefix.size();
                std::memcpy(start, prefix.data(), prefix.size());
                datagram = {start, prefix.size() + datagram.size()};
            }
        }
        if (in_one_piece) {
            return ::sendto(slot.fd, datagram.data(), datagram.size(), MSG_DONTWAIT,
                            &run.destination().any, run.destination_size());
        }
    }
    return ::sendmsg(slot.fd, &run.whole(), MSG_DONTWAIT);
}

void UdpSocketSet::Impl::flush_singly(Slot& slot) {
    for (std::size_t i = 0; i < run.count(); ++i) {
        const ssize_t sent = ::sendmsg(slot.fd, &run.single(i), MSG_DONTWAIT);
        if (sent < 0) {
            count_failure(errno, 1);
            continue;
        }
        ++counters.send_calls;
        ++counters.sent;
    }
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
    if (options.offload == UdpOptions::Offload::Automatic) {
        set_option(fd, SOL_UDP, UDP_GRO, 1);  // a kernel without it merges nothing
    }
    if (options.icmp_errors == UdpOptions::IcmpErrors::Reported) {
        report_icmp_errors(fd, local.ip.family());
    }
    set_fragmentation(fd, local.ip.family(), Fragmentation::Allowed);
    set_buffers(fd, options.receive_buffer, options.send_buffer);
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
    return impl_->add(*std::move(socket), options);
}

std::expected<UdpSocketSet::Id, OsError> UdpSocketSet::adopt(FileDescriptor socket,
                                                             const Options& options) {
    if (bound_address(socket.get()).port.value == 0) {
        return std::unexpected(os_error("adopt a UDP socket", EBADF));
    }
    return impl_->add(std::move(socket), options);
}

void UdpSocketSet::close(Id id) { (void)impl_->remove(id); }
FileDescriptor UdpSocketSet::release(Id id) { return impl_->remove(id); }

SocketAddress UdpSocketSet::local_address(Id id) const {
    const Impl::Slot* const slot = impl_->find(id);
    return slot == nullptr ? SocketAddress{} : slot->local;
}

std::size_t UdpSocketSet::size() const { return impl_->slots.size() - impl_->free_places.size(); }
void UdpSocketSet::send(const Departure& departure) { impl_->send(departure); }
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
