// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace stile::app {

// What a program ends with; stable, in the manual pages.
enum class ExitCode : int {
    Done = 0,
    Other = 1,
    Usage = 2,
    NotFound = 3,  // no such user, peer offline, no such file there
    Declined = 4,  // declined, busy or cancelled by the other side
    NotAuthorised = 5,
    NoPath = 6,  // no network path, or the server cannot be reached
    TimedOut = 7,
    Damaged = 8,  // data damaged or incomplete; a download can be resumed
    Local = 9,    // a local file or device
    RelayOnly = 10,
    BadConfiguration = 78,
    Interrupted = 130,
};

}  // namespace stile::app
