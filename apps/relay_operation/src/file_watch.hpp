// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace stile::relay {

// Notices that files were replaced or written, by what stat says of them.
class FileWatch {
public:
    void set(std::vector<std::string> paths) {
        paths_ = std::move(paths);
        seen_ = look();
    }
    // Whether something changed since the last call, or set().
    bool changed() {
        auto now = look();
        if (now == seen_) return false;
        seen_ = std::move(now);
        return true;
    }

private:
    using Facts = std::array<std::int64_t, 4>;

    std::vector<Facts> look() const {
        std::vector<Facts> all;
        for (const std::string& path : paths_) {
            struct stat facts{};
            if (::stat(path.c_str(), &facts) != 0) facts = {};
            all.push_back({static_cast<std::int64_t>(facts.st_ino), facts.st_size,
                           facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec});
        }
        return all;
    }

    std::vector<std::string> paths_;
    std::vector<Facts> seen_;
};

}  // namespace stile::relay
