// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstdint>

namespace stile::sim {

// The behaviours of RFC 4787, by its names.

// Section 4.1: when a new destination gets the external port that an earlier one has.
enum class Mapping : std::uint8_t {
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
};

// Section 5: which outside endpoints may send to a mapping.
enum class Filtering : std::uint8_t {
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
};

// Section 4.2.1. No external port is ever given to two mappings at once ("overloading").
enum class PortAssignment : std::uint8_t {
    Preserving,  // the internal port; the next free one if it is taken
    Sequential,
    Random,
};

// Section 4.2.2.
enum class PortParity : std::uint8_t { Ignored, Preserved };

// Section 6. With a source shown as it is inside, or as it is outside. The filter of the mapping
// that is sent to sees the outside address in both cases.
enum class Hairpin : std::uint8_t { None, InternalSource, ExternalSource };

// Section 4.3: the packets that keep a mapping alive.
enum class Refresh : std::uint8_t { Outbound, Inbound, Both };

// By default what RFC 4787 asks for, with the stricter of the two filterings that it recommends.
struct NatBehavior {
    Mapping mapping = Mapping::EndpointIndependent;
    Filtering filtering = Filtering::AddressDependent;
    PortAssignment ports = PortAssignment::Preserving;
    PortParity parity = PortParity::Ignored;
    Hairpin hairpin = Hairpin::ExternalSource;
    Refresh refresh = Refresh::Outbound;
    // Of a mapping, and of each permission of its filter.
    Duration lifetime = std::chrono::minutes{5};
    // The ports that it gives away; a preserved port may lie outside.
    std::uint16_t first_port = 1024;
    std::uint16_t last_port = 65535;
};

}  // namespace stile::sim
