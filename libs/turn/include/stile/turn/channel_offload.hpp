// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/turn/relay.hpp>

namespace stile::turn {

// A channel that a faster path than the server may serve: ChannelData of the flow to the peer, and
// what the peer sends to the relay as ChannelData to the flow. Comes again when `until` or the
// flow changes, which replaces what was said before. Never for streams, nor for peers that are
// relays of this host. RFC 8656 Section 12.
struct ChannelOpened {
    RelayId relay;
    ClientFlow flow;
    ChannelNumber channel;
    SocketAddress relayed;  // as peers see it
    SocketAddress peer;
    Instant until;  // the earlier end of channel and permission; then it ends without a word
};

// Nothing of this channel may bypass the server any more. Comes once for every channel that was
// opened, at the latest when its allocation ends; also while the user is over a rate.
struct ChannelClosed {
    RelayId relay;
    ChannelNumber channel;
};

}  // namespace stile::turn
