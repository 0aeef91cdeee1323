// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/relay/coturn_import.hpp>

#include <string>

namespace stile::relay {

struct ImportOptions {
    std::string file = "/etc/turnserver.conf";
    std::string output;  // empty: standard output
    std::string userdb;  // empty: what the file says, or coturn's default where it is
    ImportTarget target = ImportTarget::Turnd;
};
// The new configuration to the output, what could not be taken to standard error; the exit code.
int run_import(const ImportOptions& options);

}  // namespace stile::relay
