// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace stile::http::limits {

// Of a head: browsers send about 30 fields; servers in the field stop at 100 to 128.
inline constexpr std::size_t fields = 128;
// Names and values of a head together. The usual limit of servers is 8 to 64 KiB.
inline constexpr std::size_t field_octets = 65'536;
// RFC 9110 Section 4.1 recommends to accept 8000 octets.
inline constexpr std::size_t path_octets = 8'192;
// POSIX file systems stop at 255 octets a name and 4096 a path: 2048 names of one octet.
inline constexpr std::size_t path_segments = 2'048;
inline constexpr std::size_t segment_octets = 255;
// Specs in one Range field. A person's player asks for one, a PDF viewer for a handful.
inline constexpr std::size_t range_specs = 32;
// Two ranges nearer than this are sent as one: RFC 9110 Section 15.3.7.2 puts the cost of another
// part at about 80 octets.
inline constexpr std::size_t range_gap_octets = 80;
// Members of one list field: entity tags, links, digests.
inline constexpr std::size_t list_members = 256;
// Feeds in the field are up to a few mebibytes.
inline constexpr std::size_t feed_octets = 16 * 1024 * 1024;
inline constexpr std::size_t feed_items = 20'000;
inline constexpr std::size_t feed_enclosures = 16;  // of one item; RSS knows one
// One title, address or identifier of a feed; what is longer is cut.
inline constexpr std::size_t feed_text_octets = 65'536;
inline constexpr std::size_t xml_depth = 128;
inline constexpr std::size_t xml_attributes = 64;

static_assert(path_octets < field_octets);
static_assert(segment_octets < path_octets);

}  // namespace stile::http::limits
