// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// Long cables between interfaces of this network namespace: a frame that leaves one end comes out
// of the other after a fixed time. For machines whose kernel has no netem.
//
//     stile_lab_cable --delay-ms 25 eth0:eth1 eth2:eth3
//
// It says "Ready" and goes on until it is told to end. Frames go with what the kernel leaves to an
// interface (checksums, segments to be cut), so that a batch stays one.
#include <stile/base/bytes.hpp>
#include <stile/drivers/file_descriptor.hpp>
#include <stile/drivers/loop.hpp>
#include <stile/drivers/os_error.hpp>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstdio>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace stile;

// On the way at once in one direction; what comes beyond is lost, as on a line whose queue is full.
constexpr std::size_t most_under_way = 20'000;
// Each frame begins with a virtio_net_hdr, whose header is C alone.
constexpr std::size_t most_frame_octets = 10 + ETH_HLEN + 65'535;
constexpr int socket_octets = 16 << 20;

[[noreturn]] void fail(std::string_view what) {
    throw std::runtime_error(drivers::os_error(what).text);
}

template <class Value>
void set(int fd, int level, int name, const Value& value) {
    if (setsockopt(fd, level, name, &value, sizeof value) != 0) fail("setsockopt");
}

// Everything that comes in at an interface, whomever it is for, and nothing that goes out.
drivers::FileDescriptor open_socket(const std::string& interface) {
    drivers::FileDescriptor fd{socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd.valid()) fail("packet socket");
    const unsigned index = if_nametoindex(interface.c_str());
    if (index == 0) fail(interface);
    set(fd.get(), SOL_PACKET, PACKET_VNET_HDR, 1);
    set(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    // Without the privilege the usual size has to do.
    for (const int name : {SO_RCVBUFFORCE, SO_SNDBUFFORCE}) {
        static_cast<void>(
            setsockopt(fd.get(), SOL_SOCKET, name, &socket_octets, sizeof socket_octets));
    }
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(index);
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fail(interface);
    }
    packet_mreq all{};
    all.mr_ifindex = static_cast<int>(index);
    all.mr_type = PACKET_MR_PROMISC;
    set(fd.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, all);
    return fd;
}

// From one socket to another.
class Direction {
public:
    Direction(drivers::Loop& loop, Duration delay, int from, int to)
        : loop_(loop),
          delay_(delay),
          from_(from),
          to_(to),
          timer_(loop, [this] { deliver(); }),
          watch_(loop, from, [this] { take(); }) {
        watch_.want_readable(drivers::Watch::Wanted::Yes);
    }

private:
    struct Frame {
        Instant due;
        Bytes octets;
    };

    void take() {
        std::array<std::byte, most_frame_octets> buffer;
        loop_.read_clock();
        for (;;) {
            const ssize_t size = recv(from_, buffer.data(), buffer.size(), MSG_DONTWAIT);
            if (size <= 0) break;
            if (under_way_.size() == most_under_way) continue;
            under_way_.push_back({loop_.now() + delay_, to_bytes(BytesView{buffer}.first(
                                                            static_cast<std::size_t>(size)))});
        }
        deliver();
    }

    void deliver() {
        while (!under_way_.empty() && under_way_.front().due <= loop_.now()) {
            const Bytes& octets = under_way_.front().octets;
            // An end that is down loses it.
            static_cast<void>(send(to_, octets.data(), octets.size(), MSG_DONTWAIT));
            under_way_.pop_front();
        }
        timer_.arm(under_way_.empty() ? std::nullopt : std::optional{under_way_.front().due});
    }

    drivers::Loop& loop_;
    Duration delay_;
    int from_;
    int to_;
    std::deque<Frame> under_way_;  // by due
    drivers::Timer timer_;
    drivers::Watch watch_;
};

class Cable {
public:
    Cable(drivers::Loop& loop, Duration delay, const std::string& left, const std::string& right)
        : left_(open_socket(left)),
          right_(open_socket(right)),
          there_(loop, delay, left_.get(), right_.get()),
          back_(loop, delay, right_.get(), left_.get()) {}

private:
    drivers::FileDescriptor left_;
    drivers::FileDescriptor right_;
    Direction there_;
    Direction back_;
};

}  // namespace

int main(int count, char** words) {
    CLI::App app{"Long cables between interfaces of this network namespace."};
    double delay_ms = 25;
    std::vector<std::string> pairs;
    app.add_option("--delay-ms", delay_ms, "each way")->check(CLI::Range(0.0, 10'000.0));
    app.add_option("cables", pairs, "INTERFACE:INTERFACE")->required();
    CLI11_PARSE(app, count, words);
    const auto delay =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>{delay_ms});
    try {
        drivers::Loop loop;
        std::vector<std::unique_ptr<Cable>> cables;
        for (const std::string& pair : pairs) {
            const std::size_t colon = pair.find(':');
            if (colon == std::string::npos) throw std::runtime_error(pair + ": no colon");
            cables.push_back(std::make_unique<Cable>(loop, delay, pair.substr(0, colon),
                                                     pair.substr(colon + 1)));
        }
        const drivers::Signals signals{loop, {SIGINT, SIGTERM}, [&](int) { loop.stop(); }};
        std::puts("Ready");
        std::fflush(stdout);
        loop.run();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
    return 0;
}
