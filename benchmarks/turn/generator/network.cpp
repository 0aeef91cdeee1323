// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "network.hpp"

#include <fcntl.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sys/socket.h>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace stile::bench {
namespace {

constexpr int buffer_octets = 8 << 20;

// Sockets belong to the namespace that their maker was in.
class Visit {
public:
    explicit Visit(const std::string& path) {
        if (path.empty()) return;
        home_.reset(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
        const drivers::FileDescriptor there{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
        if (!there.valid()) give_up_errno(path);
        if (setns(there.get(), CLONE_NEWNET) != 0) give_up_errno("setns " + path);
    }
    ~Visit() {
        if (home_.valid() && setns(home_.get(), CLONE_NEWNET) != 0) give_up_errno("setns");
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

private:
    drivers::FileDescriptor home_;
};

std::int64_t read_clock(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

drivers::FileDescriptor open_udp(const std::string& network_namespace, const SocketAddress& local) {
    const Visit visit{network_namespace};
    drivers::FileDescriptor fd{socket(local.ip.is_v4() ? AF_INET : AF_INET6,
                                      SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd.valid()) give_up_errno("socket");
    setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer_octets, sizeof buffer_octets);
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &buffer_octets, sizeof buffer_octets);
    const drivers::NativeAddress native = drivers::to_native(local);
    if (bind(fd.get(), native.get(), native.size) != 0) give_up_errno("bind " + local.to_string());
    return fd;
}

void connect_to(int fd, const SocketAddress& remote) {
    const drivers::NativeAddress native = drivers::to_native(remote);
    if (connect(fd, native.get(), native.size) != 0) {
        give_up_errno("connect " + remote.to_string());
    }
}

bool send_train(int fd, const SocketAddress* to, BytesView octets, std::size_t datagrams) {
    drivers::NativeAddress native;
    if (to != nullptr) native = drivers::to_native(*to);
    iovec part{const_cast<std::byte*>(octets.data()), octets.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
    msghdr message{};
    if (to != nullptr) {
        message.msg_name = native.get();
        message.msg_namelen = native.size;
    }
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (datagrams > 1) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* segment = CMSG_FIRSTHDR(&message);
        segment->cmsg_level = SOL_UDP;
        segment->cmsg_type = UDP_SEGMENT;
        segment->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
        const auto size = static_cast<std::uint16_t>(octets.size() / datagrams);
        std::memcpy(CMSG_DATA(segment), &size, sizeof size);
    }
    if (sendmsg(fd, &message, 0) >= 0) return true;
    // A refusal reported for an earlier datagram is not one for this: the loss is counted anyway.
    if (errno == EAGAIN || errno == ENOBUFS || errno == ECONNREFUSED) return false;
    give_up_errno("sendmsg");
}

std::int64_t steady_now() { return read_clock(CLOCK_MONOTONIC); }
std::int64_t wall_now() { return read_clock(CLOCK_REALTIME); }

void sleep_until(std::int64_t steady) {
    const timespec time{steady / 1'000'000'000, steady % 1'000'000'000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
}

}  // namespace stile::bench
