// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/drivers/file_descriptor.hpp>
#include <stile/http/directory_page.hpp>
#include <stile/http/feed.hpp>
#include <stile/http/path.hpp>
#include <stile/http/plan.hpp>

#include <cstdint>
#include <expected>
#include <string>
#include <variant>

namespace stile::peer {

// An open file of the folder with what a response says about it.
struct SharedFile {
    drivers::FileDescriptor descriptor;
    http::FileFacts facts;
    WallTime modified;
    std::string name;
};

struct SharedListing {
    std::vector<http::DirectoryEntry> entries;
};

enum class LookupError : std::uint8_t {
    NotFound,   // nothing there, or hidden, or it leads out of the folder
    Forbidden,  // this user may not read it
    NotAFile,   // a device, a socket, a pipe
    Failed,
};

// A folder that is shared, read only. Names that begin with a dot are hidden. Nothing outside of
// the folder is ever opened, whatever links lead there.
class SharedFolder {
public:
    static std::expected<SharedFolder, std::string> open(const std::string& path);

    std::expected<std::variant<SharedFile, SharedListing>, LookupError> find(
        const std::vector<std::string>& segments) const;
    const std::string& path() const { return path_; }

private:
    SharedFolder(std::string path, drivers::FileDescriptor root)
        : path_(std::move(path)), root_(std::move(root)) {}

    std::string path_;
    drivers::FileDescriptor root_;
};

}  // namespace stile::peer
