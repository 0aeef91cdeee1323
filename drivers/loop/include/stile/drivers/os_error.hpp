// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>
#include <string>
#include <string_view>

namespace stile::drivers {

// A refused request to the operating system.
struct OsError {
    int code = 0;      // errno
    std::string text;  // what was asked and why it failed: "bind 0.0.0.0:53: Permission denied"
};

// Reads errno by default: call it before anything else can change it.
OsError os_error(std::string_view what, int code = errno);

}  // namespace stile::drivers
