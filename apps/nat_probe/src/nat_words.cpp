// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/nat_probe/nat_words.hpp>

namespace stile::nat_probe {

std::string_view to_string(stun::MappingBehavior mapping) {
    switch (mapping) {
        case stun::MappingBehavior::EndpointIndependent:
            return "endpoint-independent";
        case stun::MappingBehavior::AddressDependent:
            return "address-dependent";
        case stun::MappingBehavior::AddressAndPortDependent:
            return "address-and-port-dependent";
    }
    return "";
}

std::string_view to_string(stun::FilteringBehavior filtering) {
    switch (filtering) {
        case stun::FilteringBehavior::EndpointIndependent:
            return "endpoint-independent";
        case stun::FilteringBehavior::AddressDependent:
            return "address-dependent";
        case stun::FilteringBehavior::AddressAndPortDependent:
            return "address-and-port-dependent";
    }
    return "";
}

std::string describe(stun::MappingBehavior mapping) {
    switch (mapping) {
        case stun::MappingBehavior::EndpointIndependent:
            return "one address for all destinations (endpoint independent)";
        case stun::MappingBehavior::AddressDependent:
            return "another address for each destination's IP address (address dependent)";
        case stun::MappingBehavior::AddressAndPortDependent:
            return "another address for each destination (address and port dependent)";
    }
    return "";
}

std::string describe(stun::FilteringBehavior filtering) {
    switch (filtering) {
        case stun::FilteringBehavior::EndpointIndependent:
            return "anybody reaches your address once it is in use (endpoint independent)";
        case stun::FilteringBehavior::AddressDependent:
            return "only IP addresses that you have sent to may answer (address dependent)";
        case stun::FilteringBehavior::AddressAndPortDependent:
            return "only those you have sent to, at that port, may answer (address and port "
                   "dependent)";
    }
    return "";
}

Consequence consequence(Translation translation, stun::MappingBehavior mapping,
                        stun::FilteringBehavior filtering) {
    using enum stun::FilteringBehavior;
    if (mapping != stun::MappingBehavior::EndpointIndependent) {
        return {"relay-often",
                "your NAT maps per destination: direct calls work only with peers that let in "
                "strangers' ports; with most others a relay (TURN) is needed"};
    }
    switch (filtering) {
        case EndpointIndependent:
            return {"direct", translation == Translation::None
                                  ? "nothing is in the way: direct calls work with everybody"
                                  : "direct calls work with everybody who can send UDP"};
        case AddressDependent:
            return {"direct-mostly",
                    "direct calls work with nearly everybody; both sides have to send first"};
        case AddressAndPortDependent:
            return {"direct-mostly",
                    "direct calls work except with peers whose NAT maps per destination: with "
                    "those a relay (TURN) is needed"};
    }
    return {};
}

}  // namespace stile::nat_probe
