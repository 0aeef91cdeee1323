// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/problem.hpp>

#include <expected>
#include <string>
#include <string_view>

namespace stile::app {

// A whole file, such as "The certificate"; the problem says why not. At most 16 MiB.
std::expected<std::string, Problem> read_file(const std::string& path, std::string_view what);

// What `code`, an errno, means for who uses this file.
Problem file_problem(std::string what, const std::string& path, int code);

}  // namespace stile::app
