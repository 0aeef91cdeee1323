// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <expected>
#include <utility>

// The value of an expected, or return its error from this function. For .cpp files only.
#define STILE_TRY(...)                                                                      \
    __extension__({                                                                         \
        auto stile_try_result = (__VA_ARGS__);                                              \
        if (!stile_try_result) return std::unexpected(std::move(stile_try_result).error()); \
        *std::move(stile_try_result);                                                       \
    })
