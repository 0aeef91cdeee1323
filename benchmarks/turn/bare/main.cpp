// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// The least that a relay in user space can do, as the floor to compare with: one recvfrom and one
// sendto a datagram, no TURN, no permissions, no lifetimes.
//
// usage: bench_turn_bare echo IP PORT | relay IP PORT FLOWS RELAY_IP PEER_IP PEER_PORT
// Channel 0x4000 + n of whoever sent on it last is relayed from port PORT + 1 + n of RELAY_IP.
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t header_octets = 4;
constexpr std::uint16_t first_channel = 0x4000;
constexpr int buffer_octets = 4 << 20;

struct Flow {
    int relay = -1;
    sockaddr_in client{};
    sockaddr_in peer{};
};

int open_udp(const char* ip, std::uint16_t port) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_octets, sizeof buffer_octets);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_octets, sizeof buffer_octets);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (inet_pton(AF_INET, ip, &address.sin_addr) != 1 ||
        bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        std::perror("bench_turn_bare: bind");
        std::exit(1);
    }
    return fd;
}

ssize_t receive(int fd, std::byte* buffer, std::size_t size, sockaddr_in& source) {
    socklen_t octets = sizeof source;
    return recvfrom(fd, buffer, size, 0, reinterpret_cast<sockaddr*>(&source), &octets);
}

void send(int fd, const std::byte* buffer, std::size_t size, const sockaddr_in& to) {
    // What cannot be sent is lost, and the generator counts it.
    [[maybe_unused]] const ssize_t sent =
        sendto(fd, buffer, size, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

[[noreturn]] void echo(int fd) {
    std::array<std::byte, 2048> buffer{};
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    const int poll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    while (true) {
        epoll_wait(poll, &event, 1, -1);
        sockaddr_in source{};
        for (ssize_t size = 0; (size = receive(fd, buffer.data(), buffer.size(), source)) >= 0;) {
            send(fd, buffer.data(), static_cast<std::size_t>(size), source);
        }
    }
}

[[noreturn]] void relay(int listener, std::vector<Flow>& flows) {
    std::array<std::byte, 2048> buffer{};
    std::byte* const payload = buffer.data() + header_octets;
    const int poll = epoll_create1(EPOLL_CLOEXEC);
    const auto watch = [poll](int fd, std::uint64_t tag) {
        epoll_event event{.events = EPOLLIN, .data = {.u64 = tag}};
        epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
    };
    watch(listener, flows.size());
    for (std::size_t i = 0; i < flows.size(); ++i) watch(flows[i].relay, i);
    std::array<epoll_event, 64> events{};
    while (true) {
        const int ready = epoll_wait(poll, events.data(), events.size(), -1);
        for (int i = 0; i < ready; ++i) {
            const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
            sockaddr_in source{};
            ssize_t size = 0;
            if (tag < flows.size()) {
                Flow& flow = flows[tag];
                while ((size = receive(flow.relay, payload, buffer.size() - header_octets,
                                       source)) >= 0) {
                    const std::uint16_t header[] = {
                        htons(static_cast<std::uint16_t>(first_channel + tag)),
                        htons(static_cast<std::uint16_t>(size))};
                    std::memcpy(buffer.data(), header, header_octets);
                    send(listener, buffer.data(), static_cast<std::size_t>(size) + header_octets,
                         flow.client);
                }
                continue;
            }
            while ((size = receive(listener, buffer.data(), buffer.size(), source)) >= 0) {
                std::uint16_t channel = 0;
                std::memcpy(&channel, buffer.data(), sizeof channel);
                const std::size_t at = static_cast<std::size_t>(ntohs(channel) - first_channel);
                if (size < static_cast<ssize_t>(header_octets) || at >= flows.size()) continue;
                flows[at].client = source;
                send(flows[at].relay, payload, static_cast<std::size_t>(size) - header_octets,
                     flows[at].peer);
            }
        }
    }
}

}  // namespace

int main(int count, char** words) {
    if (count < 4) {
        std::fputs(
            "usage: bench_turn_bare echo IP PORT | relay IP PORT FLOWS RELAY_IP PEER_IP "
            "PEER_PORT\n",
            stderr);
        return 2;
    }
    const auto port = static_cast<std::uint16_t>(std::strtoul(words[3], nullptr, 10));
    const int listener = open_udp(words[2], port);
    if (std::string_view{words[1]} == "echo") {
        std::puts("ready");
        std::fflush(stdout);
        echo(listener);
    }
    if (count < 8) return 2;
    std::vector<Flow> flows(std::strtoul(words[4], nullptr, 10));
    for (std::size_t i = 0; i < flows.size(); ++i) {
        flows[i].relay = open_udp(words[5], static_cast<std::uint16_t>(port + 1 + i));
        flows[i].peer.sin_family = AF_INET;
        inet_pton(AF_INET, words[6], &flows[i].peer.sin_addr);
        flows[i].peer.sin_port =
            htons(static_cast<std::uint16_t>(std::strtoul(words[7], nullptr, 10)));
    }
    std::puts("ready");
    std::fflush(stdout);
    relay(listener, flows);
}
