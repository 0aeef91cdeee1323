// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace stile::sip {

// Request methods. Every other one is Other, and its text is kept beside. Methods are compared with
// regard to case. RFC 3261 Section 7.1.
enum class Method : std::uint8_t {
    Invite,
    Ack,
    Bye,
    Cancel,
    Register,
    Options,
    Prack,      // RFC 3262
    Subscribe,  // RFC 6665
    Notify,     // RFC 6665
    Publish,    // RFC 3903
    Info,       // RFC 6086
    Refer,      // RFC 3515
    Message,    // RFC 3428
    Update,     // RFC 3311
    Other,
};

// Other for a text that is not one of the names above.
Method method_of(std::string_view text);
// "INVITE". Requires: method is not Other.
std::string_view method_text(Method method);

}  // namespace stile::sip
