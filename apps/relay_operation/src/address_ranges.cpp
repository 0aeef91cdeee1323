// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "address_ranges.hpp"

#include <algorithm>
#include <array>

namespace stile::relay {
namespace {

__extension__ using Number = unsigned __int128;

// One range of one family as numbers.
struct Span {
    Number first = 0;
    Number last = 0;
};

unsigned bits_of(AddressFamily family) { return family == AddressFamily::V4 ? 32 : 128; }

Number number_of(const IpAddress& address) {
    Number number = 0;
    for (const std::byte octet : address.octets()) {
        number = (number << 8U) | std::to_integer<unsigned>(octet);
    }
    return number;
}

IpAddress address_of(Number number, AddressFamily family) {
    std::array<std::byte, 16> octets{};
    const std::size_t count = bits_of(family) / 8;
    for (std::size_t i = count; i-- > 0; number >>= 8U) {
        octets.at(i) = static_cast<std::byte>(static_cast<unsigned>(number & 0xFFU));
    }
    return IpAddress::from_octets(BytesView{octets}.first(count));
}

std::vector<Span> spans_of(const std::vector<AddressRange>& ranges, AddressFamily family) {
    std::vector<Span> spans;
    for (const AddressRange& range : ranges) {
        if (range.first.family() == family) {
            spans.push_back({number_of(range.first), number_of(range.last)});
        }
    }
    std::ranges::sort(spans, {}, &Span::first);
    return spans;
}

void append_prefixes(Span span, AddressFamily family, std::vector<IpPrefix>& prefixes) {
    const unsigned bits = bits_of(family);
    const Number top = bits == 128 ? ~Number{0} : (Number{1} << bits) - 1;
    for (;;) {
        // The largest prefix that begins here and does not reach past the end.
        unsigned host_bits = 0;
        while (host_bits < bits) {
            const unsigned wider = host_bits + 1;
            const Number mask = wider == 128 ? ~Number{0} : (Number{1} << wider) - 1;
            if ((span.first & mask) != 0 || (span.first | mask) > span.last) break;
            host_bits = wider;
        }
        const Number mask = host_bits == 128 ? ~Number{0} : (Number{1} << host_bits) - 1;
        prefixes.push_back({.address = address_of(span.first, family),
                            .length = static_cast<std::uint8_t>(bits - host_bits)});
        const Number last = span.first | mask;
        if (last >= span.last || last == top) return;
        span.first = last + 1;
    }
}

}  // namespace

std::optional<AddressRange> parse_range(std::string_view text) {
    if (const auto prefix =
            text.find('/') == std::string_view::npos ? std::nullopt : IpPrefix::parse(text)) {
        const unsigned host = bits_of(prefix->address.family()) - prefix->length;
        const Number mask = host == 128 ? ~Number{0} : (Number{1} << host) - 1;
        const Number first = number_of(prefix->address) & ~mask;
        return AddressRange{address_of(first, prefix->address.family()),
                            address_of(first | mask, prefix->address.family())};
    }
    const std::size_t dash = text.find('-');
    const auto first = IpAddress::parse(text.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : IpAddress::parse(text.substr(dash + 1));
    if (!first || !last || first->family() != last->family() ||
        number_of(*first) > number_of(*last)) {
        return std::nullopt;
    }
    return AddressRange{*first, *last};
}

std::vector<IpPrefix> prefixes_without(const std::vector<AddressRange>& from,
                                       const std::vector<AddressRange>& taken) {
    std::vector<IpPrefix> prefixes;
    for (const auto family : {AddressFamily::V4, AddressFamily::V6}) {
        const std::vector<Span> holes = spans_of(taken, family);
        for (Span span : spans_of(from, family)) {
            bool left = true;
            for (const Span& hole : holes) {
                if (hole.last < span.first || hole.first > span.last) continue;
                if (hole.first > span.first) {
                    append_prefixes({span.first, hole.first - 1}, family, prefixes);
                }
                if (hole.last >= span.last) {
                    left = false;
                    break;
                }
                span.first = hole.last + 1;
            }
            if (left) append_prefixes(span, family, prefixes);
        }
    }
    return prefixes;
}

}  // namespace stile::relay
