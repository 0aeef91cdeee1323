// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// usage: bench_ice_consent AGENTS SIMULATED_SECONDS REAL_SECONDS
//
// So many agents on one port, connected under one pacer, keep their consent: first in simulated
// time, then from there on in real time over loopback, where their peers are in another process at
// an address each. How late the latest consent request left is what comes out. Status 1 if that is
// more than a second, or a consent was lost.
#include "side.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <string_view>

namespace {

using namespace bench;
using namespace std::chrono_literals;

const SocketAddress ours{IpAddress::v4({127, 0, 0, 1}), Port{47900}};
constexpr Port peers_port{47901};

SocketAddress peer_address(std::size_t index) {
    return {IpAddress::v4(0x7F010000U + static_cast<std::uint32_t>(index) + 1), peers_port};
}

double processor_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// ---- simulated -------------------------------------------------------------------------------

struct Flying {
    Instant when;
    Side* to;
    Path path;
    Bytes payload;
};

void introduce(Instant now, Side& left, Side& right) {
    for (std::size_t i = 0; i < left.size(); ++i) {
        ice::Agent& a = left.agent(i);
        ice::Agent& b = right.agent(i);
        const auto of_a = a.add_local_candidate(now, ice::host_candidate(ours));
        const auto of_b = b.add_local_candidate(now, ice::host_candidate(peer_address(i)));
        if (!of_a || !of_b) std::abort();
        if (!a.set_remote_credentials(now, b.local_credentials())) std::abort();
        if (!b.set_remote_credentials(now, a.local_credentials())) std::abort();
        if (!a.add_remote_candidate(now, *of_b) || !b.add_remote_candidate(now, *of_a))
            std::abort();
        for (ice::Agent* agent : {&a, &b}) {
            agent->end_of_local_candidates(now);
            agent->end_of_remote_candidates(now);
        }
        left.flush(now, i);
        right.flush(now, i);
    }
}

// Until all are connected, and so much longer.
void simulate(Instant& now, Side& left, Side& right, std::deque<Flying>& flying, Duration more) {
    std::optional<Instant> end;
    double connected_at = 0;
    while (!end || now < *end) {
        auto next = earlier(left.poll_timeout(), right.poll_timeout());
        if (!flying.empty()) next = earlier(next, flying.front().when);
        if (!next) std::abort();
        now = std::max(now, *next);
        while (!flying.empty() && flying.front().when <= now) {
            const Flying one = std::move(flying.front());
            flying.pop_front();
            one.to->handle_datagram(now, one.path, one.payload);
        }
        left.handle_timeout(now, [](Duration) {});
        right.handle_timeout(now, [](Duration) {});
        static std::uint64_t rounds = 0;
        if (!end && ++rounds % 1000 == 0 && left.completed() == left.size() &&
            right.completed() == right.size()) {
            std::printf("connected: %zu agents, one check in 5 ms: %.0f s simulated\n", left.size(),
                        std::chrono::duration<double>(now - Instant{}).count());
            connected_at = processor_seconds();
            end = now + more;
        }
    }
    const double spent = processor_seconds() - connected_at;
    std::printf(
        "simulated: %.0f s of consent of %zu agents and their peers cost %.2f s of a processor\n",
        std::chrono::duration<double>(more).count(), left.size(), spent);
}

// ---- real ------------------------------------------------------------------------------------

sockaddr_in to_system(const SocketAddress& address) {
    sockaddr_in made{};
    made.sin_family = AF_INET;
    made.sin_port = htons(address.port.value);
    std::memcpy(&made.sin_addr, address.ip.octets().data(), 4);
    return made;
}

IpAddress from_system(const in_addr& address) { return IpAddress::v4(ntohl(address.s_addr)); }

class Socket {
public:
    explicit Socket(const SocketAddress& address) : fd_(socket(AF_INET, SOCK_DGRAM, 0)) {
        const int on = 1;
        const int room = 4 << 20;
        setsockopt(fd_, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
        setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
        const sockaddr_in name = to_system(address);
        if (bind(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
            std::perror("bind");
            std::exit(1);
        }
    }
    int fd() const { return fd_; }

    void send(const Path& path, BytesView payload) const {
        sockaddr_in to = to_system(path.remote);
        iovec part{const_cast<std::byte*>(payload.data()), payload.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in_pktinfo))> control{};
        msghdr message{};
        message.msg_name = &to;
        message.msg_namelen = sizeof to;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = IPPROTO_IP;
        header->cmsg_type = IP_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
        in_pktinfo source{};
        std::memcpy(&source.ipi_spec_dst, path.local.ip.octets().data(), 4);
        std::memcpy(CMSG_DATA(header), &source, sizeof source);
        (void)sendmsg(fd_, &message, MSG_DONTWAIT);
    }

    bool receive(Port port, auto&& arrived) const {
        std::array<std::byte, 1500> buffer;
        sockaddr_in from{};
        iovec part{buffer.data(), buffer.size()};
        alignas(cmsghdr) std::array<char, 128> control{};
        msghdr message{};
        message.msg_name = &from;
        message.msg_namelen = sizeof from;
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t size = recvmsg(fd_, &message, MSG_DONTWAIT);
        if (size < 0) return false;
        in_pktinfo info{};
        for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr;
             one = CMSG_NXTHDR(&message, one)) {
            if (one->cmsg_type == IP_PKTINFO) std::memcpy(&info, CMSG_DATA(one), sizeof info);
        }
        const Path path{.local = {from_system(info.ipi_addr), port},
                        .remote = {from_system(from.sin_addr), Port{ntohs(from.sin_port)}}};
        arrived(path, BytesView{buffer}.first(static_cast<std::size_t>(size)));
        return true;
    }

private:
    int fd_;
};

// Until then, from the moment of the simulation on.
std::vector<Duration> live(Side& side, const Socket& socket, Port port, Instant begin,
                           Duration how_long) {
    std::vector<Duration> late;
    late.reserve(4'000'000);
    const auto zero = std::chrono::steady_clock::now();
    const auto now = [&] { return begin + Duration{std::chrono::steady_clock::now() - zero}; };
    side.send_by([&](const Path& path, BytesView payload) { socket.send(path, payload); });
    while (now() < begin + how_long) {
        const auto next = side.poll_timeout();
        const Duration wait = next ? std::max(*next - now(), Duration::zero()) : Duration{1s};
        pollfd ready{socket.fd(), POLLIN, 0};
        const timespec limit{static_cast<time_t>(wait / 1s),
                             static_cast<long>((wait % 1s).count())};
        (void)ppoll(&ready, 1, &limit, nullptr);
        for (int i = 0; i < 64; ++i) {
            if (!socket.receive(port, [&](const Path& path, BytesView payload) {
                    side.handle_datagram(now(), path, payload);
                })) {
                break;
            }
        }
        side.handle_timeout(now(), [&](Duration lateness) { late.push_back(lateness); });
    }
    return late;
}

double milliseconds(Duration duration) {
    return std::chrono::duration<double, std::milli>(duration).count();
}

int measure(Side& left, const Socket& socket, Instant now, Duration how_long) {
    const double before = processor_seconds();
    const std::uint64_t sent = left.sent;
    auto late = live(left, socket, ours.port, now, how_long);
    const double spent = processor_seconds() - before;
    const double seconds = std::chrono::duration<double>(how_long).count();
    if (late.empty()) return 1;
    std::sort(late.begin(), late.end());
    const std::size_t rank = late.size() * 99 / 100;
    std::printf("real: %.0f s, %zu consent requests, %llu datagrams sent, %.1f %% of a processor\n",
                seconds, late.size(), static_cast<unsigned long long>(left.sent - sent),
                100 * spent / seconds);
    std::printf("lateness of a consent request: median %.2f ms, 99 %% %.2f ms, latest %.2f ms\n",
                milliseconds(late[late.size() / 2]), milliseconds(late[rank]),
                milliseconds(late.back()));
    std::printf("at the end: %zu of %zu connected, %llu consents lost, %llu datagrams for nobody\n",
                left.completed(), left.size(), static_cast<unsigned long long>(left.expired),
                static_cast<unsigned long long>(left.unrouted));
    const bool good = left.completed() == left.size() && left.expired == 0 && late.back() <= 1s;
    return good ? 0 : 1;
}

int number(std::string_view text) {
    int value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) {
        std::exit(2);
    }
    return value;
}

}  // namespace

