// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include <stile/drivers/os_error.hpp>

#include <system_error>

namespace stile::drivers {

OsError os_error(std::string_view what, int code) {
    std::string text{what};
    text += ": ";
    text += std::generic_category().message(code);
    return {.code = code, .text = std::move(text)};
}

}  // namespace stile::drivers
