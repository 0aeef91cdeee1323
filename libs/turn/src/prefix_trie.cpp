// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/turn/prefix_trie.hpp>

namespace stile::turn {
namespace {

unsigned bit_at(BytesView octets, unsigned position) {
    return (std::to_integer<unsigned>(octets[position / 8]) >> (7 - position % 8)) & 1U;
}

}  // namespace

void PrefixTrie::mark(const IpPrefix& prefix, Mark mark) {
    const BytesView octets = prefix.address.octets();
    std::uint32_t at = root(prefix.address);
    for (unsigned i = 0; i < prefix.length; ++i) {
        const unsigned bit = bit_at(octets, i);
        if (nodes_[at].child[bit] == 0) {
            const auto fresh = static_cast<std::uint32_t>(nodes_.size());
            nodes_.emplace_back();
            nodes_[at].child[bit] = fresh;
        }
        at = nodes_[at].child[bit];
    }
    nodes_[at].marks |= static_cast<std::uint8_t>(mark);
}

PrefixTrie::Findings PrefixTrie::look_up(const IpAddress& address) const {
    const BytesView octets = address.octets();
    const auto bits = static_cast<unsigned>(octets.size()) * 8;
    Findings found;
    std::uint32_t at = root(address);
    for (unsigned i = 0;; ++i) {
        const std::uint8_t marks = nodes_[at].marks;
        found.marks |= marks;
        if ((marks & static_cast<std::uint8_t>(Mark::Special)) != 0) {
            found.special = static_cast<int>(i);
        }
        if ((marks & static_cast<std::uint8_t>(Mark::Opened)) != 0) {
            found.opened = static_cast<int>(i);
        }
        if (i == bits) return found;
        at = nodes_[at].child[bit_at(octets, i)];
        if (at == 0) return found;
    }
}

}  // namespace stile::turn