int main(int count, char** words) {
    if (count != 4) return 2;
    const auto agents = static_cast<std::size_t>(number(words[1]));
    const Duration simulated = std::chrono::seconds{number(words[2])};
    const Duration real = std::chrono::seconds{number(words[3])};
    std::setvbuf(stdout, nullptr, _IOLBF, 0);

    std::deque<Flying> flying;
    Instant now{};
    Side* sides[2] = {};
    const auto fly_to = [&](std::size_t index) {
        return [&, index](const Path& path, BytesView payload) {
            flying.push_back({now + 20ms,
                              sides[index],
                              {.local = path.remote, .remote = path.local},
                              to_bytes(payload)});
        };
    };
    Side left{ice::Role::Controlling, 1, now, agents, fly_to(1)};
    Side right{ice::Role::Controlled, 1'000'000, now, agents, fly_to(0)};
    sides[0] = &left;
    sides[1] = &right;
    introduce(now, left, right);
    simulate(now, left, right, flying, simulated);

    const Socket our_socket{ours};
    const Socket their_socket{{IpAddress::v4(0U), peers_port}};
    const pid_t child = fork();
    if (child == 0) {
        (void)live(right, their_socket, peers_port, now, real + 1s);
        _exit(0);
    }
    const int status = measure(left, our_socket, now, real);
    (void)waitpid(child, nullptr, 0);
    return status;
}
