// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/udp_socket.hpp>

#include "receive_batch.hpp"
#include "send_batch.hpp"
#include "socket_options.hpp"

#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/native_address.hpp>

#include <netinet/udp.h>
#include <algorithm>
#include <cstring>
#include <deque>

namespace stile::drivers {
namespace {

using Segmentation = UdpSocket::Segmentation;

// A segment that fits every path: if the kernel refuses to segment even this, it never will.
constexpr std::size_t always_fitting_segment = 1200;

// What is waiting for the kernel's buffer: one or, with a segment size, several datagrams.
struct Queued {
    Path path;
    Bytes payload;
    std::optional<std::size_t> segment_size;
};

std::size_t datagrams_in(const Queued& queued) {
    if (!queued.segment_size) return 1;
    return (queued.payload.size() + *queued.segment_size - 1) / *queued.segment_size;
}

}  // namespace

struct UdpSocket::Impl : std::enable_shared_from_this<UdpSocket::Impl> {
    void receive();
    void read_errors();
    void send(std::span<const Outgoing> batch);
    // False when the kernel's buffer is full; then batch[from...] has been queued.
    bool transmit(SendBatch& messages, std::span<const Outgoing> batch);
    enum class Refusal : std::uint8_t { Blocked, Retry, Skip };
    Refusal refused(const SendBatch::Extent& extent, std::span<const Outgoing> batch, int code);
    void send_single_datagrams(std::span<const Outgoing> entries, std::size_t segment_size);
    void enqueue(std::span<const Outgoing> batch);
    void flush();

