// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <optional>

namespace stile::portmap {

// Watches the seconds that a gateway counts since it last lost its mappings.
class Epoch {
public:
    // Which rule tells a restart: RFC 6887 Section 8.5, or RFC 6886 Section 3.6.
    enum class Rule : std::uint8_t { Pcp, NatPmp };
    enum class Finding : std::uint8_t { Plausible, Restarted };

    // The count of a response that came at `now`. The first one is plausible whatever it says.
    Finding see(Instant now, std::chrono::seconds count, Rule rule);

private:
    struct Seen {
        Instant when;
        std::chrono::seconds count;
    };
    std::optional<Seen> last_;
};

}  // namespace stile::portmap
