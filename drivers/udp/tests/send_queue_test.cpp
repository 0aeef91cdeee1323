// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "../src/send_queue.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace stile;
using namespace stile::drivers;

namespace {

using Queue = SendQueue;

SocketAddress at(std::string_view text) { return *SocketAddress::parse(text); }

std::string text_of(const msghdr& message) {
    std::string text;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
        text.append(static_cast<const char*>(message.msg_iov[i].iov_base),
                    message.msg_iov[i].iov_len);
    }
    return text;
}

void add(Queue& queue, std::uint32_t socket, std::string_view to, std::string_view text,
         UdpSocketSet::Fragmentation fragmentation = UdpSocketSet::Fragmentation::Allowed) {
    queue.add({.from = {socket, 1},
               .path = {{}, at(to)},
               .prefix = {},
               .payload = as_bytes(text),
               .fragmentation = fragmentation},
              Queue::Source::OfSocket, Queue::Merging::On);
}

}  // namespace

TEST_CASE("send queue: flows that come by turns are a run each") {
    Queue queue;
    for (const std::string_view text : {"aaaa", "bbbb", "cc"}) {
        add(queue, 1, "192.0.2.1:1000", text);
        add(queue, 1, "192.0.2.1:1001", text);
        add(queue, 2, "192.0.2.1:1000", text);
    }
    queue.build();
    REQUIRE(queue.runs() == 3);
    for (std::size_t run = 0; run < 3; ++run) {
        CHECK(queue.count(run) == 3);
        CHECK(queue.segment_size(run) == 4);
        CHECK(text_of(queue.message(run).msg_hdr) == "aaaabbbbcc");
        CHECK(text_of(queue.single(run, 1)) == "bbbb");
        CHECK(queue.single(run, 2).msg_controllen == 0);
    }
    CHECK(queue.sendable_together(0) == 2);
    CHECK(queue.sendable_together(2) == 1);
}

TEST_CASE("send queue: nothing overtakes what its flow sent before") {
    Queue queue;
    for (const std::string_view text : {"aaaa", "bb", "cc", "dddd", "ee"}) {
        add(queue, 1, "192.0.2.1:1000", text);
        add(queue, 1, "[2001:db8::1]:1000", text);
    }
    queue.build();
    std::string v4;
    std::string v6;
    for (std::size_t run = 0; run < queue.runs(); ++run) {
        const msghdr& message = queue.message(run).msg_hdr;
        (message.msg_namelen == sizeof(sockaddr_in) ? v4 : v6) += text_of(message);
    }
    CHECK(queue.runs() == 6);
    CHECK(v4 == "aaaabbccddddee");
    CHECK(v6 == v4);
}

TEST_CASE("send queue: what DF keeps apart is neither one run nor one call") {
    Queue queue;
    add(queue, 1, "192.0.2.1:1000", "aaaa");
    add(queue, 1, "192.0.2.1:1000", "bbbb", UdpSocketSet::Fragmentation::Forbidden);
    queue.build();
    CHECK(queue.runs() == 2);
    CHECK(queue.sendable_together(0) == 1);
}

TEST_CASE("send queue: a cleared queue remembers no flow") {
    Queue queue;
    add(queue, 1, "192.0.2.1:1000", "aaaa");
    queue.clear();
    CHECK(queue.empty());
    add(queue, 2, "192.0.2.1:1000", "bbbb");
    add(queue, 1, "192.0.2.1:1000", "cccc");
    queue.build();
    REQUIRE(queue.runs() == 2);
    CHECK(text_of(queue.message(0).msg_hdr) == "bbbb");
    CHECK(text_of(queue.message(1).msg_hdr) == "cccc");
}

TEST_CASE("send queue: full at its limit") {
    Queue queue;
    for (std::size_t i = 0; i < most_messages_a_round; ++i) {
        CHECK_FALSE(queue.full());
        add(queue, static_cast<std::uint32_t>(i), "192.0.2.1:1000", "x");
    }
    CHECK(queue.full());
    CHECK(queue.has({most_messages_a_round - 1, 1}));
    CHECK_FALSE(queue.has({0, 2}));
}
