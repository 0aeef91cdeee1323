// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "send_queue.hpp"
#include "set_buffers.hpp"
#include "wake_pace.hpp"

#include <stile/drivers/udp_socket_set.hpp>
#include <stile/drivers/watch_group.hpp>

#include <optional>
#include <utility>
#include <vector>

namespace stile::drivers {

struct UdpSocketSet::Impl {
    struct Slot {
        int fd = -1;
        std::uint32_t generation = 0;
        std::uint64_t tag = 0;
        SocketAddress local;
        std::uint32_t receive_buffer = 0;
        std::uint32_t send_buffer = 0;
        std::uint32_t ready_in = 0;  // the round
        Senders senders = Senders::Few;
        std::optional<Fragmentation> fragmentation;  // what the kernel was told
        bool wildcard = false;
        bool reports_icmp = false;
        bool offloads = true;
        bool segments = true;   // UDP_SEGMENT works
        bool receives = false;  // what concerns receiving is set up
        bool sends = false;     // what concerns sending is set up
    };

    Impl(Loop& owner, Handlers callbacks)
        : loop(owner),
          handlers(std::move(callbacks)),
          pace(owner.now()),
          group(
              owner, [this](const WatchGroup::Ready& ready) { serve(ready); },
              [this] { end_round(); }) {}

    Slot* find(Id id) {
        if (id.place >= slots.size()) return nullptr;
        Slot& slot = slots[id.place];
        return slot.generation == id.generation && slot.fd >= 0 ? &slot : nullptr;
    }
    Id add(FileDescriptor socket, const SocketAddress& local, const Options& options);
    FileDescriptor remove(Id id);
    void set_up_receiving(Slot& slot);
    void set_up_sending(Slot& slot);
    void serve(const WatchGroup::Ready& ready);
    // False once the socket is empty or gone.
    bool receive(Id id, std::size_t most);
    void end_round();
    void read_errors(Id id);
    // udp_socket_set_sending.cpp
    void send(const Departure& departure);
    void send_copy(const Departure& departure);
    void flush();
    // Sends this run and perhaps others after it; how many.
    std::size_t send_runs(std::size_t first);
    void handle_failure(Slot& slot, std::size_t run);
    void send_singly(const Slot& slot, std::size_t run);
    void count_sent(std::size_t first, std::size_t runs);
    void count_failure(int code, std::size_t datagrams);

    Loop& loop;
    Handlers handlers;
    std::vector<Slot> slots;
    std::vector<std::uint32_t> free_places;
    SetBuffers buffers;
    SendQueue queue;
    std::vector<std::byte> copies;  // of most_copied octets, of which so many are in use
    std::size_t copied = 0;
    UdpSetCounters counters;
    WakePace pace;
    std::uint32_t round = 1;
    std::size_t messages_in_round = 0;
    WatchGroup group;
};

}  // namespace stile::drivers
