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

    // Asks the system again.
    bool is_unchanged() const;
};

bool same_content(const http::FileFacts& left, const http::FileFacts& right);

// Entries of one listing. More than a person's folder has; a page of them is still readable by a
// program, and a feed of as many is http::limits::feed_items.
inline constexpr std::size_t most_entries = 20'000;

// Which entries a listing has when there are more than most_entries.
enum class Selection : std::uint8_t {
    FirstByName,  // by the octets of the name: the same ones each time
    NewestFiles,  // and no folders
};
enum class Extent : std::uint8_t { Whole, Selected };

// A folder that was found. Its entries are read by SharedFolder::list.
struct SharedSubfolder {
    drivers::FileDescriptor descriptor;
    std::string path;  // below the shared folder
};

struct SharedListing {
    std::vector<http::DirectoryEntry> entries;  // in no order
    Extent extent = Extent::Whole;
};

enum class LookupError : std::uint8_t {
    NotFound,   // nothing there, or hidden, or it leads out of the folder
    Forbidden,  // this user may not read it
    NotAFile,   // a device, a socket, a pipe
    Failed,
};

// A folder that is shared, read only. Names that begin with a dot are hidden. Nothing outside of
// the folder is ever opened or described, whatever links lead there; links that stay in it are
// followed. Devices, sockets and pipes are never opened.
class SharedFolder {
public:
    static std::expected<SharedFolder, std::string> open(const std::string& path);

    std::expected<std::variant<SharedFile, SharedSubfolder>, LookupError> find(
        const std::vector<std::string>& segments) const;
    // What find() would find in it, but for names that no request can say: those with control
    // characters (http::clean_path).
    SharedListing list(SharedSubfolder folder, Selection selection) const;
    const std::string& path() const { return path_; }

private:
    SharedFolder(std::string path, drivers::FileDescriptor root)
        : path_(std::move(path)), root_(std::move(root)) {}

    std::optional<http::DirectoryEntry> describe(const SharedSubfolder& folder,
                                                 const std::string& name) const;

    std::string path_;
    drivers::FileDescriptor root_;
};

}  // namespace stile::peer
