// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
//
// A line between two programs on this machine, in user space: what one sends arrives at the other
// after a fixed time. Each candidate of one side is stood for by a socket that the other side is
// told of instead:
//
//     left                          the line                          right
//     127.0.0.1:5000 --> 127.0.0.1:7002 ....50 ms.... 127.0.0.1:7001 --> 127.0.0.1:6000
//                        (is 6000)                    (is 5000)
//
// It reads "left ADDRESS:PORT", "right ADDRESS:PORT" and "dead" (a socket from which nothing goes
// on), and writes for each the address to tell the other side. It ends with its input.
#include <stile/drivers/loop.hpp>
#include <stile/drivers/udp_socket.hpp>

#include <unistd.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <string>

namespace {

using namespace stile;

// On the way at once; what comes beyond is lost, as on a line whose queue is full.
constexpr std::size_t most_under_way = 10'000;
constexpr std::size_t most_sockets = 64;

enum class End : std::uint8_t { Left, Right, Dead };

class Line {
public:
    Line(drivers::Loop& loop, Duration delay)
        : loop_(loop), delay_(delay), timer_(loop, [this] { deliver(); }) {}

    // The address that stands for the other one, as the other end sees it.
    std::optional<SocketAddress> stand_in(End end, const SocketAddress& address) {
        if (sockets_.size() == most_sockets) return std::nullopt;
        auto socket = drivers::UdpSocket::open(loop_, {IpAddress::v4(0x7F000001), Port{0}});
        if (!socket) return std::nullopt;
        (*socket)->on_datagrams(
            [this, at = sockets_.size()](std::span<const drivers::Datagram> batch) {
                for (const drivers::Datagram& datagram : batch) take(at, datagram);
            });
        sockets_.push_back({end, address, *std::move(socket)});
        return sockets_.back().socket->local_address();
    }

private:
    struct StandIn {
        End end;
        SocketAddress address;
        std::unique_ptr<drivers::UdpSocket> socket;
    };
    struct UnderWay {
        Instant due;
        std::size_t by;  // the socket that stands for the sender
        SocketAddress to;
        Bytes payload;
    };

    void take(std::size_t at, const drivers::Datagram& datagram) {
        const StandIn& target = sockets_[at];
        if (target.end == End::Dead || under_way_.size() == most_under_way) return;
        const auto sender = std::ranges::find_if(sockets_, [&](const StandIn& each) {
            return each.end != target.end && each.address == datagram.path.remote;
        });
        if (sender == sockets_.end()) return;
        under_way_.push_back({loop_.now() + delay_,
                              static_cast<std::size_t>(sender - sockets_.begin()), target.address,
                              to_bytes(datagram.payload)});
        timer_.arm(under_way_.front().due);
    }

    void deliver() {
        while (!under_way_.empty() && under_way_.front().due <= loop_.now()) {
            const UnderWay next = std::move(under_way_.front());
            under_way_.pop_front();
            drivers::UdpSocket& socket = *sockets_[next.by].socket;
            socket.send(Transmit{{socket.local_address(), next.to}, next.payload});
        }
        timer_.arm(under_way_.empty() ? std::nullopt : std::optional{under_way_.front().due});
    }

    drivers::Loop& loop_;
    Duration delay_;
    drivers::Timer timer_;
    std::vector<StandIn> sockets_;
    std::deque<UnderWay> under_way_;  // by due
};

// One word and an address a line; the answer is one line.
void answer(Line& line, const std::string& text) {
    const std::size_t space = text.find(' ');
    const std::string word = text.substr(0, space);
    const auto address =
        SocketAddress::parse(space == std::string::npos ? "" : text.substr(space + 1));
    std::optional<SocketAddress> told;
    if (word == "dead") {
        told = line.stand_in(End::Dead, {});
    } else if (address && (word == "left" || word == "right")) {
        told = line.stand_in(word == "left" ? End::Left : End::Right, *address);
    }
    std::puts(told ? told->to_string().c_str() : "error");
    std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
    CLI::App app{"A line with a delay between programs on this machine."};
    double delay_ms = 50;
    app.add_option("--delay-ms", delay_ms, "each way")->check(CLI::Range(0.0, 10'000.0));
    CLI11_PARSE(app, count, words);
    drivers::Loop loop;
    Line line{loop, std::chrono::duration_cast<Duration>(
                        std::chrono::duration<double, std::milli>{delay_ms})};
    std::string input;
    drivers::Watch watch{loop, STDIN_FILENO, [&] {
                             std::array<char, 4096> buffer{};
                             const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
                             if (size <= 0) {
                                 watch.want_readable(drivers::Watch::Wanted::No);
                                 return loop.stop();
                             }
                             input.append(buffer.data(), static_cast<std::size_t>(size));
                             for (auto at = input.find('\n'); at != std::string::npos;
                                  at = input.find('\n')) {
                                 answer(line, input.substr(0, at));
                                 input.erase(0, at + 1);
                             }
                         }};
    watch.want_readable(drivers::Watch::Wanted::Yes);
    loop.run();
    return 0;
}
