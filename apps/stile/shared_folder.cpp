// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "shared_folder.hpp"

#include <stile/http/limits.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace stile::peer {
namespace {

static_assert(most_entries <= http::limits::feed_items);

// Some file systems keep 64 bits of seconds, and whoever made the file chose them: years 1 to 9999
// can be written, and nanoseconds since 1970 fit in 64 bits up to 2262.
constexpr std::int64_t least_seconds = -62'135'596'800;
constexpr std::int64_t most_seconds = 253'402'300'799;
constexpr std::int64_t most_exact_seconds = INT64_MAX / 1'000'000'000 - 1;

// Names what is there below the folder without opening it: the kernel refuses links and dots that
// lead out.
drivers::FileDescriptor name_beneath(int root, const std::string& path) {
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    return drivers::FileDescriptor{
        static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how))};
}

// Opens what was named, whatever has its name by now.
drivers::FileDescriptor open_named(const drivers::FileDescriptor& named) {
    const std::string path = "/proc/self/fd/" + std::to_string(named.get());
    return drivers::FileDescriptor{
        ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
}

WallTime modified_at(const struct stat& facts) {
    return WallTime{std::chrono::seconds{
        std::clamp<std::int64_t>(facts.st_mtim.tv_sec, least_seconds, most_seconds)}};
}

http::FileFacts facts_of(const struct stat& facts) {
    const std::int64_t seconds =
        std::clamp<std::int64_t>(facts.st_mtim.tv_sec, -most_exact_seconds, most_exact_seconds);
    return {.size = static_cast<std::uint64_t>(facts.st_size),
            .modified_nanoseconds = seconds * 1'000'000'000 + facts.st_mtim.tv_nsec,
            .inode = facts.st_ino};
}

LookupError error_of(int code) {
    switch (code) {
        case EACCES:
        case EPERM:
            return LookupError::Forbidden;
        case ENOENT:
        case ENOTDIR:
        case EXDEV:
        case ELOOP:
        case ENAMETOOLONG:
            return LookupError::NotFound;
    }
    return LookupError::Failed;
}

bool can_be_requested(const std::string& name) {
    return http::clean_path('/' + http::encode_segment(name)).has_value();
}

struct CloseFolder {
    void operator()(DIR* stream) const { ::closedir(stream); }
};

}  // namespace

bool same_content(const http::FileFacts& left, const http::FileFacts& right) {
    return left.size == right.size && left.modified_nanoseconds == right.modified_nanoseconds &&
           left.inode == right.inode;
}

bool SharedFile::is_unchanged() const {
    struct stat now{};
    return ::fstat(descriptor.get(), &now) == 0 && same_content(facts_of(now), facts);
}

std::expected<SharedFolder, std::string> SharedFolder::open(const std::string& path) {
    drivers::FileDescriptor root{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!root.valid()) return std::unexpected(path + ": " + std::strerror(errno));
    // Some sandboxes have no openat2 or no /proc; then nothing would ever be found.
    const drivers::FileDescriptor named = name_beneath(root.get(), ".");
    if (!named.valid() || !open_named(named).valid()) {
        return std::unexpected(path + ": openat2 and /proc are needed: " + std::strerror(errno));
    }
    return SharedFolder{path, std::move(root)};
}

std::expected<std::variant<SharedFile, SharedSubfolder>, LookupError> SharedFolder::find(
    const std::vector<std::string>& segments) const {
    std::string path = ".";
    for (const std::string& segment : segments) {
        if (segment.starts_with('.')) return std::unexpected(LookupError::NotFound);
        path += '/' + segment;
    }
    const drivers::FileDescriptor named = name_beneath(root_.get(), path);
    struct stat facts{};
    if (!named.valid() || ::fstat(named.get(), &facts) != 0) {
        return std::unexpected(error_of(errno));
    }
    const bool is_folder = S_ISDIR(facts.st_mode);
    if (!is_folder && !S_ISREG(facts.st_mode)) return std::unexpected(LookupError::NotAFile);
    drivers::FileDescriptor found = open_named(named);
    if (!found.valid()) return std::unexpected(error_of(errno));
    if (is_folder) return SharedSubfolder{std::move(found), std::move(path)};
    // Its size may have grown since it was named.
    if (::fstat(found.get(), &facts) != 0) return std::unexpected(LookupError::Failed);
    return SharedFile{.descriptor = std::move(found),
                      .facts = facts_of(facts),
                      .modified = modified_at(facts),
                      .name = segments.back()};
}

std::optional<http::DirectoryEntry> SharedFolder::describe(const SharedSubfolder& folder,
                                                           const std::string& name) const {
    struct stat facts{};
    if (::fstatat(folder.descriptor.get(), name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
        return std::nullopt;
    }
    if (S_ISLNK(facts.st_mode)) {
        const auto target = name_beneath(root_.get(), folder.path + '/' + name);
        if (!target.valid() || ::fstat(target.get(), &facts) != 0) return std::nullopt;
    }
    const bool is_file = S_ISREG(facts.st_mode);
    if (!is_file && !S_ISDIR(facts.st_mode)) return std::nullopt;
    http::DirectoryEntry entry{.name = name, .modified = modified_at(facts)};
    entry.kind = is_file ? http::EntryKind::File : http::EntryKind::Directory;
    if (is_file) entry.size = static_cast<std::uint64_t>(facts.st_size);
    return entry;
}

SharedListing SharedFolder::list(SharedSubfolder folder, Selection selection) const {
    SharedListing listing;
    // The stream closes its descriptor; describe() needs one too.
    const int descriptor = ::fcntl(folder.descriptor.get(), F_DUPFD_CLOEXEC, 0);
    const std::unique_ptr<DIR, CloseFolder> stream{::fdopendir(descriptor)};
    if (!stream) {
        if (descriptor >= 0) ::close(descriptor);
        return listing;
    }
    const auto before = [selection](const http::DirectoryEntry& left,
                                    const http::DirectoryEntry& right) {
        if (selection == Selection::NewestFiles && left.modified != right.modified) {
            return left.modified > right.modified;
        }
        return left.name < right.name;
    };
    // A heap, the entry that is given up next in front: memory stays bounded in any folder.
    std::vector<http::DirectoryEntry>& entries = listing.entries;
    while (const dirent* const item = ::readdir(stream.get())) {
        const std::string name = item->d_name;
        if (name.starts_with('.') || !can_be_requested(name)) continue;
        auto entry = describe(folder, name);
        if (!entry) continue;
        if (selection == Selection::NewestFiles && entry->kind != http::EntryKind::File) continue;
        entries.push_back(*std::move(entry));
        std::ranges::push_heap(entries, before);
        if (entries.size() <= most_entries) continue;
        std::ranges::pop_heap(entries, before);
        entries.pop_back();
        listing.extent = Extent::Selected;
    }
    return listing;
}

}  // namespace stile::peer
