// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/file_descriptor.hpp>

#include <expected>
#include <string>
#include <string_view>

namespace stile::relay {

// Lines appended to a file, which may be moved away meanwhile (logrotate). An empty path is no log.
class UsageLog {
public:
    explicit UsageLog(std::string path) : path_(std::move(path)) {}

    // The error is for a person.
    std::expected<void, std::string> append(std::string_view lines) const;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

}  // namespace stile::relay
