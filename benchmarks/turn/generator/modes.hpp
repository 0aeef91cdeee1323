// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "options.hpp"

#include <string>

namespace stile::bench {

// Each gives its result as one JSON object.
std::string run_relay(const Options& options);
std::string run_allocate(const Options& options);
std::string run_binding(const Options& options);
std::string run_memory(const Options& options);

}  // namespace stile::bench
