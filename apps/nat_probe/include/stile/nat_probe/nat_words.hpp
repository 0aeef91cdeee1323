// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/stun/behavior_discovery.hpp>

#include <string>
#include <string_view>

namespace stile::nat_probe {

// Findings in the words of RFC 4787, for programs: "endpoint-independent".
std::string_view to_string(stun::MappingBehavior mapping);
std::string_view to_string(stun::FilteringBehavior filtering);

// Findings for people.
std::string describe(stun::MappingBehavior mapping);
std::string describe(stun::FilteringBehavior filtering);

// What they mean for calls and direct connections; `word` is for programs.
struct Consequence {
    std::string_view word;
    std::string text;
};
enum class Translation : std::uint8_t { None, Some };
Consequence consequence(Translation translation, stun::MappingBehavior mapping,
                        stun::FilteringBehavior filtering);

}  // namespace stile::nat_probe
