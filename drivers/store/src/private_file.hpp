// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/os_error.hpp>

#include <expected>
#include <string>

namespace stile::drivers {

// Makes the directories that are missing (0700) and the file (0600); takes rights that others have
// away from a file that exists.
std::expected<void, OsError> make_private_file(const std::string& path);

}  // namespace stile::drivers
