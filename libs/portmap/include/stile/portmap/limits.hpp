// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>

#include <cstddef>

namespace stile::portmap::limits {

// Mappings of one client: the sockets of a process that serves many sessions on few ports.
inline constexpr std::size_t most_mappings = 64;

// Events not yet fetched; the oldest is lost. Client::external() tells what is so now.
inline constexpr std::size_t most_queued_events = 128;

// RFC 6886 Section 3.3.
inline constexpr std::chrono::seconds wanted_lifetime{7200};

// RFC 6887 Section 15: a longer one is taken for this.
inline constexpr std::chrono::seconds most_lifetime{86'400};

// RFC 6887 Section 11.2.1: renewals are never closer together. It bounds the requests that a
// gateway can draw by granting a lifetime of a second.
inline constexpr Duration least_renewal_interval = std::chrono::seconds{4};

// A gateway that speaks either protocol answers at once. After this the application is told that
// this one does not; the requests go on, ever more rarely.
inline constexpr Duration answer_patience = std::chrono::seconds{4};

// RFC 6886 Section 3.1: NAT-PMP requests sent in all.
inline constexpr unsigned most_nat_pmp_requests = 9;

// Not in an RFC: how far behind the first PCP request the first one of NAT-PMP leaves, so that a
// gateway that knows both is met by the newer.
inline constexpr Duration nat_pmp_head_start = std::chrono::milliseconds{250};

// A removal is sent so often: it is advisory (RFC 6886 Section 3.1).
inline constexpr unsigned most_removal_requests = 3;

// RFC 6887 Section 7.4: an error of a long lifetime holds for half an hour. A gateway that names
// more is asked again all the same, one that names less than a few seconds is not flooded.
inline constexpr Duration most_error_hold = std::chrono::minutes{30};
inline constexpr Duration least_error_hold = std::chrono::seconds{4};

}  // namespace stile::portmap::limits
