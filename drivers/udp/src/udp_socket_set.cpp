// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "socket_options.hpp"
#include "udp_socket_set_impl.hpp"

#include <stile/drivers/native_address.hpp>

#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <array>
#include <utility>

namespace stile::drivers {
namespace {

constexpr int most_errors_a_visit = 16;
// From a socket that was ready in the round before, too, as many as this are taken at once.
constexpr std::size_t most_messages_of_few = 16;

// A socket's number in the loop: its place, and enough of the generation to tell it from the one
// that was there in the same wake-up.
constexpr unsigned place_bits = 20;
constexpr std::uint32_t place_mask = (1U << place_bits) - 1U;

std::uint32_t key_of(UdpSocketSet::Id id) { return id.generation << place_bits | id.place; }

}  // namespace

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
