// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/ip_address.hpp>

#include <cstdint>
#include <vector>

namespace stile::turn {

// What is said about prefixes, found by walking an address bit by bit: the work is the length of
// the longest prefix that was said anything about, however many there are.
class PrefixTrie {
public:
    enum class Mark : std::uint8_t {
        Known = 1U << 0U,    // addresses are given out of it
        Special = 1U << 1U,  // not for everybody
        Never = 1U << 2U,    // for nobody
        Opened = 1U << 3U,   // by the operator
        Denied = 1U << 4U,   // by the operator
    };

    void mark(const IpPrefix& prefix, Mark mark);

    // What all prefixes that contain the address say together.
    struct Findings {
        std::uint8_t marks = 0;
        int special = -1;  // length of the longest one that is Special
        int opened = -1;   // or Opened
        bool has(Mark mark) const { return (marks & static_cast<std::uint8_t>(mark)) != 0; }
    };
    Findings look_up(const IpAddress& address) const;

private:
    struct Node {
        std::uint32_t child[2] = {0, 0};  // 0: none
        std::uint8_t marks = 0;
    };
    static std::uint32_t root(const IpAddress& address) { return address.is_v4() ? 0 : 1; }

    std::vector<Node> nodes_{2};  // the roots of both families first
};

}  // namespace stile::turn
