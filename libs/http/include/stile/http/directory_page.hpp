// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stile/base/time.hpp>
#include <stile/http/fields.hpp>
#include <stile/http/status.hpp>

namespace stile::http {

enum class EntryKind : std::uint8_t { File, Directory };

struct DirectoryEntry {
    std::string name;  // octets as they are in the file system; without "/"
    EntryKind kind = EntryKind::File;
    std::optional<std::uint64_t> size;  // of files
    std::optional<WallTime> modified;
};

struct DirectoryPage {
    std::string title;                    // what is shared, e.g. "Alice's music"
    std::vector<std::string> segments;    // below the share's root; empty at the root
    std::string root_path = "/";          // where the share's root is, with "/" at its end
    std::vector<DirectoryEntry> entries;  // in any order; folders are listed first, then by name
    std::optional<std::string> feed_url;  // a feed of this folder
};

// HTML with everything in it: no script, nothing loaded from anywhere. Send it with page_fields().
std::string render_directory(const DirectoryPage& page);

struct ErrorPage {
    Status status = Status::NotFound;
    std::string cause;      // what happened, one sentence; "" for what the status usually means
    std::string next_step;  // what the person can do; "" for the usual
    std::optional<std::string> home_path;  // a link back
};

std::string render_error(const ErrorPage& page);

// Content type and a content security policy that allows the page's own style and nothing else.
Fields page_fields();

// "1.4 MB", decimal units, as file managers show it.
std::string readable_size(std::uint64_t octets);
// For text and attribute values. What is not UTF-8 and control characters become U+FFFD.
std::string escape_html(std::string_view text);

}  // namespace stile::http
