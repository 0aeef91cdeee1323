// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/base/ip_address.hpp>

stile::BytesView octets_of_a_temporary() { return stile::IpAddress{}.octets(); }