    FileDescriptor fd;
    SocketAddress local;
    SendRules rules;
    bool report_icmp = false;
    std::size_t receive_buffer = 0;
    UdpCounters counters;
    OnDatagrams on_datagrams;
    Task on_writable;
    std::move_only_function<void(const IcmpError&)> on_icmp_error;
    std::deque<Queued> queue;
    std::size_t queued_octets = 0;
    std::size_t queued_datagrams = 0;
    bool dead = false;
    std::optional<Watch> watch;
};

void UdpSocket::Impl::receive() {
    const auto self = shared_from_this();
    ReceiveBatch& batch = ReceiveBatch::of_this_thread();
    for (std::size_t call = 0; call < most_receive_calls_a_wakeup && !dead; ++call) {
        if (report_icmp) read_errors();
        if (dead) return;
        const int count = batch.receive(fd.get());
        // Anything but "nothing there" is an ICMP message about an earlier send: not this socket's
        // end.
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (count <= 0) continue;
        ++counters.receive_calls;
        const auto datagrams = batch.split(count, local, counters);
        if (!datagrams.empty() && on_datagrams) on_datagrams(datagrams);
        if (static_cast<std::size_t>(count) < most_messages_a_call) return;
    }
}

void UdpSocket::Impl::read_errors() {
    IcmpError error;
    for (std::size_t i = 0; i < most_messages_a_call && !dead; ++i) {
        const ErrorRead read = read_error_queue(fd.get(), error);
        if (read == ErrorRead::None) return;
        if (read == ErrorRead::Icmp && on_icmp_error) on_icmp_error(error);
    }
}

void UdpSocket::Impl::send(std::span<const Outgoing> batch) {
    if (!queue.empty()) {
        enqueue(batch);
        return;
    }
    SendBatch& messages = SendBatch::of_this_thread();
    while (!batch.empty()) {
        const std::size_t taken = messages.fill(batch, rules);
        if (!transmit(messages, batch.first(taken))) {
            enqueue(batch.subspan(taken));
            return;
        }
        batch = batch.subspan(taken);
    }
}

bool UdpSocket::Impl::transmit(SendBatch& messages, std::span<const Outgoing> batch) {
    std::size_t next = 0;
    std::size_t retried = messages.size();  // the message that has had its second chance
    while (next < messages.size()) {
        const auto wanted = static_cast<unsigned>(messages.size() - next);
        const int count = ::sendmmsg(fd.get(), messages.headers() + next, wanted, MSG_DONTWAIT);
        if (count > 0) {
            ++counters.send_calls;
            for (int i = 0; i < count; ++i) counters.sent += messages.extent(next++).datagrams;
            continue;
        }
        const SendBatch::Extent extent = messages.extent(next);
        switch (refused(extent, batch, errno)) {
            case Refusal::Blocked:
                enqueue(batch.subspan(extent.first));
                return false;
            case Refusal::Retry:
                if (std::exchange(retried, next) != next) break;
                counters.send_errors += extent.datagrams;
                ++next;
                break;
            case Refusal::Skip:
                ++next;
                break;
        }
    }
    return true;
}

UdpSocket::Impl::Refusal UdpSocket::Impl::refused(const SendBatch::Extent& extent,
                                                  std::span<const Outgoing> batch, int code) {
    if (code == EAGAIN || code == EWOULDBLOCK) return Refusal::Blocked;
    if (code == EINTR) return Refusal::Retry;
    if (extent.segment_size != 0 && (code == EIO || code == EINVAL || code == EMSGSIZE)) {
        // EIO: the interface cannot. EINVAL: perhaps only these segments are too large for it.
        if (code == EIO || extent.segment_size <= always_fitting_segment) {
            rules.segmentation = Segmentation::Refused;
        }
        send_single_datagrams(batch.subspan(extent.first, extent.count), extent.segment_size);
        return Refusal::Skip;
    }
    // With error reports asked for, an earlier datagram's error is told to this send in its stead.
    if (report_icmp && (code == ECONNREFUSED || code == EHOSTUNREACH || code == ENETUNREACH)) {
        return Refusal::Retry;
    }
    counters.send_errors += extent.datagrams;
    return Refusal::Skip;
}

void UdpSocket::Impl::send_single_datagrams(std::span<const Outgoing> entries,
                                            std::size_t segment_size) {
    Bytes whole;
    for (const Outgoing& entry : entries) {
        whole.insert(whole.end(), entry.prefix.begin(), entry.prefix.end());
        whole.insert(whole.end(), entry.payload.begin(), entry.payload.end());
    }
    const Path& path = entries.front().path;
    const NativeAddress remote = to_native(path.remote);
    for (BytesView rest{whole}; !rest.empty();) {
        const BytesView datagram = rest.first(std::min(segment_size, rest.size()));
        rest = rest.subspan(datagram.size());
        // The source address is left to the kernel here: a socket on a wildcard that also lacks
        // segmentation is rare, and its route's address is the usual one.
        const ssize_t sent = ::sendto(fd.get(), datagram.data(), datagram.size(), MSG_DONTWAIT,
                                      remote.get(), remote.size);
        ++(sent >= 0 ? counters.sent : counters.send_errors);
    }
}

void UdpSocket::Impl::enqueue(std::span<const Outgoing> batch) {
    for (const Outgoing& outgoing : batch) {
        Queued queued{.path = outgoing.path, .payload = {}, .segment_size = outgoing.segment_size};
        const std::size_t size = outgoing.prefix.size() + outgoing.payload.size();
        const std::size_t datagrams =
            outgoing.segment_size ? (size + *outgoing.segment_size - 1) / *outgoing.segment_size
                                  : 1;
        if (queued_octets + size > most_queued_octets ||
            queued_datagrams + datagrams > most_queued_datagrams) {
            counters.queue_drops += datagrams;
            continue;
        }
        queued.payload.reserve(size);
        queued.payload.insert(queued.payload.end(), outgoing.prefix.begin(), outgoing.prefix.end());
        queued.payload.insert(queued.payload.end(), outgoing.payload.begin(),
                              outgoing.payload.end());
        queued_octets += size;
        queued_datagrams += datagrams;
        queue.push_back(std::move(queued));
    }
    if (!queue.empty()) watch->want_writable(Watch::Wanted::Yes);
}

void UdpSocket::Impl::flush() {
    const auto self = shared_from_this();
    SendBatch& messages = SendBatch::of_this_thread();
    while (!queue.empty()) {
        const Queued queued = std::move(queue.front());
        queue.pop_front();
        queued_octets -= queued.payload.size();
        queued_datagrams -= datagrams_in(queued);
        const Outgoing outgoing{queued.path, queued.payload, queued.segment_size, {}};
        messages.fill({&outgoing, 1}, rules);
        if (!transmit(messages, {&outgoing, 1})) {
            // transmit() queued it at the back: its place is the front.
            std::rotate(queue.begin(), queue.end() - 1, queue.end());
            return;
        }
    }
    watch->want_writable(Watch::Wanted::No);
    if (on_writable) on_writable();
}

UdpSocket::UdpSocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

UdpSocket::~UdpSocket() {
    impl_->dead = true;
    impl_->watch.reset();
    impl_->fd.reset();
}

std::expected<std::unique_ptr<UdpSocket>, OsError> UdpSocket::open(Loop& loop, SocketAddress local,
                                                                   const UdpOptions& options) {
    const std::string name = "UDP socket on " + local.to_string();
    auto impl = std::make_shared<Impl>();
    auto made = make_udp_socket(local, options.reuse_port);
    if (!made) return std::unexpected(made.error());
    impl->fd = *std::move(made);
    const int fd = impl->fd.get();
    impl->rules.choose_source = local.ip.is_unspecified();
    if (impl->rules.choose_source && !report_destination(fd, local.ip.family())) {
        return std::unexpected(os_error(name + ", IP_PKTINFO"));
    }
    if (options.offload == UdpOptions::Offload::Automatic) {
        set_option(fd, SOL_UDP, UDP_GRO, 1);  // a kernel without it merges nothing
    } else {
        impl->rules.segmentation = Segmentation::Refused;
    }
    if (options.icmp_errors == UdpOptions::IcmpErrors::Reported) {
        impl->report_icmp = report_icmp_errors(fd, local.ip.family());
    }
    set_receive_buffer(fd, options.receive_buffer);
    set_send_buffer(fd, options.send_buffer);
    int granted = 0;
    socklen_t granted_size = sizeof granted;
    ::getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &granted_size);
    impl->receive_buffer =
        static_cast<std::size_t>(granted) / 2;  // the kernel doubles it: socket(7)

