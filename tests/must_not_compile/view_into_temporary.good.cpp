// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/ip_address.hpp>

std::size_t octets_of_a_named_address() {
    const stile::IpAddress address;
    return address.octets().size();
}
