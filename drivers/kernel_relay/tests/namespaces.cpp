// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "namespaces.hpp"

#include <stile/drivers/native_address.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace stile::drivers::kernel::testing {

namespace {

FileDescriptor here() {
    return FileDescriptor{open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
}

}  // namespace

std::optional<Namespace> Namespace::make() {
    const auto before = here();
    if (unshare(CLONE_NEWNET) != 0) return std::nullopt;
    auto made = here();
    REQUIRE(setns(before.get(), CLONE_NEWNET) == 0);
    Namespace result{std::move(made)};
    result.ip("link set lo up");
    return result;
}

Namespace::Inside::Inside(const Namespace& wanted) : before_(here()) {
    REQUIRE(setns(wanted.fd_.get(), CLONE_NEWNET) == 0);
}

Namespace::Inside::~Inside() {
    if (setns(before_.get(), CLONE_NEWNET) != 0) std::abort();
}

void Namespace::ip(const std::string& arguments) const {
    const Inside inside{*this};
    CAPTURE(arguments);
    REQUIRE(std::system(("ip " + arguments).c_str()) == 0);
}

std::string Namespace::path() const {
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get());
}

void set_feature(const Namespace& where, const std::string& interface, Feature what, Switch to) {
    const Namespace::Inside inside{where};
    const FileDescriptor socket_fd{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    ethtool_value value{};
    value.cmd = what == Feature::Gro ? ETHTOOL_SGRO : ETHTOOL_STXCSUM;
    value.data = to == Switch::On ? 1 : 0;
    ifreq request{};
    std::strncpy(request.ifr_name, interface.c_str(), IFNAMSIZ - 1);
    request.ifr_data = reinterpret_cast<char*>(&value);
    REQUIRE(ioctl(socket_fd.get(), SIOCETHTOOL, &request) == 0);
}

Socket::Socket(const Namespace& where, const SocketAddress& local) {
    const Namespace::Inside inside{where};
    const auto native = to_native(local);
    fd_.reset(socket(native.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(fd_.get(), native.get(), native.size) == 0);
}

void Socket::send(const SocketAddress& to, BytesView payload) {
    const auto native = to_native(to);
    REQUIRE(sendto(fd_.get(), payload.data(), payload.size(), 0, native.get(), native.size) ==
            static_cast<ssize_t>(payload.size()));
}

std::optional<std::pair<SocketAddress, Bytes>> Socket::receive() {
    pollfd wait{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, 2000) != 1) return std::nullopt;
    Bytes buffer(65536);
    NativeAddress from;
    const auto got = recvfrom(fd_.get(), buffer.data(), buffer.size(), 0, from.get(), &from.size);
    if (got < 0) return std::nullopt;
    buffer.resize(static_cast<std::size_t>(got));
    return std::pair{from_native(from.storage), std::move(buffer)};
}

bool Socket::is_empty() {
    pollfd wait{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    return poll(&wait, 1, 0) == 0;
}

}  // namespace stile::drivers::kernel::testing
