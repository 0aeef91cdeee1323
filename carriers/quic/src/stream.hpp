// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/quic/event.hpp>
#include "receive_buffer.hpp"
#include "send_queue.hpp"

namespace stile::quic {

// Our message of a stream.
enum class Sending : std::uint8_t {
    NotBegun,  // a server that has not responded yet
    Body,      // the head is out, the body goes on
    Ended,     // all is queued
    Gone,      // given up, by us or by the peer
};

// The peer's message of a stream.
enum class Receiving : std::uint8_t {
    Open,
    Ended,
    Discarded,  // given up: what still arrives is dropped
};

// A field section while it is read.
struct FieldSection {
    RequestHead request;
    std::uint16_t status = 0;
    std::vector<Field> fields;
    std::size_t octets = 0;
};

struct Stream {
    Sending sending = Sending::NotBegun;
    Receiving receiving = Receiving::Open;
    FieldSection section;
    std::size_t informational_responses = 0;
    ReceiveBuffer received;
    SendQueue outgoing;
    std::vector<Field> trailers;
    bool body_event_queued = false;
    bool writable_wanted = false;  // a push was refused, or filled the queue
    bool writable_event_queued = false;
    bool reset_told = false;
    bool transport_closed = false;
    bool closed_event_queued = false;
};

}  // namespace stile::quic
