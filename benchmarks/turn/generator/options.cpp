// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace stile::bench {
namespace {

constexpr const char* usage =
    "usage: bench_turn relay|allocate|binding|memory --server ADDRESS:PORT --client IP[,IP...]\n"
    "  --peer IP               where the other end of relay is\n"
    "  --relay IP              the server's address on the peers' side, if it is another\n"
    "  --user NAME[,NAME...] --password TEXT    one password for all\n"
    "  --way turn|bare|direct|drop      through a TURN server, through bench_turn_bare, straight\n"
    "                          into sockets at the server's place, or to its discard port\n"
    "  --direction up|down     client to peer, or peer to client\n"
    "  --flows N --payload OCTETS --train N\n"
    "  --rate PACKETS_PER_SECOND|max    --window PACKETS (of max)\n"
    "  --tick MICROSECONDS     how often what is due is sent (50)\n"
    "  --warm-up SECONDS --seconds SECONDS\n"
    "  --latency               measure it (costs CPU)\n"
    "  --answer stun|echo      what binding expects\n"
    "  --counts N[,N...]       allocations of allocate (the first) and memory\n"
    "  --client-netns PATH --server-netns PATH --peer-netns PATH\n"
    "  --pid N[,N...]          processes of the server\n";

[[noreturn]] void refuse(std::string_view word) {
    std::fprintf(stderr, "not understood: %.*s\n%s", static_cast<int>(word.size()), word.data(),
                 usage);
    std::exit(2);
}

template <class Number>
Number number(std::string_view text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) refuse(text);
    return value;
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t comma = text.find(',');
        parts.push_back(text.substr(0, comma));
        if (comma == std::string_view::npos) return parts;
        text.remove_prefix(comma + 1);
    }
}

IpAddress address(std::string_view text) {
    const std::optional<IpAddress> parsed = IpAddress::parse(text);
    if (!parsed) refuse(text);
    return *parsed;
}

template <class Value>
struct Choice {
    std::string_view word;
    Value value;
};

template <class Value>
Value choose(std::string_view word, std::initializer_list<Choice<Value>> choices) {
    for (const Choice<Value>& choice : choices) {
        if (choice.word == word) return choice.value;
    }
    refuse(word);
}

Mode parse_mode(std::string_view word) {
    return choose<Mode>(word, {{"relay", Mode::Relay},
                               {"allocate", Mode::Allocate},
                               {"binding", Mode::Binding},
                               {"memory", Mode::Memory}});
}

Way parse_way(std::string_view word) {
    return choose<Way>(
        word,
        {{"turn", Way::Turn}, {"bare", Way::Bare}, {"direct", Way::Direct}, {"drop", Way::Drop}});
}

// Where packets come from and go to; false if the key is another.
bool set_place(Options& options, std::string_view key, std::string_view value) {
    if (key == "--server") {
        const auto parsed = SocketAddress::parse(value);
        if (!parsed) refuse(value);
        options.server = *parsed;
    } else if (key == "--client") {
        for (const std::string_view part : split(value)) options.clients.push_back(address(part));
    } else if (key == "--peer") {
        options.peer = address(value);
    } else if (key == "--relay") {
        options.relay = address(value);
    } else if (key == "--client-netns") {
        options.client_namespace = value;
    } else if (key == "--server-netns") {
        options.server_namespace = value;
    } else if (key == "--peer-netns") {
        options.peer_namespace = value;
    } else if (key == "--user") {
        for (const auto part : split(value)) options.usernames.emplace_back(part);
    } else if (key == "--password") {
        options.password = value;
    } else if (key == "--pid") {
        for (const auto part : split(value)) options.server_processes.push_back(number<int>(part));
    } else {
        return false;
    }
    return true;
}

void set_load(Options& options, std::string_view key, std::string_view value) {
    if (key == "--way") {
        options.way = parse_way(value);
    } else if (key == "--direction") {
        options.direction =
            choose<Direction>(value, {{"up", Direction::Up}, {"down", Direction::Down}});
    } else if (key == "--answer") {
        options.answer = choose<Options::Answer>(
            value, {{"stun", Options::Answer::Stun}, {"echo", Options::Answer::Echo}});
    } else if (key == "--flows") {
        options.flows = number<std::size_t>(value);
    } else if (key == "--payload") {
        options.payload = number<std::size_t>(value);
    } else if (key == "--train") {
        options.train = number<std::size_t>(value);
    } else if (key == "--window") {
        options.window = number<std::size_t>(value);
    } else if (key == "--rate") {
        if (value != "max") options.rate = number<double>(value);
    } else if (key == "--tick") {
        options.tick = std::chrono::microseconds{number<std::int64_t>(value)};
    } else if (key == "--warm-up") {
        options.warm_up = std::chrono::duration<double>{number<double>(value)};
    } else if (key == "--seconds") {
        options.measured = std::chrono::duration<double>{number<double>(value)};
    } else if (key == "--counts") {
        for (const auto part : split(value)) options.counts.push_back(number<std::size_t>(part));
    } else {
        refuse(key);
    }
}

}  // namespace

Options parse_options(std::vector<std::string_view> words) {
    if (words.empty()) refuse("nothing");
    if (words.front() == "--help") {
        std::fputs(usage, stdout);
        std::exit(0);
    }
    Options options;
    options.mode = parse_mode(words.front());
    for (std::size_t i = 1; i < words.size(); ++i) {
        if (words[i] == "--latency") {
            options.latency = Options::Latency::Measured;
            continue;
        }
        if (i + 1 == words.size()) refuse(words[i]);
        const std::string_view value = words[i + 1];
        if (!set_place(options, words[i], value)) set_load(options, words[i], value);
        ++i;
    }
    if (options.clients.empty()) refuse("no --client");
    if (options.usernames.empty()) options.usernames.emplace_back("alice");
    if (options.tick.count() < 1) refuse("--tick");
    if (options.flows == 0 || options.train == 0 || options.train > 64) refuse("a count");
    return options;
}

void give_up(const std::string& why) {
    std::fprintf(stderr, "bench_turn: %s\n", why.c_str());
    std::exit(1);
}

void give_up_errno(const std::string& what) { give_up(what + ": " + std::strerror(errno)); }

}  // namespace stile::bench
