// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "usage_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace stile::relay {

std::expected<void, std::string> UsageLog::append(std::string_view lines) const {
    if (path_.empty()) return {};
    constexpr mode_t mode = 0640;
    const drivers::FileDescriptor file{
        ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode)};
    while (file.valid() && !lines.empty()) {
        const ssize_t count = ::write(file.get(), lines.data(), lines.size());
        if (count < 0) break;
        lines.remove_prefix(static_cast<std::size_t>(count));
    }
    if (file.valid() && lines.empty()) return {};
    return std::unexpected(
        fmt::format("usage records cannot be written to {}: {}", path_, std::strerror(errno)));
}

}  // namespace stile::relay
