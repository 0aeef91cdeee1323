// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace stile::relay {

// What an operator asks of a running relay, by the admin socket in its state folder. Each prints
// the answer, or why there is none, and gives the exit code.
enum class Output : std::uint8_t { Table, Json };
int show_status(const std::string& socket, Output output);
int show_sessions(const std::string& socket, Output output);
enum class Follow : std::uint8_t { Yes, No };
int trace_session(const std::string& socket, const std::string& session, Follow follow);
int drain(const std::string& socket, std::optional<std::uint64_t> deadline_seconds);
int reload(const std::string& socket);
int restart(const std::string& socket);

}  // namespace stile::relay
