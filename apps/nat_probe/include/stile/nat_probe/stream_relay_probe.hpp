// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/connect/connector.hpp>
#include <stile/nat_probe/diagnosis.hpp>
#include <stile/turn_link/turn_link.hpp>

#include <string>

namespace stile::nat_probe {

// Asks a relay over TCP or TLS for an address, and gives it back. Begins at once; a caller sets the
// limit.
class StreamRelayProbe {
public:
    // `names` must outlive this. Requires: server.transport is Tcp or Tls.
    StreamRelayProbe(drivers::Loop& loop, drivers::NameService& names,
                     const connect::TurnServer& server, std::string ca_pem);

    bool done() const { return findings_.took || findings_.failure; }
    const NetworkFindings::StreamRelay& findings() const { return findings_; }

private:
    drivers::Loop& loop_;
    Instant begun_;
    NetworkFindings::StreamRelay findings_;
    turn_link::TurnLink link_;
};

}  // namespace stile::nat_probe