    const NativeAddress native = to_native(local);
    if (::bind(fd, native.get(), native.size) != 0)
        return std::unexpected(os_error("bind " + name));
    impl->local = bound_address(fd);
    impl->watch.emplace(
        loop, fd, [raw = impl.get()] { raw->receive(); }, [raw = impl.get()] { raw->flush(); });
    auto socket = std::unique_ptr<UdpSocket>(new UdpSocket(std::move(impl)));
    if (options.fragmentation != UdpOptions::Fragmentation::Allowed) {
        socket->set_fragmentation(options.fragmentation);
    }
    return socket;
}

void UdpSocket::on_datagrams(OnDatagrams callback) {
    impl_->on_datagrams = std::move(callback);
    impl_->watch->want_readable(Watch::Wanted::Yes);
}
void UdpSocket::on_writable(Task callback) { impl_->on_writable = std::move(callback); }
void UdpSocket::on_icmp_error(std::move_only_function<void(const IcmpError&)> callback) {
    impl_->on_icmp_error = std::move(callback);
}
void UdpSocket::send(const Outgoing& outgoing) { impl_->send({&outgoing, 1}); }
void UdpSocket::send_batch(std::span<const Outgoing> batch) { impl_->send(batch); }
bool UdpSocket::blocked() const { return !impl_->queue.empty(); }

void UdpSocket::set_fragmentation(UdpOptions::Fragmentation fragmentation) {
    const bool probe = fragmentation == UdpOptions::Fragmentation::Probe;
    if (impl_->local.ip.is_v4()) {
        set_option(impl_->fd.get(), IPPROTO_IP, IP_MTU_DISCOVER,
                   probe ? IP_PMTUDISC_PROBE : IP_PMTUDISC_WANT);
    } else {
        set_option(impl_->fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                   probe ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_WANT);
        set_option(impl_->fd.get(), IPPROTO_IPV6, IPV6_DONTFRAG, probe ? 1 : 0);
    }
}

SocketAddress UdpSocket::local_address() const { return impl_->local; }
std::size_t UdpSocket::granted_receive_buffer() const { return impl_->receive_buffer; }
const UdpCounters& UdpSocket::counters() const { return impl_->counters; }
Segmentation UdpSocket::segmentation() const { return impl_->rules.segmentation; }

std::expected<IpAddress, OsError> source_address_for(SocketAddress destination) {
    const FileDescriptor fd{
        ::socket(destination.ip.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const NativeAddress native = to_native(destination);
    // Connecting a UDP socket only looks up the route.
    if (!fd.valid() || ::connect(fd.get(), native.get(), native.size) != 0) {
        return std::unexpected(os_error("route to " + destination.ip.to_string()));
    }
    return bound_address(fd.get()).ip;
}

}  // namespace stile::drivers
