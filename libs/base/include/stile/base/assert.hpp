// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace stile {

// Writes the broken condition and its place to standard error and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace stile

// For our own mistakes only, never for input from a network or a person. On in release builds too.
#define STILE_ASSERT(condition) \
    ((condition) ? void() : ::stile::assertion_failed(#condition, __FILE__, __LINE__))
