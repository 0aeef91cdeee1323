// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/app/exit_code.hpp>

#include <string>
#include <string_view>

namespace stile::app {

// What went wrong, for a person: each line answers one question. `evidence` may be empty.
struct Problem {
    ExitCode code = ExitCode::Other;
    std::string what;      // "alice@example.org is not online"
    std::string cause;     // "no device of that address is registered"
    std::string evidence;  // "SIP 480 Temporarily Unavailable from example.org"
    std::string fix;       // "ask alice to start 'stile share', then try again"
};

// Lines as a program prints them on standard error, with a final line break.
std::string to_text(const Problem& problem);

// Prints it and gives the number to end with.
int fail(const Problem& problem);

// Control characters escaped: what comes from a peer must not drive the terminal.
std::string printable(std::string_view text);

}  // namespace stile::app
