// SPDX-FileCopyrightText: The Stile authors
// SPDX-License-Identifier: Apache-2.0
#include "shared_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

namespace stile::peer {
namespace {

// More than a person's folder has; a page of them is still readable by a program.
constexpr std::size_t most_entries = 20'000;

// Opens below the folder only: the kernel refuses links and dots that lead out.
drivers::FileDescriptor open_beneath(int root, const std::string& path) {
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    return drivers::FileDescriptor{
        static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how))};
}

WallTime modified_at(const struct stat& facts) {
    return WallTime{std::chrono::seconds{facts.st_mtim.tv_sec}};
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

SharedListing list(drivers::FileDescriptor folder) {
    SharedListing listing;
    DIR* const stream = ::fdopendir(folder.get());
    if (stream == nullptr) return listing;
    folder.release();  // the stream's now
    while (const dirent* const entry = ::readdir(stream)) {
        if (listing.entries.size() == most_entries) break;
        if (entry->d_name[0] == '.') continue;
        struct stat facts{};
        if (::fstatat(::dirfd(stream), entry->d_name, &facts, 0) != 0) continue;
        if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode)) continue;
        const bool is_file = S_ISREG(facts.st_mode);
        listing.entries.push_back(
            {.name = entry->d_name,
             .kind = is_file ? http::EntryKind::File : http::EntryKind::Directory,
             .size =
                 is_file ? std::optional{static_cast<std::uint64_t>(facts.st_size)} : std::nullopt,
             .modified = modified_at(facts)});
    }
    ::closedir(stream);
    return listing;
}

}  // namespace

std::expected<SharedFolder, std::string> SharedFolder::open(const std::string& path) {
    drivers::FileDescriptor root{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!root.valid()) return std::unexpected(path + ": " + std::strerror(errno));
    return SharedFolder{path, std::move(root)};
}

std::expected<std::variant<SharedFile, SharedListing>, LookupError> SharedFolder::find(
    const std::vector<std::string>& segments) const {
    std::string path = ".";
    for (const std::string& segment : segments) {
        if (segment.starts_with('.')) return std::unexpected(LookupError::NotFound);
        path += '/' + segment;
    }
    drivers::FileDescriptor found = open_beneath(root_.get(), path);
    if (!found.valid()) return std::unexpected(error_of(errno));
    struct stat facts{};
    if (::fstat(found.get(), &facts) != 0) return std::unexpected(LookupError::Failed);
    if (S_ISDIR(facts.st_mode)) return list(std::move(found));
    if (!S_ISREG(facts.st_mode)) return std::unexpected(LookupError::NotAFile);
    return SharedFile{.descriptor = std::move(found),
                      .facts = {.size = static_cast<std::uint64_t>(facts.st_size),
                                .modified_nanoseconds =
                                    facts.st_mtim.tv_sec * 1'000'000'000LL + facts.st_mtim.tv_nsec,
                                .inode = facts.st_ino},
                      .modified = modified_at(facts),
                      .name = segments.back()};
}

}  // namespace stile::peer
